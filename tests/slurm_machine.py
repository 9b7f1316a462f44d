"""A Slurm of two nodes on this machine: `python tests/slurm_machine.py up`, and `down`.

For Debian, as root. `up` installs Slurm's packages where they are not there, and starts munge, a
controller and two nodes on loopback, without systemd, cgroups and accounting. `down` ends what
`up` started, removes what it wrote and installed, and fails where any process is left. Slurm's
clients go too: where they find no controller, each start of a Snakemake with the plugin waits 10 s.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

PLACE = Path("/var/tmp/plumbline-slurm")
#: The only place where jobs find it: the plugin takes SLURM_CONF out of their environment.
SETTINGS = Path("/etc/slurm")
FILES = ("slurm.conf", "gres.conf", "cgroup.conf")
PACKAGES = ("slurm-wlm", "munge")
DAEMONS = ("munged", "slurmctld", "slurmd", "slurmstepd")
NODES = ("n1", "n2")
#: Of the controller; each node has the next one.
PORT = 17000
#: What `up` writes into slurm.conf, to tell its own from another.
MARK = "ClusterName=plumbline-test"

CONTROLLER = f"""{MARK}
SlurmctldHost={{host}}(127.0.0.1)
SlurmctldPort={PORT}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={PLACE}/munge.socket,cred_expire=5
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
ReturnToService=2
MinJobAge=3600
SlurmdTimeout=10
KillWait=5
InactiveLimit=0
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=5
StateSaveLocation={PLACE}/state
SlurmctldPidFile={PLACE}/slurmctld.pid
SlurmctldLogFile={PLACE}/slurmctld.log
SlurmdSpoolDir={PLACE}/spool.%n
SlurmdPidFile={PLACE}/slurmd.%n.pid
SlurmdLogFile={PLACE}/slurmd.%n.log
GresTypes=gpu
"""
NODE = "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory=8000"


def up() -> None:
    """From a machine with or without Slurm's packages to two idle nodes."""
    if os.getuid() != 0:
        sys.exit("this starts a Slurm of its own and has to be root")
    refuse_another()
    (PLACE / "state").mkdir(parents=True)
    (PLACE / "installed.json").write_text(json.dumps(install()))
    try:
        configure()
        start()
        wait_for_nodes()
    except BaseException:
        down()
        raise


def refuse_another() -> None:
    """Stop where there is a Slurm that is not ours: its configuration would be overwritten."""
    conf = SETTINGS / "slurm.conf"
    if conf.is_file() and MARK not in conf.read_text():
        sys.exit(f"{conf} is of another Slurm; run this where there is none")
    if PLACE.is_dir():
        sys.exit(f"{PLACE} is there; `python tests/slurm_machine.py down` ends that")
    if running := ours():
        sys.exit(f"{running} run already: stop them, or run this elsewhere")


def run(*command: object) -> str:
    """What a command prints; CalledProcessError where it fails."""
    words = [str(word) for word in command]
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(words, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def installed() -> set[str]:
    """Names of the packages that are installed, and of those of which settings are left."""
    return set(run("dpkg-query", "--show", "--showformat=${binary:Package}\n").split())


def install() -> list[str]:
    """Install Slurm unless it is there; the packages that this added."""
    if shutil.which("slurmctld") and shutil.which("munged"):
        return []
    before = installed()
    run("apt-get", "update", "-qq")
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES)
    return sorted(installed() - before)


def configure() -> None:
    """Write the configuration; each node has two GPUs, which are empty files."""
    host = socket.gethostname().split(".")[0]
    nodes = [
        NODE.format(name=name, host=host, port=PORT + number) + " Gres=gpu:2 State=UNKNOWN"
        for number, name in enumerate(NODES, start=1)
    ]
    partition = "PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP"
    text = CONTROLLER.format(host=host) + "\n".join([*nodes, partition, ""])
    SETTINGS.mkdir(exist_ok=True)
    (SETTINGS / "slurm.conf").write_text(text)
    gpus = [f"NodeName={name} Name=gpu File={PLACE}/gpu.{name}.[0-1]\n" for name in NODES]
    (SETTINGS / "gres.conf").write_text("".join(gpus))
    # Debian's 22.05 refuses "disabled", and uses no cgroup with the plugins above.
    (SETTINGS / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
    for name in NODES:
        for number in range(2):
            (PLACE / f"gpu.{name}.{number}").touch()
        (PLACE / f"spool.{name}").mkdir()
    key = PLACE / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)


def start() -> None:
    """Start munge, the controller and the nodes."""
    run(
        "munged",
        f"--key-file={PLACE}/munge.key",
        f"--socket={PLACE}/munge.socket",
        f"--pid-file={PLACE}/munged.pid",
        f"--log-file={PLACE}/munged.log",
        f"--seed-file={PLACE}/munged.seed",
    )
    run("slurmctld", "-c")
    for name in NODES:
        start_node(name)


def start_node(name: str) -> None:
    """Start a node's daemon."""
    run("slurmd", "-N", name)


def pid(daemon: str) -> int:
    """The process of a daemon: munged, slurmctld, slurmd.n1 or slurmd.n2."""
    return int((PLACE / f"{daemon}.pid").read_text())


def states() -> dict[str, str]:
    """Node -> what the controller says of it."""
    return dict(line.split() for line in run("sinfo", "-h", "-N", "-o", "%N %T").splitlines())


def wait_for_nodes(seconds: float = 30) -> None:
    """Wait until all nodes are idle; TimeoutError after so many seconds."""
    deadline = time.monotonic() + seconds
    while states() != dict.fromkeys(NODES, "idle"):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nodes are {states()}; see {PLACE}/*.log")
        time.sleep(0.2)


def down() -> None:
    """End what `up` started, remove what it wrote and installed; exit 1 where a process is left."""
    if not PLACE.is_dir():
        sys.exit(f"no {PLACE}: nothing of ours is up")
    for process in ours():
        end(process)
    for name in FILES:
        (SETTINGS / name).unlink(missing_ok=True)
    packages = json.loads((PLACE / "installed.json").read_text())
    shutil.rmtree(PLACE)
    if packages:
        run("apt-get", "purge", "-y", "-qq", *packages)
    if left := [*ours(), *(installed() & set(packages))]:
        sys.exit(f"left behind: {left}")
    print(f"Slurm is down, no process is left, {len(packages)} packages are removed")


def ours() -> list[psutil.Process]:
    """Daemons, which `up` found none of, and what works in a folder of the tests, jobs first."""
    found = list(psutil.process_iter(["name", "status"]))
    alive = [each for each in found if each.info["status"] != psutil.STATUS_ZOMBIE]
    jobs = [each for each in alive if works_here(each)]
    return jobs + [each for each in alive if each.info["name"] in DAEMONS]


def works_here(process: psutil.Process) -> bool:
    """Whether a process's working folder is the tests' or was, before it was removed."""
    try:
        return Path(process.cwd()).is_relative_to(PLACE)
    except psutil.Error:  # it has ended, or is the system's own
        return False


def end(process: psutil.Process) -> None:
    """Terminate a process, or kill it."""
    with suppress(psutil.NoSuchProcess):
        process.terminate()
        try:
            process.wait(5)
        except psutil.TimeoutExpired:
            process.kill()


if __name__ == "__main__":
    {"up": up, "down": down}[sys.argv[1]]()
