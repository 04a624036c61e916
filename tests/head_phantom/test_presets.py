from collections import Counter
from pathlib import Path
from statistics import median

import pytest

from sct.core.errors import SctError
from sct.head_phantom.presets import participant_columns
from sct.head_phantom.settings import PhantomSettings


def rows(preset, participants):
    settings = PhantomSettings(participants, 1.0, 0, preset)
    return [participant_columns(settings, index) for index in range(participants)]


def test_phantom39_has_the_marginals_of_the_paper():
    table = rows("phantom39", 39)

    def count(column):
        return Counter(row[column] for row in table)

    assert count("institution") == {"1": 16, "2": 23}
    assert count("mr_vendor") == {"Siemens": 13, "GE": 26}
    assert count("ct_vendor") == {"Siemens": 23, "GE": 9, "Canon": 7}
    assert count("sex") == {"M": 23, "F": 16}
    assert count("field_strength") == {"3.0": 37, "1.5": 2}
    assert set(count("technique")) == {"ZTE", "UTE", "GRE"}
    assert count("indication") == {
        "craniosynostosis": 10,
        "genetic": 5,
        "tumour": 4,
        "trauma": 4,
        "preoperative": 10,
        "postoperative": 6,
    }
    ages = [float(row["age"]) for row in table]
    assert min(ages) < 28 / 365.25 + 0.01
    assert max(ages) == 35
    assert median(ages) == 4.5


def test_the_page_has_the_joint_table():
    page = (Path(__file__).parents[2] / "docs" / "phantom.md").read_text(encoding="utf-8")
    lines = [[cell.strip() for cell in line.strip("| ").split("|")] for line in page.splitlines() if "|" in line]
    heading = next(line for line in lines if line[0] == "participants")
    table = rows("phantom39", 39)
    for institution in ("1", "2"):
        stated = next(line for line in lines if line[0].startswith(f"institution {institution}"))
        members = [row for row in table if row["institution"] == institution]
        found = Counter(f"{row['mr_vendor']} {row['technique']}" for row in members) | Counter({"all": len(members)})
        assert {name: int(n) for name, n in zip(heading[1:], stated[1:], strict=True) if n != "0"} == found
    assert {row["mr_vendor"] for row in table if row["technique"] == "ZTE"} == {"GE"}
    assert {row["mr_vendor"] for row in table if row["field_strength"] == "1.5"} == {"Siemens"}


def test_the_smaller_preset_is_institution_1_of_the_larger():
    table = rows("phantom39", 39)
    assert rows("phantom39_inst1", 16) == [row for row in table if row["institution"] == "1"] == table[:16]


def test_the_default_cohort_spans_what_varies():
    for seed in range(4):
        settings = PhantomSettings(8, 2.0, seed)
        table = [participant_columns(settings, index) for index in range(8)]
        assert {row["technique"] for row in table} == {"ZTE", "UTE", "GRE"}
        assert {row["institution"] for row in table} == {"1", "2"}
        assert {row["mr_vendor"] for row in table} == {"GE", "Siemens"}
        ages = sorted(float(row["age"]) for row in table)
        assert ages[0] < 0.3
        assert ages[-1] > 17
        larger = PhantomSettings(20, 2.0, seed)
        assert table == [participant_columns(larger, index) for index in range(8)]


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({"participants": 0}, "participants=0"),
        ({"participants": 40, "preset": "phantom39"}, "participants=40"),
        ({"spacing_mm": 0.0}, "spacing_mm"),
        ({"spacing_mm": float("nan")}, "spacing_mm"),
        ({"seed": -1}, "seed=-1"),
        ({"preset": "phantom93"}, "phantom39"),
        ({"version": "0"}, "version"),
    ],
)
def test_settings_out_of_range_are_named(values, names):
    with pytest.raises(SctError, match=names):
        PhantomSettings(**values)
