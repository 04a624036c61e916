"""Which test slices a cell keeps for pictures."""

from pathlib import Path

import numpy as np
import pytest
from doors import Doors

from sct._examples import middle_slices


def stacks(*lengths: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Participant, plane and place in its stack of each slice: three planes a participant, of these lengths."""
    keys = [(k // 3, k % 3, place) for k, length in enumerate(lengths) for place in range(length)]
    participant, plane, place = np.array(keys).T
    return participant, plane, place


def test_six_examples_of_two_participants_are_the_middles_of_the_three_planes() -> None:
    participant, plane, place = stacks(9, 10, 1, 4, 5, 6, 7, 7, 7)
    chosen = middle_slices(participant, plane, 6)
    assert list(zip(participant[chosen], plane[chosen], place[chosen], strict=True)) == [
        (0, 0, 4), (0, 1, 5), (0, 2, 0), (1, 0, 2), (1, 1, 2), (1, 2, 3)
    ]  # fmt: skip


def test_further_examples_go_outwards_and_over_the_whole_stack() -> None:
    participant, plane, place = stacks(60, 60, 60)
    chosen = middle_slices(participant, plane, 12)
    assert list(plane[chosen]) == [0, 1, 2] * 4
    assert list(place[chosen][::3]) == [30, 18, 42, 6]
    assert chosen[:3] == middle_slices(participant, plane, 3)


@pytest.mark.parametrize("n", [0, 1, 7, 11, 12, 100])
def test_as_many_different_examples_as_asked_for_and_there_are(n: int) -> None:
    participant, plane, _ = stacks(2, 0, 7, 1, 1, 1)
    chosen = middle_slices(participant, plane, n)
    assert len(chosen) == len(set(chosen)) == min(n, 12)
    assert set(chosen) <= set(range(12))


def test_no_examples_leave_no_picture_anywhere(tiny: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    drawn: list[object] = []
    monkeypatch.setattr(wandb, "Image", lambda *args, **kwargs: drawn.append(args))
    words = ["logger=wandb_offline", "fold=0", "trainer.max_epochs=1", "examples=0"]
    assert tiny.run(*words).code == 0
    assert (tiny.cell() / "metrics.json").exists()
    left = {path.suffix for path in Path(tiny.folder / "runs").rglob("*") if path.is_file()}
    assert not left & {".png", ".npz", ".npy", ".jpg"}
    assert drawn == []
