"""Sums are exact integers of definitions written out plainly here, and pool in any order."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sct.core.errors import SctError
from sct.core.figures import figures
from sct.core.gray import Window, gray8_to_hu
from sct.core.pixel_sums import DEFAULT_THRESHOLDS, SumsLayout, bone_counts, quantise, threshold_names
from sct.core.sums import SumsTable

LAYOUT = SumsLayout()


def images(n=3, size=16, seed=0):
    rng = np.random.default_rng(seed)
    prediction = torch.from_numpy(rng.random((n, 1, size, size), np.float32))
    ct = torch.from_numpy(rng.integers(0, 256, (n, 1, size, size), np.uint8))
    mask = torch.from_numpy(rng.random((n, 1, size, size)) < 0.6)
    return prediction, ct, mask


def plain_sums(prediction, ct, mask, layout=LAYOUT):
    """The contract's columns for one slice, in Python integers, from the definitions."""
    y = [int(v) for v in np.rint(prediction.numpy().astype(np.float32).ravel() * np.float32(65535))]
    levels = ct.numpy().ravel()
    x = [257 * int(v) for v in levels]
    hu = gray8_to_hu(levels, layout.window)
    tissue = np.where(hu < -200, "air", np.where(hu >= 300, "bone", "soft"))
    sums = {}
    for scope, inside in (("frame", np.ones(len(x), bool)), ("mask", mask.numpy().ravel() != 0)):
        pairs = [(a, b, t) for a, b, t, i in zip(x, y, tissue, inside, strict=True) if i]
        sums |= {
            f"{scope}_n": len(pairs),
            f"{scope}_abs": sum(abs(a - b) for a, b, _ in pairs),
            f"{scope}_sq": sum((a - b) ** 2 for a, b, _ in pairs),
            f"{scope}_x": sum(a for a, _, _ in pairs),
            f"{scope}_y": sum(b for _, b, _ in pairs),
            f"{scope}_xx": sum(a * a for a, _, _ in pairs),
            f"{scope}_yy": sum(b * b for _, b, _ in pairs),
            f"{scope}_xy": sum(a * b for a, b, _ in pairs),
        }
        for name in ("air", "soft", "bone"):
            sums[f"{scope}_abs_{name}"] = sum(abs(a - b) for a, b, t in pairs if t == name)
        for name in ("air", "soft", "bone"):
            sums[f"{scope}_n_{name}"] = sum(t == name for _, _, t in pairs)
        edges = {k: -(-65535 * Fraction(t) // 1) for k, t in threshold_names(layout.thresholds).items()}
        sums |= {f"{scope}_tp_{k}": sum(a >= e and b >= e for a, b, _ in pairs) for k, e in edges.items()}
        sums |= {f"{scope}_ref_{k}": sum(a >= e for a, _, _ in pairs) for k, e in edges.items()}
        sums |= {f"{scope}_pred_{k}": sum(b >= e for _, b, _ in pairs) for k, e in edges.items()}
    return sums | {"n_slices": 1}


def as_table(keys, matrix, layout=LAYOUT):
    return SumsTable.from_matrix(keys, layout.columns, matrix.tolist())


@pytest.mark.parametrize(
    "layout",
    [
        LAYOUT,
        SumsLayout(("0.05", "0.425", "1")),
        SumsLayout(("0.3",), Window(0.0, 300.0)),
        SumsLayout(("0.5",), Window(600, 400)),
    ],
)
def test_equals_the_definitions_written_out(layout):
    prediction, ct, mask = images()
    found = layout.slice_sums(prediction, ct, mask)
    for k in range(3):
        assert dict(zip(layout.columns, found[k].tolist(), strict=True)) == plain_sums(
            prediction[k], ct[k], mask[k], layout
        )


@given(
    arrays.arrays(np.float32, (2, 1, 4, 4), elements=st.floats(0, 1, width=32)),
    arrays.arrays(np.uint8, (2, 1, 4, 4)),
    arrays.arrays(np.bool_, (2, 1, 4, 4)),
)
def test_any_images_equal_the_definitions(prediction, ct, mask):
    prediction, ct, mask = map(torch.from_numpy, (prediction, ct, mask))
    found = LAYOUT.slice_sums(prediction, ct, mask)
    assert [dict(zip(LAYOUT.columns, row, strict=True)) for row in found.tolist()] == [
        plain_sums(prediction[k], ct[k], mask[k]) for k in range(2)
    ]


def test_batches_and_order_change_nothing():
    prediction, ct, mask = images(7)
    together = LAYOUT.slice_sums(prediction, ct, mask)
    one_by_one = torch.cat([LAYOUT.slice_sums(prediction[k : k + 1], ct[k : k + 1], mask[k : k + 1]) for k in range(7)])
    torch.testing.assert_close(together, one_by_one, rtol=0, atol=0)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(together[order], LAYOUT.slice_sums(prediction[order], ct[order], mask[order]))
    channels_last = prediction.to(memory_format=torch.channels_last)
    torch.testing.assert_close(together, LAYOUT.slice_sums(channels_last, ct, mask), rtol=0, atol=0)
    assert LAYOUT.slice_sums(prediction[:0], ct[:0], mask[:0]).shape == (0, len(LAYOUT.columns))


def test_quantisation_rounds_half_to_even_and_clips():
    gray = torch.tensor([0.0, 1.0, -0.5, 2.0, 0.5 / 65535, 1.5 / 65535, float("nan"), float("inf")])
    assert quantise(gray).tolist() == [0, 65535, 0, 65535, 0, 2, 0, 65535]
    assert quantise(torch.arange(256, dtype=torch.uint8)).tolist() == [257 * level for level in range(256)]
    assert torch.equal(quantise(torch.arange(256) / 255), quantise(torch.arange(256, dtype=torch.uint8)))
    with pytest.raises(ValueError, match="int32"):
        quantise(torch.zeros(3, dtype=torch.int32))


@pytest.mark.parametrize("name", ["0.40", "0.45", "0.6", "0.7", "1"])
def test_the_edge_of_a_threshold_is_its_exact_decimal(name):
    edge = int(-(-65535 * Fraction(name) // 1))
    values = torch.tensor([[[edge - 1, edge]]], dtype=torch.float64).div(65535).float()
    counts = bone_counts(values, torch.ones_like(values), [name])
    assert counts.tolist() == [[[1], [2], [1]]]
    # In binary, 0.4 * 65535 is a little above 26214, so a float comparison would lose that very value.
    assert edge == {"0.40": 26214, "0.45": 29491, "0.6": 39321, "0.7": 45875, "1": 65535}[name]


def test_bone_counts_are_those_of_the_sums():
    prediction, ct, mask = images(2)
    sums = LAYOUT.slice_sums(prediction, ct, mask)
    counts = bone_counts(prediction, ct, DEFAULT_THRESHOLDS)
    columns = [
        LAYOUT.columns.index(f"frame_{c}_{k}")
        for c in ("tp", "ref", "pred")
        for k in threshold_names(DEFAULT_THRESHOLDS)
    ]
    torch.testing.assert_close(counts.flatten(1), sums[:, columns], rtol=0, atol=0)


def test_the_largest_slice_does_not_overflow():
    size = 1024
    white = torch.ones(1, size, size)
    row = dict(zip(LAYOUT.columns, LAYOUT.slice_sums(white, white, white)[0].tolist(), strict=True))
    assert row["frame_yy"] == size * size * 65535**2
    pooled = SumsTable({("p", "axial"): row})
    for _ in range(40):
        pooled.add(pooled)
    assert pooled.pooled()["frame_yy"] == 2**40 * size * size * 65535**2 > 2**63
    assert figures(pooled.pooled())["mae_hu"] == 0


def test_bad_arguments_are_named():
    prediction, ct, mask = images()
    with pytest.raises(ValueError, match="shapes"):
        LAYOUT.slice_sums(prediction, ct[:, :, 1:], mask)
    for thresholds in ((), ("0",), ("1.1",), ("0.4", "0.40")):
        with pytest.raises(ValueError, match="thresholds"):
            SumsLayout(thresholds)
    assert list(threshold_names([0.7, "0.40", Decimal("0.425")])) == ["40", "42.5", "70"]


def test_tables_pool_whatever_the_order_and_the_parts():
    prediction, ct, mask = images(12)
    matrix = LAYOUT.slice_sums(prediction, ct, mask)
    keys = [(f"p{k % 3}", ("axial", "coronal")[k % 2], k) for k in range(12)]
    whole = as_table(keys, matrix)
    merged = SumsTable()
    for part in (slice(7, 12), slice(0, 3), slice(3, 7)):
        merged.add(as_table(keys[part], matrix[part]))
    assert merged.rows == whole.rows
    assert merged.pooled() == dict(zip(LAYOUT.columns, matrix.sum(0).tolist(), strict=True))
    assert as_table([key[:2] for key in keys], matrix).pooled() == whole.pooled()  # equal keys are added
    by_participant = whole.by_participant()
    assert list(by_participant) == ["p0", "p1", "p2"]
    assert by_participant["p1"]["frame_x"] == int(matrix[1::3, LAYOUT.columns.index("frame_x")].sum())
    with pytest.raises(ValueError, match="differ"):
        whole.add(as_table([("p", "axial")], SumsLayout(("0.5",)).slice_sums(*images(1)), SumsLayout(("0.5",))))


def test_rows_without_slices_are_left_out():
    matrix = torch.zeros(2, len(LAYOUT.columns), dtype=torch.int64)
    matrix[1] = LAYOUT.slice_sums(*images(1))[0]
    assert set(as_table([("a", "axial"), ("b", "axial")], matrix).rows) == {("b", "axial")}


@pytest.mark.parametrize("by_slice", [False, True])
def test_csv_comes_back_and_every_truncation_is_noticed(tmp_path, by_slice):
    keys = [("p,1", "axial", 3), ("p,1", "axial", 12), ("p2", "axial", 1)]
    table = as_table(keys if by_slice else [key[:2] for key in keys], LAYOUT.slice_sums(*images(3)))
    path = tmp_path / "sums.csv"
    table.write_csv(path)
    again = SumsTable.read_csv(path)
    assert again.rows == table.rows
    assert again.columns == table.columns
    text = path.read_bytes()
    for length in [*range(0, len(text), 97), len(text) - 1]:
        path.write_bytes(text[:length])
        with pytest.raises(SctError, match=r"sums\.csv"):
            SumsTable.read_csv(path)
    path.write_bytes(text[: text.rindex(b"\n", 0, -1) + 1])  # cut exactly at the end of a line
    with pytest.raises(SctError, match="truncated"):
        SumsTable.read_csv(path)


@pytest.mark.parametrize(
    "text", ["a,b\n1,2\n", "participant_id,plane,n_rows,frame_n\np,axial,1,x\n", "\x00", "<html>\n"]
)
def test_what_is_no_table_is_said_in_one_line(tmp_path, text):
    path = tmp_path / "sums.csv"
    path.write_text(text)
    with pytest.raises(SctError, match=r"sums.csv: [^\n]*$"):
        SumsTable.read_csv(path)
    with pytest.raises(SctError, match="no such file"):
        SumsTable.read_csv(tmp_path / "other.csv")


def test_sums_are_exact_under_autocast_and_in_parts(monkeypatch):
    prediction, ct, mask = images(5, 32)
    expected = LAYOUT.slice_sums(prediction, ct, mask)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(LAYOUT.slice_sums(prediction, ct, mask), expected)
    for pixels in (7, 1000):
        monkeypatch.setattr("sct.core.pixel_sums._EXACT_PIXELS", pixels)
        monkeypatch.setattr("sct.core.pixel_sums._CPU_CHUNK_PIXELS", pixels)
        assert torch.equal(LAYOUT.slice_sums(prediction, ct, mask), expected)
