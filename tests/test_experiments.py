"""Generalizability: run, ledger and summarize with the same words, each condition on the right participants."""

import csv
import json
from pathlib import Path

import pytest
from doors import TINY, TINY_TRAINING, Doors

from sct._sweep import plan_cells
from sct.core.figures import figures
from sct.core.sums import SumsTable

WORDS = [
    *TINY, *TINY_TRAINING, "experiment=hospital", "data.n_folds=2", "seed=0", "trainer.max_epochs=1", "examples=0"
]  # fmt: skip


def people(folder: Path) -> tuple[set[str], set[str]]:
    """Participants that a cell learns from, and those it is tested on."""
    split = json.loads((folder / "split.json").read_text())
    return set(split["train"]) | set(split["val"]), set(split["test"])


def test_run_ledger_and_summarize_agree(tiny: Doors) -> None:
    answer = tiny("run", *WORDS)
    assert answer.code == 0, answer.err
    ledger = tiny("ledger", *WORDS)
    assert ledger.code == 0
    assert ledger.out.splitlines()[-1].split() == ["all", "10", "0", "0", "0"]
    summary = tiny("summarize", *WORDS)
    assert summary.code == 0, summary.err
    for value in ("1", "2"):
        for condition in ("baseline", "separate", "augmented"):
            assert f"| institution = {value} | {condition} |" in summary.out
    assert (tiny.folder / "runs/phantom/hospital/summary/report.html").exists()
    cells = len(list((tiny.folder / "runs").rglob("fold-*/metrics.json")))
    assert cells == 2 * (2 + 1 + 2)


def test_conditions_learn_from_and_test_whom_they_say(tiny: Doors) -> None:
    answer = tiny("run", *WORDS, "experiment.value=1")
    assert answer.code == 0, answer.err
    table = csv.DictReader((tiny.folder / "data/phantom/cohort/participants.tsv").open(), delimiter="\t")
    inside = {row["participant_id"] for row in table if row["institution"] == "1"}
    outside = {"sub-01", "sub-02", "sub-03", "sub-04"} - inside

    def folder(condition: str, fold: int) -> Path:
        return tiny.folder / f"runs/phantom/institution-1-{condition}/light_unet/mae/seed-0/fold-{fold}"

    assert people(folder("separate", 0)) == (outside, inside)
    for fold in (0, 1):
        learn, test = people(folder("baseline", fold))
        assert (learn | test, learn & test) == (inside, set())
        assert people(folder("augmented", fold)) == (learn | outside, test)
    seed = json.loads((folder("separate", 0).parent / "metrics.json").read_text())
    alone = figures(SumsTable.read_csv(folder("separate", 0) / "sums.csv").pooled())
    assert seed["mae_hu"] == alone["mae_hu"]
    assert seed["n_participants"] == len(inside)
    assert {path.name for path in folder("separate", 0).parent.glob("fold-*")} == {"fold-0"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["data.n_folds=3"], "2 participants have this institution, too few for data.n_folds=3"),
        (["experiment.value=3"], "nobody has this institution; there are 1, 2"),
        (["experiment.value=3", "experiment.condition=separate"], "nobody has this institution; there are 1, 2"),
        (["experiment.column=hopsital"], "experiment.column=hopsital: not in participants.tsv"),
        (["experiment.condition=apart"], "apart"),
        (["experiment=hospital,vendor"], "two experiments at once"),
        (["-m", "experiment=hospital,vendor"], "two experiments at once"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_trained(tiny: Doors, words: list[str], told: str) -> None:
    answer = tiny("run", *[word for word in WORDS if not word.startswith(words[-1].partition("=")[0])], *words)
    assert told in answer.error
    assert not list((tiny.folder / "runs").rglob("metrics.csv"))


def test_who_has_no_value_is_nobody_to_train_on(doors: Doors) -> None:
    rows = [f"p{k}\t{'M' if k < 5 else ''}" for k in range(8)]
    for row in rows:
        folder = doors.folder / "clinic" / row.partition("\t")[0]
        folder.mkdir(parents=True)
        for name in ("mr.nii.gz", "ct.nii.gz"):
            (folder / name).touch()
    (doors.folder / "clinic/participants.tsv").write_text("\n".join(["participant_id\tsex", *rows]) + "\n")
    words = ["cohort=folder", "cohort.root=clinic", "experiment=hospital", "experiment.column=sex", "seed=0"]
    answer = doors("run", *words, "experiment.condition=separate")
    assert "experiment.value=M: everybody has this sex" in answer.error
    assert {path.name for path in doors.folder.iterdir()} == {"clinic"}


def test_any_column_with_any_values(tiny: Doors) -> None:
    table = tiny.folder / "data/phantom/cohort/participants.tsv"
    text = table.read_text().replace("GE", "GE MEDICAL SYSTEMS (1/2)")
    table.write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tiny.folder)
        words = ["cohort=folder", "cohort.root=data/phantom/cohort", "experiment=hospital", "seed=0"]
        plan = plan_cells([*words, "experiment.column=mr_vendor"])
    values = {planned.cell.experiment.split("-")[1] for planned in plan.cells}
    assert values == {"GE_MEDICAL_SYSTEMS_1_2_", "Siemens"}
    assert plan.experiment == "mr_vendor"  # where its summary goes
