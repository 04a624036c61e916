import json

import numpy as np
import pytest

from sct.core.errors import SctError
from sct.geometry.landmarks import read_landmark_pairs, read_markups

HEADER = "name\tmr_x\tmr_y\tmr_z\tct_x\tct_y\tct_z\n"


def slicer_json(path, points, system="LPS", **more):
    controls = [
        {"id": str(i), "label": name, "position": list(xyz), **more} for i, (name, xyz) in enumerate(points.items())
    ]
    markups = [{"type": "Fiducial", "coordinateSystem": system, "coordinateUnits": "mm", "controlPoints": controls}]
    path.write_text(json.dumps({"@schema": "markups-schema-v1.0.3.json#", "markups": markups}))


def slicer_fcsv(path, points, system="LPS"):
    lines = ["# Markups fiducial file version = 4.11"]
    lines += [f"# CoordinateSystem = {system}"] if system else []
    lines += ["# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID"]
    lines += [
        f'vtkMRMLMarkupsFiducialNode_{i},{x},{y},{z},0,0,0,1,1,1,0,"{name}",,'
        for i, (name, (x, y, z)) in enumerate(points.items())
    ]
    path.write_text("\n".join(lines) + "\n")


POINTS = {"nasion": (1.0, 2.0, 3.0), "left, ear": (-4.0, 5.5, 6.0)}


def test_table_of_pairs(tmp_path):
    path = tmp_path / "landmarks.tsv"
    path.write_text(HEADER + "nasion\t1\t2\t3\t4\t5\t6\n\nleft ear\t-1\t-2\t-3\t0.5\t1e1\t7\n")
    pairs = read_landmark_pairs(path)
    assert list(pairs) == ["nasion", "left ear"]
    np.testing.assert_array_equal(pairs["left ear"][0], [-1, -2, -3])
    np.testing.assert_array_equal(pairs["left ear"][1], [0.5, 10, 7])


def test_columns_may_stand_in_any_order_beside_others(tmp_path):
    path = tmp_path / "landmarks.tsv"
    path.write_text("reader\tct_x\tct_y\tct_z\tname\tmr_x\tmr_y\tmr_z\nMH\t4\t5\t6\tnasion\t1\t2\t3\n")
    pairs = read_landmark_pairs(path)
    np.testing.assert_array_equal(pairs["nasion"], [[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize(("system", "sign"), [("LPS", -1), ("RAS", 1)])
def test_slicer_json_is_brought_to_ras(tmp_path, system, sign):
    slicer_json(tmp_path / "mr.mrk.json", POINTS, system)
    points = read_markups(tmp_path / "mr.mrk.json")
    np.testing.assert_array_equal(points["left, ear"], [-4.0 * sign, 5.5 * sign, 6.0])


@pytest.mark.parametrize(("system", "sign"), [("LPS", -1), ("1", -1), ("RAS", 1), ("0", 1), (None, 1)])
def test_slicer_fcsv_is_brought_to_ras(tmp_path, system, sign):
    slicer_fcsv(tmp_path / "mr.fcsv", POINTS, system)
    points = read_markups(tmp_path / "mr.fcsv")
    np.testing.assert_array_equal(points["left, ear"], [-4.0 * sign, 5.5 * sign, 6.0])


def test_markups_pair_by_name(tmp_path):
    slicer_json(tmp_path / "mr.mrk.json", POINTS)
    slicer_fcsv(tmp_path / "ct.fcsv", dict(reversed(POINTS.items())), "RAS")
    pairs = read_landmark_pairs(tmp_path / "mr.mrk.json")
    np.testing.assert_array_equal(pairs["nasion"], [[-1, -2, 3], [1, 2, 3]])


def test_points_never_placed_are_passed_over(tmp_path):
    slicer_json(tmp_path / "mr.mrk.json", POINTS, positionStatus="undefined")
    with pytest.raises(SctError, match="no landmarks"):
        read_markups(tmp_path / "mr.mrk.json")


def test_other_names_are_refused(tmp_path):
    slicer_json(tmp_path / "mr.mrk.json", POINTS)
    slicer_json(tmp_path / "ct.mrk.json", {"nasion": (1, 2, 3), "inion": (1, 2, 3)})
    with pytest.raises(SctError, match=r"only in mr.mrk.json: left, ear; only in ct.mrk.json: inion"):
        read_landmark_pairs(tmp_path / "mr.mrk.json")


def test_markups_without_their_partner_are_refused(tmp_path):
    slicer_json(tmp_path / "mr.mrk.json", POINTS)
    with pytest.raises(SctError, match="come in pairs"):
        read_landmark_pairs(tmp_path / "mr.mrk.json")


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("", "no column name"),
        (HEADER, "no landmarks"),
        (HEADER.replace("\t", ","), "no column"),
        (HEADER + "a\t1\t2\t3\t4\t5\n", "line 2 has 6 cells"),
        (HEADER + "a\t1\t2\t3\t4\t5\tx\n", "'a' has no position"),
        (HEADER + "a\t1\t2\tnan\t4\t5\t6\n", "'a' has no position"),
        (HEADER + "\t1\t2\t3\t4\t5\t6\n", "no name"),
        (HEADER + "a\t1\t2\t3\t4\t5\t6\n" * 2, "more than once"),
    ],
)
def test_wrong_tables_are_refused_in_one_line(tmp_path, content, part):
    path = tmp_path / "landmarks.tsv"
    path.write_text(content)
    with pytest.raises(SctError) as caught:
        read_landmark_pairs(path)
    assert part in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", ["", "[]", '{"markups": 3}', '{"markups": [{"controlPoints": [{"label": "a"}]}]}', "no json"]
)
def test_wrong_markups_are_refused(tmp_path, content):
    path = tmp_path / "mr.mrk.json"
    path.write_text(content)
    with pytest.raises(SctError, match=r"mr\.mrk\.json"):
        read_markups(path)


def test_unknown_coordinate_systems_and_missing_files_are_refused(tmp_path):
    slicer_fcsv(tmp_path / "mr.fcsv", POINTS, "IJK")
    with pytest.raises(SctError, match="'IJK' is unknown"):
        read_markups(tmp_path / "mr.fcsv")
    (tmp_path / "ct.fcsv").write_text("# columns = id,a,b\n1,2,3\n")
    with pytest.raises(SctError, match="not a 3D Slicer markups file"):
        read_markups(tmp_path / "ct.fcsv")
    with pytest.raises(SctError, match="no such file"):
        read_landmark_pairs(tmp_path / "landmarks.tsv")
