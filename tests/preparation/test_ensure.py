import pytest

from sct.core.errors import SctError
from sct.preparation.ensure import find_cohort


@pytest.mark.parametrize(
    ("phantom", "jobs", "said"),
    [
        ({"participants": 1, "spacing_mm": 8.0}, 1, "holds files that are not a phantom"),
        ({"participants": 1, "spacing_mm": 8.0}, 0, "jobs=0"),
        ({"participants": 0}, 1, "participants=0"),
        ({"patients": 1}, 1, "patients"),
    ],
)
@pytest.mark.parametrize("exists", [True, False])
def test_a_refused_phantom_touches_nothing(tmp_path, phantom, jobs, said, exists):
    root = tmp_path / "clinic"
    if exists:
        root.mkdir()
        (root / "scan.txt").write_text("somebody's")
    elif "not a phantom" in said:
        root.write_text("a file")
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with pytest.raises(SctError, match=said):
        find_cohort({"name": "phantom", "root": str(root), "phantom": phantom}, jobs=jobs)
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
