import pydicom
import pytest

from sct.cohorts.headers import age_years, guess_technique, vendor
from sct.cohorts.kinds import note_on
from sct.io.dicom_series import Series


def header(**tags):
    dataset = pydicom.Dataset()
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"EchoTime": "0"}, "ZTE"),
        ({"EchoTime": "0.02"}, "ZTE"),
        ({"EchoTime": "0.07"}, "UTE"),
        ({"EchoTime": "0.2"}, "UTE"),
        ({"EchoTime": "90"}, None),
        ({}, None),
        ({"EchoTime": "0.07", "SeriesDescription": "t1_petra_tra"}, "ZTE"),
        ({"EchoTime": "2.6", "ProtocolName": "Black Bone 3D"}, "GRE"),
        ({"EchoTime": "90", "ProtocolName": "five minute T2"}, None),
        ({"SequenceName": "*ute3d1"}, "UTE"),
        ({"EchoTime": "1.2", "FlipAngle": "5"}, "GRE"),
        ({"EchoTime": "1.2", "FlipAngle": "12", "SeriesDescription": "3D skull-bone"}, "GRE"),
        ({"EchoTime": "4.2", "ProtocolName": "BLACK_BONE"}, "GRE"),
        # Short echoes that show no bone, or may not: unknown is the answer.
        ({"EchoTime": "1.2"}, None),
        ({"EchoTime": "1.2", "FlipAngle": "15"}, None),
        ({"EchoTime": "2.3", "FlipAngle": "8", "InversionTime": "900"}, None),
        ({"EchoTime": "2.3", "FlipAngle": "8", "SeriesDescription": "t1_mprage_sag_p2_iso"}, None),
        ({"EchoTime": "1.6", "FlipAngle": "7", "SeriesDescription": "T1-VIBE-DIXON"}, None),
        ({"EchoTime": "2.9", "FlipAngle": "8", "ProtocolName": "TOF_3D_multi-slab"}, None),
        ({"EchoTime": "1.5", "FlipAngle": "6", "SequenceName": "FSPGR"}, None),
        ({"EchoTime": "1.5", "FlipAngle": "6", "ProtocolName": "AX 3D FLASH"}, None),
        ({"EchoTime": "1.35", "FlipAngle": "8", "SeriesDescription": "AAHead_Scout"}, None),
        ({"EchoTime": "12", "SeriesDescription": "T1 black blood"}, None),
        ({"EchoTime": "2.2", "SeriesDescription": "UTE"}, None),  # its second echo
        ({"EchoTime": "80", "SeriesDescription": "SILENT T2 PROPELLER"}, None),
        ({"EchoTime": "0", "ImageType": ["DERIVED", "SECONDARY", "ADC"]}, None),
        ({"EchoTime": "0", "ImageType": ["DERIVED", "SECONDARY"], "SeriesDescription": "oAx ZTE inverted"}, "ZTE"),
        ({"EchoTime": "1.2", "SeriesDescription": "bonemarrow"}, None),
        ({"SeriesDescription": "bone"}, None),
    ],
)
def test_technique_is_guessed_from_names_and_echo_time(tags, expected):
    assert guess_technique(header(**tags)) == expected


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"]}, ""),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
        ({"SeriesDescription": "Topogram 0.6 Tr20"}, "localizer"),
        ({"SeriesDescription": "3-plane LOC"}, "localizer"),
        ({"SeriesDescription": "local anaesthesia"}, ""),
        ({"ImageType": ["DERIVED", "SECONDARY", "MPR"]}, "derived"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 MPR"]}, "derived"),
        ({"ImageType": ["DERIVED", "SECONDARY"], "SeriesDescription": "pseudo-CT head"}, "synthetic CT, derived"),
        ({"ImageType": ["DERIVED", "SECONDARY"], "SeriesDescription": "MRCAT"}, "synthetic CT, derived"),
        ({"ImageType": ["DERIVED", "SECONDARY"], "ImageComments": "sCT, v2"}, "synthetic CT, derived"),
        ({"ImageType": ["ORIGINAL", "PRIMARY"], "SeriesDescription": "synthetic bone graft"}, ""),
        ({"ImageType": ["DERIVED", "SECONDARY"], "SeriesDescription": "pseudo-CT", "Modality": "MR"}, "derived"),
    ],
)
def test_what_is_no_first_hand_scan_is_noted(tags, expected):
    assert note_on(Series("1.2", [], header(**({"Modality": "CT"} | tags)))) == expected


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"PatientAge": "034Y"}, "34"),
        ({"PatientAge": "006M"}, "0.50"),
        ({"PatientAge": "010D"}, "0.03"),
        ({"PatientAge": "004W"}, "0.08"),
        ({"PatientAge": "089Y"}, "89"),
        ({"PatientAge": "090Y"}, "89+"),
        ({"PatientAge": "104Y"}, "89+"),
        ({"PatientBirthDate": "20150301", "StudyDate": "20220301"}, "7"),
        ({"PatientBirthDate": "20220101", "StudyDate": "20220301"}, "0.16"),
        ({"PatientBirthDate": "19200101", "StudyDate": "20220301"}, "89+"),
        ({"PatientBirthDate": "20230101", "StudyDate": "20220301"}, ""),
        ({"PatientAge": "old"}, ""),
        ({}, ""),
    ],
)
def test_age(tags, expected):
    assert age_years(header(**tags)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SIEMENS", "Siemens"),
        ("Siemens Healthineers", "Siemens"),
        ("GE MEDICAL SYSTEMS", "GE"),
        ("TOSHIBA_MEC", "Canon"),
        ("Canon Medical Systems", "Canon"),
        ("Philips", "Philips"),
        ("Dr. Who's scanner", "other"),
        ("", ""),
    ],
)
def test_vendor(text, expected):
    assert vendor(header(Manufacturer=text)) == expected
