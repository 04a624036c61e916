import pydicom
import pytest

from sct.cohorts.headers import age_years, guess_technique, vendor


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
        ({"EchoTime": "1.2"}, "GRE"),
        ({"EchoTime": "90"}, None),
        ({}, None),
        ({"EchoTime": "0.07", "SeriesDescription": "t1_petra_tra"}, "ZTE"),
        ({"EchoTime": "2.6", "ProtocolName": "Black Bone 3D"}, "GRE"),
        ({"EchoTime": "90", "ProtocolName": "five minute T2"}, None),
        ({"SequenceName": "*ute3d1"}, "UTE"),
    ],
)
def test_technique_is_guessed_from_names_and_echo_time(tags, expected):
    assert guess_technique(header(**tags)) == expected


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
