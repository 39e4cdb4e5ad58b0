# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The catalogue of attacks as a program: it tries them from where it stands, and prints the outcomes as JSON.

    echo '{"attacks": ["mount_memory"], "facts": {}}' | python3 /probe

No names means all. The request comes on standard input because an argument would be seen by the attacks that look
for names in command lines.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile

from engine import ATTACKS, Attack, Outcome, try_it


def main() -> None:
    request = json.load(sys.stdin)
    names = request["attacks"] or list(ATTACKS)
    scratch = tempfile.mkdtemp(prefix="escape-", dir="/dev/shm")
    os.chmod(scratch, 0o777)
    foreign = f"{scratch}/foreign"
    open(foreign, "w").close()
    os.chmod(foreign, 0)
    facts = {"scratch": scratch, "places": [scratch], "foreign_file": foreign, **request["facts"]}
    try:
        print(json.dumps({name: _in_a_child(ATTACKS[name], facts) for name in names}, default=str))
    finally:
        shutil.rmtree(scratch)


def _in_a_child(tried: Attack, facts: dict) -> Outcome:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        os.setsid()
        os.write(writer, json.dumps(try_it(tried, facts), default=str).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    return Outcome(*json.loads(answer or '[null, "no end: it died"]'))


main()
