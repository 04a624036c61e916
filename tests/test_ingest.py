import shutil

import nibabel
import numpy as np
import pydicom
import pytest
from dicom_making import a_volume, edit, spoil, write_enhanced, write_series

from sct.cohorts.cohort import read_cohort
from sct.io.dicom_write import write_ct_series
from sct.io.volumes import read_volume

SHAPE = (6, 5, 22)


@pytest.fixture
def export(tmp_path):
    """Two patients in one messy tree: nested, a localizer, notes, an enhanced MR, names that tell nothing."""
    root = tmp_path / "dicom"
    volumes = {
        "one mr": a_volume(SHAPE, low=0, seed=1),
        "one ct": a_volume(SHAPE, seed=2),
        "two mr": a_volume(SHAPE, low=0, seed=3),
        "two ct": a_volume(SHAPE, seed=4),
    }
    write_series(root / "a" / "b" / "c", volumes["one mr"], "MR")
    write_series(root / "a" / "x", volumes["one ct"], "CT", Manufacturer="GE MEDICAL SYSTEMS")
    write_series(root / "a" / "x" / "scout", a_volume((4, 4, 2)), "CT", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    two = {"PatientID": "SECRET-2", "PatientName": "Secretperson^Bob", "PatientSex": "M", "PatientAge": "095Y"}
    two |= {"InstitutionName": "Secret Clinic"}
    k = np.arange(SHAPE[2])
    volumes["two mr"].data[:] = np.rint((volumes["two mr"].data - k) / 2) * 2 + k
    hide_echo_time(write_enhanced(root / "z" / "e.dcm", volumes["two mr"], EchoTime="0.02", **two))
    write_series(root / "z" / "ct", volumes["two ct"], "CT", Manufacturer="TOSHIBA", **two)
    (root / "a" / "notes.txt").write_text("SECRET")
    return root, volumes


def hide_echo_time(path):
    """Move the echo time to where enhanced MR has it."""
    dataset = pydicom.dcmread(path)
    echo = pydicom.Dataset()
    echo.EffectiveEchoTime = float(dataset.EchoTime)
    dataset.SharedFunctionalGroupsSequence[0].MREchoSequence = [echo]
    del dataset.EchoTime
    dataset.save_as(path)


def by_sex(cohort):
    return {participant.columns["sex"]: participant for participant in cohort.participants}


def test_a_tree_of_dicom_becomes_a_cohort(doors, export):
    root, volumes = export
    answer = doors("ingest", root, "cohort")
    assert answer.code == 0, answer.err
    cohort = read_cohort(doors.folder / "cohort")
    assert [p.participant_id for p in cohort.participants] == ["sub-001", "sub-002"]
    people = by_sex(cohort)
    for sex, name in (("F", "one"), ("M", "two")):
        for kind in ("mr", "ct"):
            back = read_volume(getattr(people[sex], kind))
            np.testing.assert_array_equal(back.data, volumes[f"{name} {kind}"].data)
            np.testing.assert_allclose(back.affine, volumes[f"{name} {kind}"].affine, atol=1e-4)
    one, two = people["F"].columns, people["M"].columns
    assert one | {"institution": "?"} == {
        "institution": "?",
        "ct_vendor": "GE",
        "mr_vendor": "Siemens",
        "technique": "UTE",
        "technique_guessed": "yes",
        "field_strength": "3",
        "te_ms": "0.07",
        "age": "7",
        "sex": "F",
    }
    assert (two["technique"], two["age"], two["ct_vendor"]) == ("ZTE", "89+", "Canon")
    assert {one["institution"], two["institution"]} == {"1", "2"}


def test_nothing_that_identifies_leaves_the_dicom(doors, export):
    root, _ = export
    assert doors("ingest", root, "cohort").code == 0
    for path in (doors.folder / "cohort").rglob("*"):
        assert "secret" not in path.name.lower()
        if path.is_file():
            content = path.read_bytes()
            if path.suffix == ".gz":
                header = nibabel.load(path).header
                assert len(header.extensions) == 0
                content = header.binaryblock
            for word in (b"SECRET", b"Secret", b"4711", b"20150301", b"20220301", b"1.2.826"):
                assert word not in content, path


def test_the_inventory_names_every_series(doors, export):
    root, _ = export
    doors("ingest", root, "cohort")
    lines = (doors.folder / "cohort-inventory.tsv").read_text().splitlines()
    header = lines[0].split("\t")
    rows = [dict(zip(header, line.split("\t"), strict=True)) for line in lines[1:]]
    assert len(rows) == 5
    assert sorted(row["note"] for row in rows) == ["localizer", "n/a", "n/a", "n/a", "n/a"]
    assert {row["matrix"] for row in rows} == {"6x5x22", "4x4x2"}
    assert {row["technique_guessed"] for row in rows if row["modality"] == "MR"} == {"ZTE", "UTE"}
    assert {(row["te_ms"], row["spacing_mm"]) for row in rows if row["modality"] == "MR"} == {
        ("0.07", "0.9x0.8x1.5"),
        ("0.02", "0.9x0.8"),  # the enhanced file names no slice thickness
    }


def test_a_choice_is_left_to_a_person(doors, export):
    root, _ = export
    write_series(root / "a" / "second", a_volume(SHAPE, low=0, seed=9), "MR", SeriesNumber=8, EchoTime="1.5")
    answer = doors("ingest", root, "cohort")
    assert "2 MR and 1 CT series to choose from" in answer.error
    assert "give it as --pairs" in answer.error
    assert not (doors.folder / "cohort").exists()
    assert "give it as --pairs, or remove it" in doors("ingest", root, "cohort").error  # an edited file is not lost
    pairs = doors.folder / "cohort-pairs.tsv"
    lines = pairs.read_text().splitlines()
    inventory = (doors.folder / "cohort-inventory.tsv").read_text().splitlines()
    key = next(line.split("\t")[0] for line in inventory if "\t1.5\t" in line)
    ids = [line.split("\t")[0] for line in lines[1:]]
    at = next(
        i for i, line in enumerate(lines) if "SECRET-4711" in "".join(x for x in inventory if line.split("\t")[1] in x)
    )
    lines[at] = "\t".join(["kept-name", key, lines[at].split("\t")[2]])
    pairs.write_text("\n".join(lines))
    answer = doors("ingest", root, "cohort", "--pairs", pairs)
    assert answer.code == 0, answer.err
    cohort = read_cohort(doors.folder / "cohort")
    assert "kept-name" in [p.participant_id for p in cohort.participants]
    assert len(ids) == 2
    assert by_sex(cohort)["F"].columns["technique"] == "GRE"


def test_swapped_modalities_and_unknown_series_are_refused(doors, export):
    root, _ = export
    doors("ingest", root, "cohort")
    lines = (doors.folder / "cohort-pairs.tsv").read_text().splitlines()
    name, mr, ct = lines[1].split("\t")
    pairs = doors.folder / "mine.tsv"

    def error_of(*rows):
        pairs.write_text("\n".join(["participant_id\tmr\tct", *("\t".join(row) for row in rows)]))
        return doors("ingest", root, "other", "--pairs", pairs).error

    assert "are MR and CT swapped?" in error_of((name, ct, mr))
    assert "1.2.3, is not among the DICOM files" in error_of((name, mr, "1.2.3"))
    assert "(blank)" in error_of((name, mr))
    assert "more than once" in error_of((name, mr, ct), (name, mr, ct))
    assert "is another participant's too" in error_of((name, mr, ct), ("other", mr, ct))
    assert "cannot be a folder's name" in error_of(("../x", mr, ct))
    assert "no participant_id" in error_of(("", mr, ct))
    assert "no pairs in it" in error_of()
    pairs.write_text("participant_id,mr,ct\n")
    assert "no column" in doors("ingest", root, "other", "--pairs", pairs).error
    assert "no such file" in doors("ingest", root, "other", "--pairs", "nowhere.tsv").error
    assert not (doors.folder / "other").exists()


def test_a_series_with_a_hole_stops_or_is_skipped(doors, export):
    root, _ = export
    next((root / "a" / "b" / "c").glob("*-10")).unlink()
    answer = doors("ingest", root, "cohort")
    assert "1 missing slices" in answer.error
    assert not (doors.folder / "cohort").exists()
    assert [p.name for p in doors.folder.iterdir() if p.name.startswith(".cohort")] == []
    answer = doors("ingest", root, "cohort", "--pairs", "cohort-pairs.tsv", "--on-error", "skip")
    assert answer.code == 0
    assert "left out sub-00" in answer.out
    assert len(read_cohort(doors.folder / "cohort").participants) == 1


def test_malformed_headers_cost_no_more_than_their_own_pair(doors, export):
    root, _ = export
    spoil(next((root / "a" / "x" / "scout").iterdir()), "SliceThickness", b"1.0 mm")
    spoil(next((root / "z" / "ct").iterdir()), "ImagePositionPatient", b"a\\b\\c ")
    spoil(next((root / "z" / "ct").iterdir()), "SeriesNumber", b"3.5 ")
    answer = doors("ingest", root, "cohort", "--on-error", "skip")
    assert (answer.code, "Warning" in answer.err) == (0, False), answer.err
    assert "ImagePositionPatient in its header is" in answer.out
    assert len(read_cohort(doors.folder / "cohort").participants) == 1
    assert "x1.0 mm\t" in (doors.folder / "cohort-inventory.tsv").read_text()
    spoil(next((root / "a" / "x" / "scout").iterdir()), "NumberOfFrames", b"many")
    assert "NumberOfFrames in its header is 'many', which is no number" in doors("ingest", root, "b").error
    answer = doors("ingest", root, "b", "--on-error", "skip")
    assert (answer.code, "passed over: " in answer.out) == (0, True), answer.err


def test_mistakes_are_one_line(doors, export):
    root, _ = export
    assert "no such folder" in doors("ingest", "nowhere", "cohort").error
    (doors.folder / "void").mkdir()
    assert "no DICOM images" in doors("ingest", "void", "cohort").error
    assert "stop or skip" in doors("ingest", root, "cohort", "--on-error", "ignore").error
    (doors.folder / "full").mkdir()
    (doors.folder / "full" / "x").touch()
    assert "not an empty folder" in doors("ingest", root, "full").error
    assert "by name" in doors("ingest", root, ".").error
    assert "full/x: is a file" in doors("ingest", root, "full/x/cohort").error
    assert sorted(path.name for path in doors.folder.iterdir()) == ["dicom", "full", "void"]
    path = max(path for path in (root / "a" / "x").iterdir() if path.is_file())
    whole = path.read_bytes()
    path.write_bytes(whole[:200])
    assert f"{path.name}: damaged DICOM header" in doors("ingest", root, "third").error
    answer = doors("ingest", root, "third", "--on-error", "skip")  # without it, its series has a hole
    assert f"{path.name}: damaged DICOM header" in answer.out
    assert "1 missing slices" in answer.out
    assert len(read_cohort(doors.folder / "third").participants) == 1
    path.write_bytes(whole)
    edit(path, BurnedInAnnotation="YES")  # in the last file of the series only
    error = doors("ingest", root, "cohort").error
    assert "burned into the pixels" in error
    assert path.name in error
    assert not (doors.folder / "cohort").exists()


def test_synthetic_cts_scouts_and_reformats_are_not_taken_for_the_ct(doors, export):
    root, volumes = export
    write_ct_series(a_volume(SHAPE, seed=7), root / "a" / "synthetic", root / "a" / "b")
    thin = a_volume((6, 5, 44), seed=8)
    same = {name: pydicom.dcmread(root / "a" / "x" / "000-0")[name].value for name in ("PatientID", "StudyInstanceUID")}
    write_series(root / "a" / "mpr", thin, "CT", ImageType=["DERIVED", "SECONDARY", "MPR"], **same)
    write_series(root / "a" / "topo", thin, "CT", SeriesDescription="Topogram", **same)
    answer = doors("ingest", root, "cohort")
    assert answer.code == 0, answer.err
    chosen = by_sex(read_cohort(doors.folder / "cohort"))["F"]
    np.testing.assert_array_equal(read_volume(chosen.ct).data, volumes["one ct"].data)

    header, *lines = (doors.folder / "cohort-inventory.tsv").read_text().splitlines()
    rows = [dict(zip(header.split("\t"), line.split("\t"), strict=True)) for line in lines]
    synthetic = next(row["series"] for row in rows if row["note"] == "synthetic CT, derived")
    mr = next(row["series"] for row in rows if row["modality"] == "MR" and row["patient"] == "SECRET-4711")
    (doors.folder / "mine.tsv").write_text(f"participant_id\tmr\tct\nx\t{mr}\t{synthetic}\n")
    assert "is a synthetic CT, which is no reference" in doors("ingest", root, "b", "--pairs", "mine.tsv").error

    shutil.rmtree(root / "a" / "x")
    assert "SECRET-4711: only a derived CT series" in doors("ingest", root, "c").error
    shutil.rmtree(root / "a" / "mpr")
    assert "SECRET-4711: no CT" in doors("ingest", root, "d").error


def test_a_gradient_echo_is_never_silently_taken_for_bone_mri(doors, tmp_path):
    names = {"PatientID": "p", "EchoTime": "1.4", "SeriesDescription": "sag 3D"}
    write_series(tmp_path / "dicom" / "ct", a_volume(SHAPE), "CT", PatientID="p")
    write_series(tmp_path / "dicom" / "mr", a_volume(SHAPE, low=0), "MR", FlipAngle="20", **names)
    assert "1 MR of unknown technique; if one is bone MRI, add its line" in doors("ingest", "dicom", "a").error
    for path in (tmp_path / "dicom" / "mr").iterdir():
        edit(path, FlipAngle="5")
    assert "bone GRE by its echo time and flip angle only" in doors("ingest", "dicom", "b").error
    assert doors("ingest", "dicom", "b", "--pairs", "b-pairs.tsv").code == 0
    columns = read_cohort(doors.folder / "b").participants[0].columns
    assert (columns["technique"], columns["technique_guessed"]) == ("GRE", "yes")


def test_files_without_preamble_are_read_and_others_are_named(doors, export):
    root, volumes = export
    for path in (root / "a" / "b" / "c").iterdir():
        path.write_bytes(path.read_bytes()[132:])  # file meta, but no preamble
    for path in (root / "z" / "ct").iterdir():
        dataset = pydicom.dcmread(path)
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.save_as(path, implicit_vr=True, little_endian=True)  # preamble, but no file meta
    answer = doors("ingest", root, "cohort")
    assert answer.code == 0, answer.err
    assert "passed over: 1 files (a/notes.txt), no DICOM images" in answer.out
    people = by_sex(read_cohort(doors.folder / "cohort"))
    np.testing.assert_array_equal(read_volume(people["F"].mr).data, volumes["one mr"].data)
    np.testing.assert_array_equal(read_volume(people["M"].ct).data, volumes["two ct"].data)


def test_a_pair_of_two_patients_is_warned_of(doors, export):
    root, _ = export
    doors("ingest", root, "cohort")
    lines = (doors.folder / "cohort-pairs.tsv").read_text().splitlines()
    (_, mr, _), (_, _, ct) = (line.split("\t") for line in lines[1:])
    (doors.folder / "mine.tsv").write_text(f"{lines[0]}\nmixed\t{mr}\t{ct}\n")
    answer = doors("ingest", root, "other", "--pairs", "mine.tsv")
    assert answer.code == 0
    assert "MR and CT of mixed are of two patients" in answer.err


def test_a_patient_without_ct_is_named(doors, export):
    root, _ = export
    for path in (root / "z" / "ct").iterdir():
        path.unlink()
    assert "patient SECRET-2: no CT" in doors("ingest", root, "cohort").error
