import shutil

import pytest

from sct.cohorts.cohort import read_cohort
from sct.cohorts.table import read_participants, write_participants
from sct.core.errors import SctError

TABLE = """participant_id\tinstitution\ttechnique\tage\tsex\tscanner_room\tnote
a\t1\tZTE\t0.5\tF\tB 12\tn/a
b\t1.0\tUTE\t10\tM\tB 12\t
c\t2\tGRE\tn/a\tF\t\tx
d\t2\tZTE\t9\tM
"""


@pytest.fixture
def root(tmp_path):
    """A cohort folder of four; read_cohort opens no volume, so empty files do."""
    folder = tmp_path / "four"
    for participant_id, mr, ct in [
        ("a", "mr.nii.gz", "ct.nii.gz"),
        ("b", "mr.mha", "ct.nrrd"),
        ("c", "mr.nii", "ct.mhd"),
        ("d", "mr.nii.gz", "ct.nii.gz"),
    ]:
        (folder / participant_id).mkdir(parents=True)
        (folder / participant_id / mr).touch()
        (folder / participant_id / ct).touch()
    (folder / "a" / "mask.nii.gz").touch()
    (folder / "a" / "landmarks.tsv").touch()
    (folder / "participants.tsv").write_text(TABLE)
    return folder


def ids(cohort):
    return [p.participant_id for p in cohort.participants]


def refused(root, **arguments):
    with pytest.raises(SctError) as caught:
        read_cohort(root, **arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_participants_in_file_order_with_their_files_and_columns(root):
    cohort = read_cohort(root)
    assert cohort.name == "four"
    assert ids(cohort) == ["a", "b", "c", "d"]
    a, b, c, d = cohort.participants
    assert (a.mask, a.landmarks) == (root / "a/mask.nii.gz", root / "a/landmarks.tsv")
    (root / "d" / "mr.mrk.json").touch()
    assert read_cohort(root).participants[3].landmarks == root / "d/mr.mrk.json"
    assert (b.mr, b.ct, b.mask, b.landmarks) == (root / "b/mr.mha", root / "b/ct.nrrd", None, None)
    assert a.columns == {"institution": "1", "technique": "ZTE", "age": "0.5", "sex": "F", "scanner_room": "B 12"}
    assert c.columns == {"institution": "2", "technique": "GRE", "sex": "F", "note": "x"}
    assert "scanner_room" not in d.columns
    assert read_cohort(root, name="other").name == "other"


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"institution": 1}, "ab"),
        ({"institution": "1"}, "ab"),
        ({"institution": [1, 2]}, "abcd"),
        ({"technique": "ZTE"}, "ad"),
        ({"technique": ["ZTE", "UTE"]}, "abd"),
        ({"age": {"max": 9}}, "ad"),
        ({"age": {"min": 9}}, "bd"),
        ({"age": {"min": 0.6, "max": 9.5}}, "d"),
        ({"age": None}, "c"),
        ({"age": [None, 10]}, "bc"),
        ({"age": 10.0}, "b"),
        ({"technique": "ZTE", "institution": 2}, "d"),
        ({"scanner_room": "B 12"}, "ab"),
        ({"participant_id": ["a", "c"]}, "ac"),
    ],
)
def test_filters(root, where, expected):
    assert "".join(ids(read_cohort(root, where=where))) == expected


def test_filters_take_omegaconf_containers(root):
    omegaconf = pytest.importorskip("omegaconf")
    where = omegaconf.OmegaConf.create({"technique": ["ZTE", "UTE"], "age": {"max": 9}})
    assert ids(read_cohort(root, where=where)) == ["a", "d"]


def test_a_filter_is_never_evaluated(root):
    message = refused(root, where={"technique": "__import__('os').abort()"})
    assert "no participant is left" in message


def test_ages_over_89_compare_as_over_89(root):
    (root / "participants.tsv").write_text("participant_id\tage\na\t89+\nb\t89\nc\t3\n")
    assert ids(read_cohort(root, where={"age": {"min": 89}})) == ["a", "b"]
    assert ids(read_cohort(root, where={"age": {"max": 89}})) == ["b", "c"]


def test_wrong_filters_are_named(root):
    assert "did you mean technique" in refused(root, where={"tecnique": "ZTE"})
    assert "columns: participant_id, institution" in refused(root, where={"zzzzz": 1})
    message = refused(root, where={"technique": "CT"})
    assert "technique=CT" in message
    assert "GRE, UTE, ZTE" in message
    assert "is not a number" in refused(root, where={"technique": {"min": 1}})
    assert "min and max" in refused(root, where={"age": {"maximum": 1}})
    assert "min and max" in refused(root, where={"age": {}})
    assert "'old' is not a number" in refused(root, where={"age": {"max": "old"}})


def test_all_missing_volumes_are_named_at_once(root):
    (root / "a" / "mr.nii.gz").unlink()
    (root / "b" / "ct.nrrd").unlink()
    shutil.rmtree(root / "c")
    message = refused(root)
    for part in ["a: no mr", "b: no ct", "c: no folder"]:
        assert part in message
    assert ids(read_cohort(root, where={"participant_id": "d"})) == ["d"]
    partial = read_cohort(root, skip_missing=True)
    assert ids(partial) == ["d"]
    assert list(partial.left_out) == ["a", "b", "c"]
    shutil.rmtree(root / "d")
    assert "d: no folder" in refused(root, skip_missing=True)


def test_two_volumes_for_one_are_refused(root):
    (root / "a" / "mr.mha").touch()
    assert "mr.nii.gz, mr.mha" in refused(root)


@pytest.mark.parametrize("bad", ["../x", "x/y", "/etc", ".hidden", "..", "C:x", "x\\y", "x\x00y", "x" * 300])
def test_ids_that_leave_the_folder_are_refused(root, bad):
    (root / "participants.tsv").write_text(f"participant_id\tage\na\t1\n{bad}\t2\n")
    assert "line 3" in refused(root)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("", "empty"),
        ("\n  \n", "empty"),
        ("participant_id\tage\n", "no participants"),
        ("participant_id,age\na,1\n", "separated by commas"),
        ("participant_id;age\na;1\n", "separated by semicolons"),
        ("participant_id age\na 1\n", "separated by spaces"),
        ("id\tage\na\t1\n", "no column participant_id; found: id, age"),
        ("participant_id\tage\tage\na\t1\t2\n", "'age' is there more than once"),
        ("participant_id\tage\na\t1\n\t2\n", "line 3 has no participant_id"),
        ("participant_id\tage\na\t1\nn/a\t2\n", "line 3 has no participant_id"),
        ("participant_id\tage\na\t1\nb\t1\na\t2\nb\t3\na\t3\n", "more than once: a, b;"),
        ("participant_id\tage\na\t1\t2\n", "line 2 has 3 cells"),
    ],
)
def test_wrong_tables_are_named(root, content, part):
    (root / "participants.tsv").write_text(content)
    message = refused(root)
    assert part in message
    assert str(root / "participants.tsv") in message


def test_tables_of_other_programs_are_read(root):
    (root / "participants.tsv").write_bytes("\ufeffparticipant_id\tage\r\na\tN/A\r\n\r\nb\t4\r\n".encode())
    cohort = read_cohort(root)
    assert [p.columns for p in cohort.participants] == [{}, {"age": "4"}]
    (root / "participants.tsv").write_bytes("participant_id\tage\na\té\n".encode("latin-1"))
    assert "UTF-8" in refused(root)


def test_synthrad_layout_is_read_as_it_is(tmp_path):
    for participant_id in ["1BB002", "1BA001"]:
        (tmp_path / participant_id).mkdir()
        for name in ["mr.mha", "ct.mha", "mask.mha"]:
            (tmp_path / participant_id / name).touch()
    (tmp_path / "overview").mkdir()
    (tmp_path / "overview" / "1BA001.png").touch()
    cohort = read_cohort(tmp_path)
    assert ids(cohort) == ["1BA001", "1BB002"]
    assert cohort.participants[0].mask == tmp_path / "1BA001" / "mask.mha"
    assert "columns: participant_id" in refused(tmp_path, where={"institution": 1})
    (tmp_path / "1BA001" / "ct.mha").unlink()
    assert "1BA001: no ct" in refused(tmp_path)


def test_no_cohort_folder(tmp_path):
    assert "no such folder" in refused(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    assert "not a folder" in refused(tmp_path / "file")
    (tmp_path / "void").mkdir()
    assert "participants.tsv" in refused(tmp_path / "void")


def test_reading_a_table_undoes_writing(tmp_path):
    table = {"a": {"age": "3", "note": "two words"}, "b": {}}
    write_participants(tmp_path / "participants.tsv", ["age", "note"], table)
    assert read_participants(tmp_path / "participants.tsv") == (["age", "note"], table)


def test_two_files_for_one_scan_leave_only_that_participant_out(tmp_path):
    for name in ("p1", "p2"):
        for file in ("mr.nii.gz", "ct.nii.gz"):
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / file).touch()
    (tmp_path / "p1" / "mr.mha").touch()
    (tmp_path / "participants.tsv").write_text("participant_id\np1\np2\n")
    with pytest.raises(SctError, match=r"p1.*more than one mr volume"):
        read_cohort(tmp_path)
    cohort = read_cohort(tmp_path, skip_missing=True)
    assert [participant.participant_id for participant in cohort.participants] == ["p2"]
    assert "more than one mr volume" in cohort.left_out["p1"]
