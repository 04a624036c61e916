from pathlib import Path

import pydicom
import pytest

from sct.cohorts.proposal import propose_pairs
from sct.io.dicom_series import Series


def series(key, modality, n_images=30, **tags):
    header = pydicom.Dataset()
    for keyword, value in ({"Modality": modality, "PatientID": "p"} | tags).items():
        setattr(header, keyword, value)
    return Series(key, [Path(str(i)) for i in range(n_images)], header)


def ute(key="mr", n_images=30, **tags):
    return series(key, "MR", n_images, **({"EchoTime": "0.07"} | tags))


@pytest.mark.parametrize(
    ("bone", "soft"),
    [
        (["Hr60s", "3"], ["Hr40f", "3"]),
        ("B75f", "B31f"),
        ("Bl64", "Br49"),
        ("BONEPLUS", "STANDARD"),
        ("FC30", "FC08"),
        ("D", "B"),
        ("YC", "UB"),
    ],
)
def test_bone_kernels_come_before_thin_slices_and_a_person_is_asked(bone, soft):
    found = [ute(), series("bone", "CT", 30, ConvolutionKernel=bone), series("soft", "CT", 300, ConvolutionKernel=soft)]
    proposal = propose_pairs(found)
    assert [pair.ct for pair in proposal.pairs] == ["bone"]
    assert proposal.open_questions == ["patient p: 1 MR and 2 CT series to choose from"]


def test_shorter_echoes_come_first_and_few_slices_never():
    found = [ute("ute"), ute("zte", EchoTime="0.01"), ute("short", 19, EchoTime="0"), series("ct", "CT")]
    assert [pair.mr for pair in propose_pairs(found).pairs] == ["zte"]


def test_patients_are_not_mixed_and_their_order_tells_nothing():
    found = [
        part for who in "abc" for part in (ute(f"mr-{who}", PatientID=who), series(f"ct-{who}", "CT", PatientID=who))
    ]
    pairs = propose_pairs(found).pairs
    assert [pair.participant_id for pair in pairs] == ["sub-001", "sub-002", "sub-003"]
    assert all(pair.mr[-1] == pair.ct[-1] for pair in pairs)
    assert propose_pairs(found[::-1]).pairs == pairs
