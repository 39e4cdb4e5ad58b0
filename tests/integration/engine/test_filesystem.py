# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a jail sees of files: its own root, what the document mounts, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.plugins.module_utils._engine.rootfs import templates
from ansible_collections.hosting.jails.plugins.module_utils._model.errors import DocumentError
from ansible_collections.hosting.jails.tests.integration.jails import TEMPLATE, jail, wait_until

pytestmark = pytest.mark.usefixtures("template", "nothing_left")


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A directory of the host, to be mounted."""
    os.chmod(tmp_path, 0o777)
    (tmp_path / "page").write_text("from the host\n")
    (tmp_path / "page").chmod(0o666)
    return tmp_path


@pytest.mark.parametrize("profile", ["service", "vps"])
def test_a_read_only_mount_is_read_only_for_everybody_in_the_jail(shared: Path, profile: str) -> None:
    mounts = [{"source": str(shared), "target": "/srv/site", "read_only": True}]
    with jail("eng-ro", mounts=mounts, caps={"profile": profile}) as it:
        assert it.output("cat", "/srv/site/page") == "from the host\n"
        for attempt in (
            "echo x > /srv/site/page",
            "touch /srv/site/new",
            "mount -o remount,bind,rw /srv/site && echo x > /srv/site/page",
            "mkdir /mnt/x; mount --bind /srv/site /mnt/x && mount -o remount,bind,rw /mnt/x && echo x > /mnt/x/page",
            "umount /srv/site",
        ):
            assert it.run("sh", "-c", attempt).returncode != 0, attempt
    assert (shared / "page").read_text() == "from the host\n"
    assert sorted(path.name for path in shared.iterdir()) == ["page"]


def test_a_mount_shows_the_jail_files_and_new_ones_of_the_host(shared: Path) -> None:
    with jail("eng-rw", mounts=[{"source": str(shared), "target": "/data"}]) as it:
        it.script("echo from the jail > /data/page")
        assert (shared / "page").read_text() == "from the jail\n"
        (shared / "later").write_text("new\n")
        assert it.output("cat", "/data/later") == "new\n"


@pytest.mark.parametrize("profile", ["service", "vps"])
def test_a_mount_below_run_is_not_hidden_by_the_jails_own_run(shared: Path, profile: str) -> None:
    mounts = [{"source": str(shared), "target": "/run/volume"}]
    with jail("eng-run", caps={"profile": profile}, mounts=mounts) as it:
        assert it.output("cat", "/run/volume/page") == "from the host\n"


def test_a_jail_can_read_its_own_control_group_and_not_change_it() -> None:
    with jail("eng-group") as it:
        assert "populated 1" in it.output("cat", "/sys/fs/cgroup/cgroup.events")
        assert it.run("sh", "-c", "echo 1 > /sys/fs/cgroup/cgroup.kill").returncode != 0


def test_a_single_file_can_be_mounted(shared: Path) -> None:
    mounts = [{"source": str(shared / "page"), "target": "/etc/page.conf", "read_only": True}]
    with jail("eng-file", mounts=mounts) as it:
        assert it.output("cat", "/etc/page.conf") == "from the host\n"


def test_device_nodes_and_set_user_id_programs_of_a_mount_have_no_power(shared: Path) -> None:
    os.mknod(shared / "null", 0o020666, os.makedev(1, 3))
    with jail("eng-nodev", mounts=[{"source": str(shared), "target": "/data"}]) as it:
        assert it.run("sh", "-c", "echo x > /data/null").returncode != 0
        options = it.script("grep ' /data ' /proc/self/mountinfo").split()[5].split(",")
        assert {"nosuid", "nodev"} <= set(options)


def test_a_tmpfs_has_its_size_and_is_empty_after_a_restart() -> None:
    with jail("eng-tmp", mounts=[{"type": "tmpfs", "target": "/scratch", "size": "4M"}]) as it:
        assert it.run("sh", "-c", "head -c 3M /dev/zero > /scratch/x").returncode == 0
        full = it.run("sh", "-c", "head -c 3M /dev/zero > /scratch/y")
        assert full.returncode != 0
        assert "No space left" in full.stderr
        it.converge(state="restarted")
        assert it.output("ls", "/scratch") == ""


def test_a_mount_point_that_is_a_link_of_the_image_does_not_lead_out(shared: Path) -> None:
    with jail("eng-link", state="started") as it:
        it.script("mkdir /real; ln -s /../../../../../real /there; ln -s /proc/1/root/tmp /out")
        it.converge(state="started", mounts=[{"source": str(shared), "target": "/there"}], apply="restart")
        assert it.output("cat", "/real/page") == "from the host\n"
        with pytest.raises(EngineError) as refusal:
            it.converge(state="started", mounts=[{"source": str(shared), "target": "/out/x"}], apply="restart")
        assert refusal.value.path == "mounts[0].target"
        it.converge(mounts=[])


@pytest.mark.parametrize(
    ("mount", "path"),
    [
        ({"source": "/", "target": "/mnt"}, "mounts[0].source"),
        ({"source": "/proc", "target": "/mnt"}, "mounts[0].source"),
        ({"source": "/etc/jails", "target": "/mnt"}, "mounts[0].source"),
        ({"source": "/run", "target": "/mnt"}, "mounts[0].source"),
        ({"source": "/srv", "target": "/proc/x"}, "mounts[0].target"),
        ({"source": "/srv", "target": "/"}, "mounts[0].target"),
        ({"source": "/srv/../etc", "target": "/mnt"}, "mounts[0].source"),
        ({"source": "srv", "target": "/mnt"}, "mounts[0].source"),
    ],
)
def test_mounts_that_would_undo_the_jail_are_refused(mount: dict[str, Any], path: str) -> None:
    with jail("eng-bad", state=None) as it:
        with pytest.raises(DocumentError) as refusal:
            it.converge(mounts=[mount])
        assert refusal.value.path == path


def test_the_root_is_a_jails_own_and_the_template_stays_as_it_was() -> None:
    with jail("eng-one") as one, jail("eng-two") as two:
        one.script("echo changed > /etc/issue; rm /etc/debian_version; chown 33:33 /etc/motd || true")
        assert one.output("cat", "/etc/issue") == "changed\n"
        assert two.script("cat /etc/issue /etc/debian_version") != ""
        assert "changed" not in two.output("cat", "/etc/issue")


def test_files_of_a_jail_belong_to_shifted_ids_on_the_host() -> None:
    with jail("eng-ids") as it:
        it.script("echo x > /root/mine; echo y > /root/yours; chown 33:33 /root/yours")
        base = os.stat(f"/proc/{it.pid}").st_uid
        upper = Path("/var/lib/jails/roots/eng-ids/upper/root")
        assert base >= 524288
        assert (upper / "mine").stat().st_uid == base
        assert (upper / "yours").stat().st_uid == base + 33
        assert it.script("stat -c %u /root/yours /etc/passwd /usr/bin/env") == "33\n0\n0\n"


def test_proc_dev_and_sys_tell_of_the_jail_alone() -> None:
    with jail("eng-see", command=["sleep", "100"]) as it:
        pids = [int(word) for word in it.output("ls", "/proc").split() if word.isdigit()]
        assert len(pids) <= 4
        assert set(it.output("ls", "/dev").split()) == {
            "fd",
            "full",
            "mqueue",
            "null",
            "ptmx",
            "pts",
            "random",
            "shm",
            "stderr",
            "stdin",
            "stdout",
            "tty",
            "urandom",
            "zero",
        }
        assert it.run("sh", "-c", "echo 1 > /proc/sys/vm/drop_caches").returncode != 0
        assert it.run("sh", "-c", "echo x > /sys/power/state").returncode != 0
        assert it.output("sh", "-c", "wc -c < /proc/kallsyms") == "0\n"
        assert it.script("echo ok > /dev/null; head -c 4 /dev/urandom | wc -c; head -c 4 /dev/zero | wc -c") == "4\n4\n"


def test_a_program_can_open_its_own_standard_output_again() -> None:
    """nginx does, when it is told to log to /dev/stdout."""
    script = "echo again > /dev/stdout; echo error > /dev/stderr; sleep 100"
    with jail("eng-out", command=["sh", "-c", script], user="www-data") as it:
        wait_until(lambda: it.log() == "again\nerror\n")


def test_the_environment_of_the_command_is_the_documents() -> None:
    document = {
        "environment": {"A": "b c", "EMPTY": "", "PATH": "/usr/bin:/bin"},
        "user": "www-data",
        "workdir": "/var",
    }
    with jail("eng-env", command=["sh", "-c", "env; pwd; id -u; sleep 100"], **document) as it:
        wait_until(lambda: it.log().endswith("33\n"))
        lines = it.log().split("\n")
        assert {"A=b c", "EMPTY=", "PATH=/usr/bin:/bin", "HOME=/var/www", "USER=www-data", "container=jail"} <= set(
            lines
        )
        assert lines[-3:] == ["/var", "33", ""]
        unknown = {line.partition("=")[0] for line in lines[:-3]} - {"A", "EMPTY", "PATH", "HOME", "USER", "container"}
        assert unknown <= {"PWD", "OLDPWD", "SHLVL", "_"}


def test_namespaced_sysctls_are_set_and_the_hosts_stay() -> None:
    before = Path("/proc/sys/net/core/somaxconn").read_text(), Path("/proc/sys/kernel/shmmax").read_text()
    sysctls = {"net.core.somaxconn": "77", "net.ipv4.ip_unprivileged_port_start": "0", "kernel.shmmax": "12345"}
    with jail("eng-ctl", sysctls=sysctls, ip={"mode": "vnet", "addresses": ["10.23.0.41/32"]}) as it:
        text = it.script("cd /proc/sys; cat net/core/somaxconn net/ipv4/ip_unprivileged_port_start kernel/shmmax")
        assert text == "77\n0\n12345\n"
    assert (Path("/proc/sys/net/core/somaxconn").read_text(), Path("/proc/sys/kernel/shmmax").read_text()) == before


@pytest.mark.parametrize("profile", ["none", "vps"])
def test_the_groups_that_may_ping_are_groups_of_the_jail(profile: str) -> None:
    program = "from socket import *; socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP)"
    ip = {"mode": "vnet", "addresses": ["10.23.0.41/32"]}
    with jail("eng-ctl", sysctls={"net.ipv4.ping_group_range": "33 33"}, ip=ip, caps={"profile": profile}) as it:
        assert it.output("cat", "/proc/sys/net/ipv4/ping_group_range") == "33\t33\n"
        assert it.run("python3", "-c", program, options=("--user", "www-data")).returncode == 0
        assert it.run("python3", "-c", program).returncode != 0


def test_names_are_looked_up_where_the_document_says() -> None:
    ip = {
        "mode": "vnet",
        "addresses": ["10.23.0.42/32"],
        "dns": {"servers": ["10.23.0.1", "2001:db8::1"], "search": ["example.org"], "options": ["ndots:2"]},
    }
    with jail("eng-dns", hostname="www.example.org", ip=ip) as it:
        lines = it.output("cat", "/etc/resolv.conf").splitlines()[1:]
        assert lines == [
            "nameserver 10.23.0.1",
            "nameserver 2001:db8::1",
            "search example.org",
            "options ndots:2",
        ]
        assert it.output("cat", "/etc/hostname") == "www.example.org\n"
        assert "10.23.0.42 www.example.org www\n" in it.output("cat", "/etc/hosts")


@pytest.mark.parametrize(
    "target",
    ["/etc/motd", "../../../../../../etc/motd", "/proc/1/root/etc/motd", "/run/systemd/resolve/stub-resolv.conf"],
)
def test_a_resolver_file_that_is_a_link_of_the_image_does_not_lead_out(target: str) -> None:
    ip = {"mode": "vnet", "addresses": ["10.23.0.43/32"], "dns": {"servers": ["10.23.0.1"]}}
    before = Path("/etc/motd").read_bytes() if Path("/etc/motd").exists() else None
    with jail("eng-dns", ip=ip) as it:
        it.script(f"rm -f /etc/resolv.conf /etc/hosts; ln -s {target} /etc/resolv.conf; ln -s {target} /etc/hosts")
        it.converge(state="restarted")
        assert "nameserver 10.23.0.1" in it.output("cat", "/etc/resolv.conf")
        assert it.script("test ! -L /etc/resolv.conf; cat /etc/hosts").startswith("127.0.0.1 localhost")
    assert (Path("/etc/motd").read_bytes() if Path("/etc/motd").exists() else None) == before


def test_a_jail_of_nothing_but_mounts_runs() -> None:
    shared = [("/usr", "/usr"), *((f"/usr/{name}", f"/{name}") for name in ("lib", "lib64"))]
    mounts = [
        {"source": source, "target": target, "read_only": True} for source, target in shared if os.path.isdir(source)
    ]
    root = {"source": {"empty": True}}
    with jail("eng-empty", rootfs=root, mounts=mounts, command=["/usr/bin/sleep", "100"]) as it:
        assert "usr" in it.output("/usr/bin/ls", "/").split()
        assert it.run("/usr/bin/touch", "/usr/x").returncode != 0


def test_jails_hold_their_template() -> None:
    with jail("eng-holds", state=None):
        assert "eng-holds" in (templates.describe(TEMPLATE) or {})["jails"]
        with pytest.raises(EngineError) as refusal:
            templates.remove(TEMPLATE)
        assert "eng-holds" in str(refusal.value)
