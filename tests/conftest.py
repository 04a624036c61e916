"""Settings for all tests: no test depends on time, and two cores are enough."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("WANDB_MODE", "offline")

from hypothesis import settings

settings.register_profile("sct", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("sct")
