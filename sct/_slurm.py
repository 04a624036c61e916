"""`launcher=slurm`: whether there is a SLURM to send jobs to, and when those sent have ended."""

import shutil
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from sct.core.errors import SctError

if TYPE_CHECKING:
    from omegaconf import DictConfig

__all__ = ["check_slurm", "submitted", "wait_for"]

_POLL_S = 10.0
_INSTEAD = "start from a login node of the cluster, or take launcher=serial or launcher=local_gpus"


def check_slurm() -> None:
    """Ask SLURM for an answer before any job is made.

    Raises:
        SctError: Its commands are not on this machine, or its controller does not answer.
    """
    absent = [name for name in ("sbatch", "srun", "sinfo", "squeue") if shutil.which(name) is None]
    if absent:
        raise SctError(f"launcher=slurm: there is no {absent[0]} on this machine; {_INSTEAD}")
    answer = subprocess.run(["sinfo", "--noheader"], capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        reason = (answer.stderr.strip().splitlines() or [f"sinfo ended with code {answer.returncode}"])[-1]
        raise SctError(f"launcher=slurm: SLURM does not answer ({reason}); {_INSTEAD}")


def submitted(config: "DictConfig") -> set[str]:
    """SLURM's numbers of the job arrays that the folders of sweeps know of, from any call of any sweep.

    Args:
        config: The configuration with Hydra's node.
    """
    folders = [*Path(config.runs).glob("*/*/.sweep/.submitit"), Path(config.hydra.launcher.submitit_folder).parent]
    names = [path.name.partition("_")[0] for folder in folders if folder.is_dir() for path in folder.iterdir()]
    return {name for name in names if name.isdigit()}


def wait_for(arrays: Collection[str]) -> None:
    """Wait until none of the arrays' jobs waits or runs.

    submitit's launcher gives up at the first job that ends in an error, while the others still run.
    """
    told = False
    while arrays and _queued(arrays):
        if not told:
            print("a job ended in an error; waiting for the others (Ctrl-C leaves them to SLURM)", file=sys.stderr)
            told = True
        time.sleep(_POLL_S)


def _queued(arrays: Collection[str]) -> bool:
    """Whether SLURM has a job of the arrays; one that it has forgotten has ended, and no answer tells nothing."""
    for array in arrays:
        answer = subprocess.run(["squeue", "--noheader", "--jobs", array], capture_output=True, text=True, check=False)
        forgotten = answer.returncode != 0 and "Invalid job id" in answer.stderr
        if not forgotten and (answer.returncode != 0 or answer.stdout.strip()):
            return True
    return False
