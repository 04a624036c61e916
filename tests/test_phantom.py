import sys

import pytest

from sct import phantom


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["sct.phantom", *map(str, arguments)])
    try:
        phantom.main()
        code = 0
    except SystemExit as stop:
        code = stop.code or 0
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_cohort_from_the_command_line(tmp_path, monkeypatch, capsys):
    code, out, _ = run(
        monkeypatch, capsys, tmp_path, "--participants", 1, "--spacing-mm", 8, "--seed", 4, "--displaced", "--jobs", 1
    )
    assert code == 0
    assert "1 participant" in out
    assert {path.name for path in (tmp_path / "sub-01").iterdir()} == {
        "ct.nii.gz",
        "mr.nii.gz",
        "landmarks.tsv",
        "displacement.json",
        "phantom.json",
    }


def test_a_preset_from_the_command_line(tmp_path, monkeypatch, capsys):
    code, _, _ = run(
        monkeypatch,
        capsys,
        tmp_path,
        "--preset",
        "phantom39_inst1",
        "--participants",
        1,
        "--spacing-mm",
        8,
        "--jobs",
        1,
    )
    assert code == 0
    assert (tmp_path / "participants.tsv").read_text().splitlines()[1].endswith("craniosynostosis")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--participants", 0), "participants=0"),
        (("--spacing-mm", -1), "spacing_mm=-1"),
        (("--seed", -3), "seed=-3"),
        (("--preset", "phantom40"), "phantom39"),
        (("--preset", "phantom39_inst1", "--participants", 17), "participants=17"),
        (("--jobs", 0), "jobs=0"),
    ],
)
def test_bad_values_end_in_one_line(tmp_path, monkeypatch, capsys, arguments, named):
    code, _, err = run(monkeypatch, capsys, tmp_path / "out", *arguments)
    assert code == 1
    assert named in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_words_for_numbers_are_wrong_usage(tmp_path, monkeypatch, capsys):
    code, _, err = run(monkeypatch, capsys, tmp_path / "out", "--participants", "many")
    assert code == 2
    assert "--participants" in err
    assert "Traceback" not in err
