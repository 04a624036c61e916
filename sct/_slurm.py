"""`launcher=slurm`: whether there is a SLURM to send jobs to."""

import shutil
import subprocess

from sct.core.errors import SctError

__all__ = ["check_slurm"]

_INSTEAD = "start from a login node of the cluster, or take launcher=serial or launcher=local_gpus"


def check_slurm() -> None:
    """Ask SLURM for an answer before any job is made.

    Raises:
        SctError: Its commands are not on this machine, or its controller does not answer.
    """
    absent = [name for name in ("sbatch", "srun", "sinfo") if shutil.which(name) is None]
    if absent:
        raise SctError(f"launcher=slurm: there is no {absent[0]} on this machine; {_INSTEAD}")
    answer = subprocess.run(["sinfo", "--noheader"], capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        reason = (answer.stderr.strip().splitlines() or [f"sinfo ended with code {answer.returncode}"])[-1]
        raise SctError(f"launcher=slurm: SLURM does not answer ({reason}); {_INSTEAD}")
