#!/usr/bin/python
# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: jail_rootfs
short_description: Build templates and the root file systems of jails
version_added: 1.0.0
author:
  - The hosting.jails contributors (@hosting-jails)
description:
  - Builds a template once, and gives jails clones of it that take no time and next to no space. A jail can also have a
    root file system that is built for it alone.
  - A template is never changed. When its source changes, a new generation is built; each jail keeps to the generation
    that it was cloned from until it is reset, and a generation that no jail needs any more is removed.
  - A reset can keep what it replaces, so that there is a way back to exactly that, see O(keep_previous).
  - What is built appears complete or not at all, whatever happens to the build.
  - "An archive is unpacked by a process that sees nothing of the host. It is refused as a whole if an entry has an
    absolute name or climbs out with C(..), lies behind a link, is there twice, links to a file outside, is a device, or
    has an owner above 65535. Symbolic links with absolute targets are kept, as a jail resolves them in its own root,
    and the usual nodes in C(/dev) are left out, as every jail gets its own."
extends_documentation_fragment:
  - hosting.jails._attributes
  - hosting.jails._attributes.acting
  - hosting.jails._attributes.by_engine
attributes:
  idempotent:
    support: partial
    details:
      - O(state=reset) throws away the changes in a jail at each run.
      - O(state=previous) goes back once; the next time there is nothing to go back to, and it fails.
options:
  jail:
    description:
      - Name of the jail whose root file system this is.
      - Exactly one of O(jail) and O(template) must be said.
    type: str
  template:
    description:
      - Name of the template to build, a DNS label in lowercase.
      - Exactly one of O(jail) and O(template) must be said.
    type: str
  source:
    description:
      - What the root file system is made from, exactly one of its options.
      - It may be left out where it was said before, unless O(template) is to be V(present).
    type: dict
    suboptions:
      template:
        description:
          - Name of a template; the jail gets a copy-on-write clone of it.
        type: str
      archive:
        description:
          - A tar archive on the host.
        type: dict
        suboptions:
          path:
            description:
              - Absolute path of a tar archive on the host, plain or compressed by gzip, bzip2, xz or zstd.
            type: str
            required: true
          checksum:
            description:
              - V(sha256:) or V(sha512:) and the digest that the archive must have.
            type: str
      packages:
        description:
          - Packages of a distribution, installed by C(mmdebstrap) or else C(debootstrap); C({}) is a minimal system.
          - No service is started while they are installed. Package lists, logs, and what must differ between clones
            (machine-id, SSH host keys) are removed afterwards.
        type: dict
        suboptions:
          include:
            description:
              - Packages to install on top of the variant.
            type: list
            elements: str
          suite:
            description:
              - Release to install, for example V(bookworm). The default is the host's.
            type: str
          mirror:
            description:
              - Address of the package mirror. The default is the host's own package sources, with their keys, and the
                proxy that the host's C(apt) uses.
            type: str
          variant:
            description:
              - How much is installed besides O(source.packages.include), from the least to the most.
              - A jail or template that never said otherwise has V(minbase).
            type: str
            choices:
              - essential
              - apt
              - minbase
              - important
              - standard
          keyring:
            description:
              - Absolute path of the keys that sign the mirror. The default is the host's.
            type: str
      empty:
        description:
          - Nothing, for a jail that is all mounts.
        type: bool
  state:
    description:
      - What the root file system is to be.
      - V(present) is there, made from O(source). A template with another source gets a new generation; a jail with
        another source is an error, as its changes would be lost.
      - V(latest) is up to date. A template gets a new generation if its package sources have newer packages than it,
        or its archive is another. A jail on an older generation of its template is reset to the newest one.
      - Where a template would get a new generation, and O(generation) has gone back from one that is the same and that
        is still there, that becomes the current one again and nothing is built.
      - V(reset) is for a jail, made anew from O(source). Everything that was changed in it is lost.
      - V(previous) is for a jail, the root file system that it had before the last reset that was told to keep it, with
        every change that had been made in it. The one that it has now is removed.
      - V(absent) is gone. A template on which jails stand is not removed.
    type: str
    choices:
      - present
      - latest
      - reset
      - previous
      - absent
    default: present
  keep_previous:
    description:
      - Whether a jail's root file system is kept aside when O(state=latest) or O(state=reset) makes it anew, for
        O(state=previous) to bring it back. It takes the space of what was written in the jail, and holds the template's
        generation that it stands on. There is one at most; the next reset replaces or removes it, unless nothing has
        been written since the last one, as after a run that was cut short.
      - V(false) also removes one that is kept. Without this option a reset keeps nothing, and everything else leaves
        what is kept.
    type: bool
  generation:
    description:
      - The generation of O(template) that is to be the current one, from which jails are cloned and to which
        O(state=latest) brings them. It has to be there, see the C(generations) of RV(template).
      - This is the way back from a build that turned out to be bad. Newer generations stay only as long as jails stand
        on them, or as O(keep_newer) says.
    type: str
  keep_newer:
    description:
      - Whether generations that are newer than O(generation) stay though no jail stands on them, for O(state=latest) to
        take up the newest again if a build would be the same. They go when another one is built.
    type: bool
    default: false
  apply:
    description:
      - What may be done to a running jail when its root file system is to be made anew.
      - V(live) never restarts it; the reset is returned in RV(restart_required) and RV(reasons), and not done.
      - V(restart) stops it, makes the root file system anew and starts it again.
    type: str
    choices:
      - live
      - restart
    default: live
seealso:
  - module: hosting.jails.jail
"""

EXAMPLES = r"""
---
- name: A template of the host's own release with nginx
  hosting.jails.jail_rootfs:
    template: debian
    source:
      packages:
        include: [nginx-light]

- name: The same, rebuilt whenever the package sources have something newer
  hosting.jails.jail_rootfs:
    template: debian
    state: latest

- name: A template from an archive that was checked by somebody
  hosting.jails.jail_rootfs:
    template: appliance
    source:
      archive:
        path: /srv/images/appliance.tar.zst
        checksum: sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855

- name: A jail on the template
  hosting.jails.jail_rootfs:
    jail: web1
    source:
      template: debian

- name: Throw away everything that was changed in the jail
  hosting.jails.jail_rootfs:
    jail: web1
    state: reset
    apply: restart

- name: Move a jail to the newest generation, and keep the way back
  hosting.jails.jail_rootfs:
    jail: web1
    state: latest
    keep_previous: true
    apply: restart

- name: Go back to exactly what was there before
  hosting.jails.jail_rootfs:
    jail: web1
    state: previous
    apply: restart

- name: Give up the way back, and the space that it takes
  hosting.jails.jail_rootfs:
    jail: web1
    keep_previous: false

- name: Have jails cloned from an earlier build again
  hosting.jails.jail_rootfs:
    template: debian
    generation: 20261121T093000-123456

- name: Remove a template that no jail stands on
  hosting.jails.jail_rootfs:
    template: appliance
    state: absent
"""

RETURN = r"""
---
actions:
  description: What was done, or in check mode what would be done, one line a step and in that order.
  returned: success
  type: list
  elements: str
  sample: ["template.build debian: from packages nginx-light"]
template:
  description:
    - The template as it is now. In check mode with the source that it would have, and with the generation if that is
      there.
    - C(generation) is the current one of all its C(generations); C(jails) stand on one of them, or keep a root file
      system that does.
  returned: O(template) was said
  type: dict
  sample:
    name: debian
    state: present
    source: {packages: {include: [nginx-light]}}
    generation: 20261121T093000-123456
    generations: [20261114T093000-123456, 20261121T093000-123456]
    created: "2026-11-21T09:30:00Z"
    directory: /var/lib/jails/templates/debian/20261121T093000-123456/rootfs
    jails: [web1, web2]
    suite: bookworm
    packages: {nginx-light: 1.22.1-9+deb12u3}
jail:
  description: The jail as it is now. In check mode its name, its state and its document as they would be.
  returned: O(jail) was said
  type: dict
  sample:
    name: web1
    state: stopped
    document: {name: web1, rootfs: {source: {template: debian}}}
restart_required:
  description: Whether something waits for a restart of the running jail.
  returned: O(jail) was said
  type: bool
  sample: false
reasons:
  description: What needs a restart, and why.
  returned: O(jail) was said
  type: list
  elements: str
  sample: ["rootfs: a reset needs a restart"]
"""

from ..module_utils._engine.module import run_module
from ..module_utils._engine.tasks.rootfs import manage


def main() -> None:
    """Entry point of the module."""
    run_module("jail_rootfs", manage)


if __name__ == "__main__":
    main()
