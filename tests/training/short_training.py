"""Short trainings on the tiny store."""

import torch
from pytorch_lightning import Trainer

from sct.models.light_unet import LightUNet
from sct.training.augment import AugmentSettings
from sct.training.callbacks import BestAndLast, EpochTable, PatientStopping
from sct.training.datamodule import SliceDataModule
from sct.training.folds import FoldPlan
from sct.training.losses import MixLoss
from sct.training.task import SynthesisTask

AUGMENT = AugmentSettings()
WIDTHS = (4, 8, 16)
MODEL = {"_target_": "sct.models.light_unet.LightUNet", "widths": list(WIDTHS)}


def split_of(store, fold=0, seed=0, **plan):
    records = {pid: store.record(pid) for pid in store.participant_ids}
    n_slices = {pid: record.n_slices for pid, record in records.items()}
    return FoldPlan(**plan).split(n_slices, {pid: record.columns for pid, record in records.items()}, fold, seed)


def make_data(store, seed=0, batch_size=8, augment=AUGMENT, **arguments):
    return SliceDataModule(store, split_of(store), seed, batch_size, augment=augment, **arguments)


def make_task(seed=0, network=None, **arguments):
    torch.manual_seed(seed)
    network = LightUNet(WIDTHS) if network is None else network
    return SynthesisTask(network, MixLoss(), seed=seed, hyper_parameters={"model": MODEL}, **arguments)


def make_trainer(max_epochs, callbacks=(), **arguments):
    return Trainer(
        max_epochs=max_epochs,
        callbacks=list(callbacks),
        accelerator="cpu",
        logger=False,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=any(isinstance(c, BestAndLast) for c in callbacks),
        **arguments,
    )


def run_callbacks(folder, patience=5, every_s=0.0):
    return [PatientStopping(patience), EpochTable(folder / "metrics.csv"), BestAndLast(folder, every_s)]


def train(store, folder, max_epochs, seed=0, resume=False, **arguments):
    """Train and return the task; `resume` goes on from `last.ckpt` in the folder."""
    task = make_task(seed)
    data = make_data(store, seed)
    trainer = make_trainer(max_epochs, run_callbacks(folder), **arguments)
    trainer.fit(task, datamodule=data, ckpt_path=str(folder / "last.ckpt") if resume else None)
    return task
