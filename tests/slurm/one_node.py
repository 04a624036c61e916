"""A SLURM of one node, started from Debian's packages and ended again, with everything in one folder."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["OneNodeSlurm"]

_CONTROLLER_PORT, _NODE_PORT = 26817, 26818
_PACKAGES = ("slurm-wlm", "munge")
_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol")


class OneNodeSlurm:
    """Controller and node on this machine, with two pretend GPUs; needs root.

    Args:
        folder: Where configuration, state and logs go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = subprocess.check_output(["hostname", "-s"], text=True).strip()
        self.environment = {
            **os.environ,
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }

    def start(self) -> None:
        """Install what is missing, write the configuration, start the daemons and wait until the node is idle."""
        if not all(shutil.which(program) for program in _PROGRAMS):
            quiet = {"check": True, "stdout": subprocess.DEVNULL}
            subprocess.run(["apt-get", "update", "-qq"], **quiet)
            noninteractive = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *_PACKAGES]
            subprocess.run(install, env=noninteractive, **quiet)
        for name in ("state", "spool", "log", "run", "dev", "bin"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        devices = [self.folder / "dev" / f"gpu{i}" for i in range(2)]
        for device in devices:
            os.mknod(device, 0o20666, os.makedev(1, 3))  # as good as /dev/null: SLURM only wants a device to be there
        (self.folder / "slurm.conf").write_text(self._configuration())
        (self.folder / "gres.conf").write_text(
            "".join(f"NodeName={self.name} Name=gpu File={device}\n" for device in devices)
        )
        self._write_sacct()
        munge = ["--key-file=munge.key", "--socket=munge.sock", "--pid-file=run/munged.pid"]
        munge += ["--log-file=log/munged.log", "--seed-file=munge.seed"]
        self._run("munged", "--force", *[_absolute(word, self.folder) for word in munge])
        self._run("slurmctld", "-f", str(self.folder / "slurm.conf"))
        self._run("slurmd", "-f", str(self.folder / "slurm.conf"), "-N", self.name)
        for _ in range(300):
            if self._output("sinfo", "-h", "-o", "%t").strip() == "idle":
                return
            time.sleep(0.1)
        log = (self.folder / "log" / "slurmctld.log").read_text()[-2000:]
        raise RuntimeError(f"the node did not become idle:\n{log}")

    def stop(self) -> None:
        """End the daemons that were started here."""
        self._output("scancel", "-u", "root")
        for name in ("slurmd", "slurmctld", "munged"):
            try:
                pid = int((self.folder / "run" / f"{name}.pid").read_text())
                os.kill(pid, signal.SIGTERM)
            except (FileNotFoundError, ValueError, ProcessLookupError):
                continue
            for _ in range(100):
                if not Path(f"/proc/{pid}").exists():
                    break
                time.sleep(0.1)

    def jobs(self) -> dict[str, dict[str, str]]:
        """What the controller tells of each job of an array that it still knows, by `array_task` number."""
        found = {}
        for line in self._output("scontrol", "-o", "show", "job").splitlines():
            fields = dict(word.split("=", 1) for word in line.split() if "=" in word)
            task = fields.get("ArrayTaskId", "")
            if task.isdigit():
                found[f"{fields['ArrayJobId']}_{task}"] = fields
        return found

    def unfinished(self) -> str:
        """A line for each job that waits or runs."""
        return self._output("squeue", "-h", "-t", "PENDING,RUNNING,SUSPENDED,REQUEUED", "-o", "%i %T")

    def limit(self, job: str, minutes: int) -> None:
        """Set a job's time limit, counted from its start."""
        self._run("scontrol", "update", f"JobId={job}", f"TimeLimit={minutes}")

    def _configuration(self) -> str:
        memory_mb = int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**20 * 0.9)
        values = {
            "ClusterName": "one",
            "SlurmctldHost": f"{self.name}(127.0.0.1)",
            "SlurmUser": "root",
            "SlurmctldPort": _CONTROLLER_PORT,
            "SlurmdPort": _NODE_PORT,
            "AuthType": "auth/munge",
            "AuthInfo": f"socket={self.folder / 'munge.sock'}",
            "CryptoType": "crypto/munge",
            "MpiDefault": "none",
            "ProctrackType": "proctrack/linuxproc",
            "TaskPlugin": "task/affinity",
            "SelectType": "select/cons_tres",
            "SelectTypeParameters": "CR_Core",
            "SchedulerType": "sched/backfill",
            "SchedulerParameters": "sched_interval=1,bf_interval=1,batch_sched_delay=0",
            "ReturnToService": 2,
            "SwitchType": "switch/none",
            "StateSaveLocation": self.folder / "state",
            "SlurmdSpoolDir": self.folder / "spool",
            "SlurmctldPidFile": self.folder / "run" / "slurmctld.pid",
            "SlurmdPidFile": self.folder / "run" / "slurmd.pid",
            "SlurmctldLogFile": self.folder / "log" / "slurmctld.log",
            "SlurmdLogFile": self.folder / "log" / "slurmd.log",
            "AccountingStorageType": "accounting_storage/none",
            "JobRequeue": 1,
            "KillWait": 5,
            "MinJobAge": 3600,  # finished jobs stay known, since our sacct asks the controller
            "GresTypes": "gpu",
        }
        lines = [f"{key}={value}" for key, value in values.items()]
        node = f"NodeAddr=127.0.0.1 CPUs={os.cpu_count()} RealMemory={memory_mb} Gres=gpu:2 State=UNKNOWN"
        lines.append(f"NodeName={self.name} {node}")
        lines.append(f"PartitionName=debug Nodes={self.name} Default=YES MaxTime=INFINITE State=UP")
        return "\n".join(lines) + "\n"

    def _write_sacct(self) -> None:
        """submitit asks `sacct`, which needs a database; the controller knows the same of recent jobs."""
        path = self.folder / "bin" / "sacct"
        path.write_text(f"#!{sys.executable}\n" + (Path(__file__).parent / "sacct.py").read_text())
        path.chmod(0o755)

    def _run(self, *command: str) -> None:
        subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True)

    def _output(self, *command: str) -> str:
        return subprocess.run(command, env=self.environment, check=False, capture_output=True, text=True).stdout


def _absolute(word: str, folder: Path) -> str:
    option, _, name = word.partition("=")
    return f"{option}={folder / name}"
