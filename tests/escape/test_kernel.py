# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Root in a jail and the kernel: calls that belong to the host (E26, E48-E51, E54, E55, E71-E73)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from .prisoners import Outside, Prisoner


def test_root_in_a_jail_cannot_load_bpf(filtered: Prisoner) -> None:
    filtered.refuses("load_bpf")


def test_root_in_a_jail_cannot_count_performance_events(filtered: Prisoner) -> None:
    filtered.refuses("count_performance_events")


def test_root_in_a_jail_cannot_handle_page_faults(filtered: Prisoner) -> None:
    filtered.refuses("handle_page_faults")


def test_root_in_a_jail_cannot_use_io_uring(filtered: Prisoner) -> None:
    filtered.refuses("use_io_uring")


def test_root_in_a_jail_cannot_watch_whole_file_systems(any_jail: Prisoner) -> None:
    any_jail.refuses("watch_whole_file_systems")


def test_root_in_a_jail_cannot_load_modules(any_jail: Prisoner) -> None:
    any_jail.refuses("load_modules")


def test_root_in_a_jail_cannot_load_another_kernel(any_jail: Prisoner) -> None:
    any_jail.refuses("load_another_kernel")


def test_root_in_a_jail_cannot_switch_swap_or_accounting(any_jail: Prisoner) -> None:
    any_jail.refuses("switch_swap")
    any_jail.refuses("switch_accounting")


def test_root_in_a_jail_cannot_touch_quotas(filtered: Prisoner) -> None:
    filtered.refuses("steer_quotas")


def test_root_in_a_jail_cannot_set_clocks(any_jail: Prisoner) -> None:
    any_jail.refuses("set_the_clock")
    any_jail.refuses("slew_the_clock")
    any_jail.refuses("wake_the_machine")


def test_root_in_a_jail_cannot_reach_the_processors_ports(any_jail: Prisoner) -> None:
    any_jail.refuses("reach_the_ports")


def test_root_in_a_jail_cannot_read_the_kernels_log(any_jail: Prisoner) -> None:
    any_jail.refuses("read_the_kernels_log")


def test_root_in_a_jail_cannot_hang_up_terminals(filtered: Prisoner) -> None:
    filtered.refuses("hang_up_terminals")


def test_root_in_a_jail_gets_no_capability_that_it_was_not_given(any_jail: Prisoner) -> None:
    any_jail.refuses("regain_capabilities")
    any_jail.refuses("pass_capabilities_on")


def test_root_in_a_jail_cannot_map_where_null_pointers_point(any_jail: Prisoner) -> None:
    any_jail.refuses("map_address_zero")


def test_calls_that_no_program_needs_are_not_there(filtered: Prisoner) -> None:
    filtered.refuses("use_obsolete_calls")


def test_root_in_a_jail_cannot_get_around_the_filter_by_another_architecture(filtered: Prisoner) -> None:
    filtered.refuses("call_as_i386")
    filtered.refuses("call_as_x32")


def test_root_in_an_app_jail_cannot_reboot(app: Prisoner, weak: Prisoner) -> None:
    for jail in (app, weak):
        jail.refuses("reboot")


def test_a_reboot_in_a_system_jail_ends_the_jail_and_nothing_else(outside: Outside) -> None:
    before = _boot_time()
    with outside.prisoner("reboot", caps={"profile": "vps"}, ip={"mode": "none"}) as rebooting:
        rebooting.run("python3", "-c", "import ctypes; ctypes.CDLL(None).reboot(0x01234567)")
        from ansible_collections.hosting.jails.tests.integration import jails

        jails.wait_until(lambda: rebooting.state in ("stopped", "failed"), what="the jail to have ended")
    assert abs(_boot_time() - before) < 5


def _boot_time() -> float:
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


def test_root_in_an_app_jail_cannot_make_namespaces(app: Prisoner) -> None:
    app.refuses("make_a_user_namespace")
    app.refuses("make_namespaces")


def test_root_in_an_app_jail_cannot_rename_it(app: Prisoner) -> None:
    app.refuses("rename_the_jail")


def test_a_system_jail_renames_only_itself(system: Prisoner) -> None:
    before = Path("/proc/sys/kernel/hostname").read_text()
    rename = "import socket, sys; socket.sethostname(sys.argv[1])"
    system.output("python3", "-c", rename, "renamed")
    assert system.output("cat", "/proc/sys/kernel/hostname") == "renamed\n"
    assert Path("/proc/sys/kernel/hostname").read_text() == before
    system.output("python3", "-c", rename, system.name)


def test_root_in_an_app_jail_cannot_turn_address_randomisation_off(app: Prisoner) -> None:
    app.refuses("turn_randomisation_off")


def test_root_in_an_app_jail_cannot_compare_kernel_objects(app: Prisoner) -> None:
    app.refuses("compare_kernel_objects")


def test_a_jail_does_not_see_the_hosts_uptime(any_jail: Prisoner) -> None:
    any_jail.refuses("see_the_hosts_uptime")


def test_families_of_sockets_load_no_module(app: Prisoner, system: Prisoner) -> None:
    modules = Path("/proc/modules")
    if not modules.exists():
        pytest.skip("this kernel has no modules (CONFIG_MODULES)")
    before = _names(modules)
    for jail in (app, system):
        jail.probe("use_exotic_families", "use_exotic_protocols", "mount_what_belongs_to_the_host")
    assert _names(modules) == before


def _names(modules: Path) -> set[str]:
    return {line.split()[0] for line in modules.read_text().splitlines()}


def test_programs_in_a_jail_can_still_sandbox_themselves(any_jail: Prisoner) -> None:
    any_jail.allows("stack_landlock")
    any_jail.allows("stack_a_filter")


def test_an_engine_in_an_app_jail_starts_no_jail(outside: Outside) -> None:
    """It fails as any program without the right to make namespaces: with a sentence, not with a traceback."""
    from ansible_collections.hosting.jails.plugins.module_utils._engine import install

    engine = {"source": install.PREFIX, "target": install.PREFIX, "read_only": True}
    with outside.prisoner("nested", ip={"mode": "none"}, mounts=[engine]) as nested:
        nested.script('mkdir -p /etc/jails; echo \'{"name": "inner", "rootfs": {}}\' > /etc/jails/inner.json')
        done = nested.run(*install.ensure_engine(), "start", "inner")
        assert done.returncode == 1, done
        assert "Traceback" not in done.stderr
