"""A machine of its own for tests, as far as systemd sees: it runs as the first process of new namespaces.

Its root is an overlay of this machine's, whose changes are in memory; it has its own /run, /dev, processes and network,
and none of the services that are installed here. Nothing that happens in it can be seen outside, but the answers that
it leaves in one folder.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

SYSTEMD = Path("/lib/systemd/systemd")

NAMESPACES = ("--mount", "--pid", "--fork", "--kill-child=KILL", "--uts", "--ipc", "--cgroup", "--net")

PROGRAM = "/opt/deepthings/bin/deepthings"
"""Where it is there, readable for all; and the Python that it runs with."""
PYTHON = "/opt/deepthings/bin/python"

BOOT = """
set -eu
mount --make-rprivate /
mount -t tmpfs -o size=400m,mode=755 tmpfs {place}
mkdir {place}/changes {place}/work {place}/root {place}/libraries {place}/code
mount --bind {libraries} {place}/libraries
mount --bind {code} {place}/code
mount -t overlay overlay -o lowerdir=/,upperdir={place}/changes,workdir={place}/work {place}/root
cd {place}/root
rm -rf run var/run etc/systemd/system/*.wants usr/lib/systemd/system/*.wants lib/systemd/system/*.wants
mkdir -p run opt/deepthings opt/libraries opt/code opt/answers
ln -s /run var/run
mount -t tmpfs -o mode=755 tmpfs run
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,ro,bind proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
mknod -m 666 dev/null c 1 3; mknod -m 666 dev/zero c 1 5; mknod -m 666 dev/urandom c 1 9; mknod -m 666 dev/random c 1 8
mkdir -m 1777 dev/shm; ln -s /proc/self/fd dev/fd; touch dev/console
mount --bind {place}/libraries opt/libraries
mount --bind {place}/code opt/code  # services do not see this machine's /tmp, where a checkout may be
mount --bind {answers} opt/answers
for folder in {closed}; do chmod a+rx ".$folder"; done
{python} -m venv --without-pip opt/deepthings
printf '/opt/libraries\\n/opt/code\\n' >"$(echo opt/deepthings/lib/python*/site-packages)/found.pth"
printf '#!/opt/deepthings/bin/python\\nfrom shared.cli import main\\nmain()\\n' >opt/deepthings/bin/deepthings
chmod 755 opt/deepthings/bin/deepthings
cat >etc/systemd/system/steps.service <<'END'
[Unit]
DefaultDependencies=no
[Service]
ExecStart={python} /opt/answers/steps.py
END
cat >etc/systemd/system/steps.target <<'END'
[Unit]
Requires=steps.service systemd-journald.service
After=systemd-journald.service
END
ip link set lo up
exec env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . {systemd} --system --unit=steps.target \\
    --log-target=journal-or-kmsg
"""

TRIAL = """
set -e
mount -t tmpfs tmpfs /mnt
mkdir /mnt/changes /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/changes,workdir=/mnt/work /mnt/root
mount -t cgroup2 cgroup2 /mnt/root/mnt
"""

STEPS = """
import json, pathlib, subprocess
here = pathlib.Path("/opt/answers")
answers = {}
for name, script in json.loads((here / "steps.json").read_text()).items():
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, cwd="/opt")
    answers[name] = [done.returncode, done.stdout, done.stderr]
    (here / "answers.json").write_text(json.dumps(answers))
subprocess.run(["systemctl", "exit", "0"])
"""


def reason_against() -> str:
    """Return why there can be no such machine here; "" when there can."""
    if os.geteuid() != 0:
        return "needs root, to mount and to start systemd"
    if not SYSTEMD.exists() or shutil.which("unshare") is None:
        return "systemd and unshare are not installed"
    tried = subprocess.run(
        ["unshare", *NAMESPACES, "sh", "-c", TRIAL], capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    return f"no overlay or control groups here: {tried.stderr.strip()}" if tried.returncode else ""


def answers_of(folder: Path, steps: dict[str, str], timeout_s: float = 200) -> dict[str, tuple[int, str, str]]:
    """Run shell scripts one after the other on a machine that has just started.

    Returns the exit code of each, and what it wrote to standard output and standard error.
    """
    place, answers = folder / "machine", folder / "answers"
    place.mkdir()
    answers.mkdir()
    (answers / "steps.json").write_text(json.dumps(steps))
    (answers / "steps.py").write_text(STEPS)
    base = Path(sys.base_prefix)
    boot = BOOT.format(
        place=place, answers=answers, code=ROOT, systemd=SYSTEMD, libraries=sysconfig.get_path("purelib"),
        python=base / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}",
        closed=" ".join(str(each) for path in (base, ROOT) for each in [*reversed(path.parents), path][1:]),
    )  # fmt: skip
    with (folder / "boot.log").open("w") as log:
        subprocess.run(
            ["timeout", "--signal=KILL", str(timeout_s), "unshare", *NAMESPACES, "sh", "-c", boot],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, check=False,
        )  # fmt: skip
    told: dict[str, Any] = json.loads((answers / "answers.json").read_text())
    return {name: (code, out, errors) for name, (code, out, errors) in told.items()}
