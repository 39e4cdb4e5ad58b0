# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""nft is asked in JSON and answers in JSON; what it refuses, it does not do in part."""

from __future__ import annotations

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._kernel import namespaces, nftables
from ansible_collections.hosting.jails.plugins.module_utils._kernel.errors import KernelError

pytestmark = pytest.mark.usefixtures("private_state")

TABLE = {"family": "inet", "name": "claims"}
SET = {"family": "inet", "table": "claims", "name": "known", "type": "ipv4_addr"}


@pytest.fixture(autouse=True)
def private_host(private_state: None) -> None:
    namespaces.unshare(namespaces.NEWNET)


def test_a_table_that_is_not_there_is_none() -> None:
    assert not nftables.has_table("claims")
    assert nftables.read_table("claims") is None


def test_what_is_added_is_read_again() -> None:
    nftables.apply([{"add": {"table": TABLE}}, {"add": {"set": {**SET, "elem": ["192.0.2.1"]}}}], target="claims")
    assert nftables.has_table("claims")
    (found,) = [entry["set"] for entry in nftables.read_table("claims") or () if "set" in entry]
    assert (found["name"], found["elem"]) == ("known", ["192.0.2.1"])


def test_a_table_of_another_family_is_another_table() -> None:
    nftables.apply([{"add": {"table": {**TABLE, "family": "ip"}}}], target="claims")
    assert not nftables.has_table("claims")


def test_all_of_a_transaction_is_done_or_nothing() -> None:
    wrong = {"add": {"element": {"family": "inet", "table": "claims", "name": "unknown", "elem": ["192.0.2.1"]}}}
    with pytest.raises(nftables.Refused, match="^change claims: nft says: .*No such file or directory"):
        nftables.apply([{"add": {"table": TABLE}}, wrong], target="claims")
    assert not nftables.has_table("claims")


def test_without_nft_it_is_said_that_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nftables, "_DIRECTORIES", ("/nowhere",))
    assert not nftables.is_available()
    with pytest.raises(KernelError, match="change claims: ENOPKG"):
        nftables.apply([{"add": {"table": TABLE}}], target="claims")
    assert nftables.read_table("claims") is None, "no process is needed to know that there is none"
