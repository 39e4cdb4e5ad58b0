# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Command line of the test hosts."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from ansible_collections.hosting.jails.tests.hosts import access, archives, image, places, power, segment, sets
from ansible_collections.hosting.jails.tests.hosts.host import Host


def main() -> int:
    """Do what the arguments say; an exit status."""
    options = _parser().parse_args()
    answer: int | None = options.action(options)
    return answer or 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="machines", description="Whole Linux hosts on this machine, for tests.")
    parser.add_argument("--prefix", default="host", help="which set of hosts (default: host)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, action: object, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        # Also behind the command, where people write it.
        made.add_argument("--prefix", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        made.set_defaults(action=action)
        return made

    command("prepare", _prepare, "build what hosts share; print the directory of the archives")
    command("up", _up, "have hosts 1 to COUNT running").add_argument("count", type=int, metavar="COUNT")
    made = command("down", _down, "remove the set, whatever is left of it")
    made.add_argument("--all", action="store_true", help="every set of this checkout")
    command("list", _list, "name, state, address and init of every host")
    command("inventory", _inventory, "print the path of the set's inventory for Ansible")
    for name, action, text in (
        ("ssh", _ssh, "ssh to a host"),
        ("run", _run, "run a command on a host, not by ssh"),
    ):
        made = command(name, action, text)
        made.add_argument("host", metavar="HOST")
        made.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND")
    command("net", _net, "run a command on the hosts' network").add_argument("command", nargs=argparse.REMAINDER)
    for name, action, text in (
        ("on", _on, "switch a host on"),
        ("off", lambda options: _host(options).switch_off(), "shut a host down"),
        ("cut", lambda options: _host(options).cut(), "cut a host's power"),
    ):
        command(name, action, text).add_argument("host", metavar="HOST")
    return parser


def _prepare(_unused: argparse.Namespace) -> None:
    image.ensure()
    print(archives.ensure())


def _up(options: argparse.Namespace) -> None:
    sets.up(options.count, prefix=options.prefix)
    print(access.inventory(options.prefix))


def _down(options: argparse.Namespace) -> None:
    for prefix in places.prefixes() if options.all else [options.prefix]:
        sets.down(prefix)


def _list(options: argparse.Namespace) -> None:
    for prefix in places.prefixes():
        for host in sets.hosts(prefix):
            print(f"{host.name:12} {'on' if host.pid else 'off':4} {host.address:15} {host.pid or '-'}")


def _inventory(options: argparse.Namespace) -> None:
    print(access.inventory(options.prefix))


def _ssh(options: argparse.Namespace) -> int:
    command = ["ssh", "-F", str(access.ssh_config(_host(options).prefix)), options.host, *_words(options)]
    return subprocess.run(command, check=False).returncode


def _run(options: argparse.Namespace) -> int:
    command = _words(options) or ["bash", "-l"]
    return _host(options).run(*command, check=False, capture_output=False, stdin=None, timeout=None).returncode


def _net(options: argparse.Namespace) -> int:
    with segment.inside(options.prefix):
        return subprocess.run(_words(options) or [os.environ.get("SHELL", "sh")], check=False).returncode


def _on(options: argparse.Namespace) -> None:
    host = _host(options)
    if host.pid is None:
        power.switch_on(host)
    host.wait_ready(sets.BOOT_SECONDS)


def _words(options: argparse.Namespace) -> list[str]:
    words: list[str] = options.command
    return words[1:] if words[:1] == ["--"] else words


def _host(options: argparse.Namespace) -> Host:
    for prefix in places.prefixes():
        for host in sets.hosts(prefix):
            if host.name == options.host:
                return host
    sys.exit(f"there is no host {options.host}")


if __name__ == "__main__":
    sys.exit(main())
