# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

TEXT = """usage: jailctl COMMAND [OPTION...] [NAME...]

  list [NAME...]           jails of this host, a row each
  status [NAME...]         the same, with why a jail has failed
  stat [NAME...]           what each jail uses: processes, memory, processor time, disk, network
  top [NAME...]            what they use now, again and again, those first that use most; q ends it
       --once              only once
       --interval SECONDS  how often, 2 by default
  ps [NAME...]             processes of jails: their numbers and users outside and inside
       --pid PID           only this process of the host, and which jail it is in
       --privileges        what each may do, and where that is not what its jail's document says
  start NAME...            start jails, those that they depend on first
  stop NAME...             stop jails
  restart NAME...          stop and start jails
  freeze NAME...           hold all processes of jails still
  thaw NAME...             let frozen jails go on
  exec [OPTION...] NAME -- COMMAND...
                           run a command in a jail; exits as the command does
       --user USER         as this user (a name or number of the jail's)
       --workdir DIRECTORY in this directory
       --env NAME=VALUE    with this variable
       --tty               on a terminal of its own
       --stopped           also while the jail does not run: alone with its root file system, without network; nobody
                           can start the jail meanwhile
       --report WORD       print WORD and its status as the last line of the error output, and exit with 0
  enter NAME               a login shell in a jail
  learn [--time SECONDS] [--json] NAME [-- COMMAND...]
                           find the smallest privileges under which a jail works, and print them as YAML; it is started
                           several times for that, and at last as before
       --time SECONDS      watch it so long (30), or try for so long until COMMAND, run in it, succeeds (10)
  logs [-f|--follow] NAME  what a jail's command has printed, and with --follow what it is to print
  verify NAME...           attack running jails from inside, and compare with what their documents say
       --only ATTACK,...   only these attacks
       --junit FILE        the results as JUnit XML in a file as well
       --list              the attacks that there are
  boot                     start the jails that are to be started at boot
  shutdown                 stop all jails, those that others depend on last
  chbind --ip ADDRESS [--ip ADDRESS...] COMMAND...
                           run a command of the host with these of its addresses and no others; also called chbind
  chcontext [--ctx NUMBER] [--secure] [--cap [!]NAME]... [--disconnect] COMMAND...
                           run a command of the host in a context, where it sees only the processes of that context;
                           also called chcontext
  reducecap [--secure] [--cap [!]NAME]... [--show [--pid PID]] [COMMAND...]
                           run a command of the host below a ceiling of capabilities; also called reducecap
  jls, jexec               as on FreeBSD; also called so; each has a --help
  vserver, vserver-stat    as on Linux-VServer; likewise
  supervisor [--stay]      watch the jails of this host, in the foreground

COMMAND --help tells about that one. --json gives list, status, stat, top, ps, verify and learn as JSON. Exit status: 0,
1 for an error, 2 for a wrong call. verify exits with 1 if an attack did not come to what the document says. exec,
enter, chbind, chcontext and reducecap exit as the command does, with 125 if there was none to run."""


class UsageError(Exception):
    """The command line is not one of ours."""


def of(command: str) -> str:
    """What the text says of one command; nothing where that is none."""
    lines, chosen = [], False
    for line in TEXT.partition("\n\n")[2].splitlines():
        if not line.startswith("   "):
            chosen = line.split()[:1] == [command]
        lines += [line] if chosen else []
    return "\n".join(lines)
