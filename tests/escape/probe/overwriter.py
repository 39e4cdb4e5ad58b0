# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a jail runs as its own "interpreter": tries to overwrite the program that it is (CVE-2019-5736).

Given as text to whatever program /proc/self/exe turned out to be. Prints what it runs on and what it could open.
"""

from __future__ import annotations

import json
import os

found = []


def attempt(name: str, action) -> None:
    try:
        action()
        found.append(name)
    except OSError:
        pass


exe = os.open("/proc/self/exe", os.O_PATH)
again = f"/proc/self/fd/{exe}"
if os.fork():
    # The child is left alone with the file: nobody runs it any more, as far as the attacker can bring that about.
    os.wait()
else:
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_APPEND):
        attempt(f"open {flags}", lambda flags=flags: os.open("/proc/self/exe", flags))
        attempt(f"open again {flags}", lambda flags=flags: os.open(again, flags))
    attempt("chmod", lambda: os.chmod(again, 0o777))
    attempt("chown", lambda: os.chown(again, 0, 0))
    attempt("truncate", lambda: os.truncate(again, os.stat(again).st_size))
    inside = os.stat("/proc/self/exe").st_dev == os.stat("/").st_dev
    print(json.dumps({"got": found, "foreign": not inside}), flush=True)
    os._exit(0)
