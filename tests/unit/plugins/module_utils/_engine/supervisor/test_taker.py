# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import array
import os
import select
import signal
import socket
import struct

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.supervisor import taker


@pytest.fixture
def ends():
    sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with sender, receiver:
        yield sender, receiver


def lingering():
    """A descriptor whose last holder waits for an hour when he closes it: of a connection that nobody reads from."""
    listener = socket.create_server(("127.0.0.1", 0))
    connection = socket.create_connection(listener.getsockname())
    peer = listener.accept()[0]
    connection.setblocking(False)
    while select.select([], [connection], [], 0.2)[1]:
        connection.send(bytes(65536))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3600))
    return connection.detach(), (listener, peer)


def send_along(sender, fd):
    sender.sendmsg([b"hello"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])


def test_a_message_comes_through_without_what_came_with_it(ends):
    sender, receiver = ends
    taking = taker.Taker(receiver, 8192)
    with open(os.devnull) as file:
        send_along(sender, file.fileno())
    assert select.select([taking.passed_on], [], [], 30.0)[0]
    data, ancillary, _flags, _address = taking.passed_on.recvmsg(8192, 1024)
    assert (data, ancillary) == (b"hello", [])
    taking.close()
    assert os.waitstatus_to_exitcode(os.waitpid(taking.pid, 0)[1]) == -signal.SIGKILL


def test_who_takes_a_message_waits_alone_for_what_came_with_it_and_can_be_ended(ends):
    sender, receiver = ends
    taking = taker.Taker(receiver, 8192)
    os.kill(taking.pid, signal.SIGSTOP)
    fd, connection = lingering()
    send_along(sender, fd)
    os.close(fd)
    os.kill(taking.pid, signal.SIGCONT)
    with pytest.raises(BlockingIOError):
        taking.passed_on.recv(8192)
    taking.close()
    assert os.waitstatus_to_exitcode(os.waitpid(taking.pid, 0)[1]) == -signal.SIGKILL
    for end in connection:
        end.close()


def test_a_kernel_that_can_refuses_descriptors_to_their_sender(ends):
    sender, receiver = ends
    if not taker.refuses_descriptors(receiver):
        pytest.skip("this kernel cannot (SO_PASSRIGHTS, Linux 6.16)")
    with open(os.devnull) as file, pytest.raises(PermissionError):
        send_along(sender, file.fileno())
    sender.send(b"hello")
    assert receiver.recv(8192) == b"hello"
