"""Who takes part: the fixed table of phantom39, and participants for cohorts of any size."""

from sct.head_phantom.randomness import generator
from sct.head_phantom.settings import PhantomSettings

__all__ = ["COLUMNS", "participant_columns", "participant_id"]

COLUMNS = ("institution", "ct_vendor", "mr_vendor", "technique", "field_strength", "age", "sex", "indication")

# The joint table of phantom39. The paper prints the marginals only (institution 16 + 23; CT Siemens 23, GE 9, Canon 7;
# MR Siemens 13, GE 26; 3 T but for two at 1.5 T; 23 male, 16 female; age neonate to 35 years, median 4.5; indications
# 10, 5, 4, 4, 10, 6) and names the techniques; how they combine is ours. ZTE only on GE, 1.5 T only on Siemens (Aera).
_TABLE = """
1 Siemens GE      ZTE 3.0  0.4  M craniosynostosis
1 Siemens GE      ZTE 3.0  4.5  F preoperative
1 Siemens Siemens UTE 3.0  9.0  M trauma
1 GE      GE      GRE 3.0  1.2  M craniosynostosis
1 Siemens GE      ZTE 3.0 14.0  M preoperative
1 Siemens Siemens GRE 3.0  2.5  F genetic
1 Canon   GE      ZTE 3.0  0.7  M craniosynostosis
1 Siemens GE      ZTE 3.0 17.0  F tumour
1 Siemens Siemens UTE 3.0  0.2  F craniosynostosis
1 GE      GE      GRE 3.0  6.0  M postoperative
1 Siemens GE      ZTE 3.0  3.0  M genetic
1 Siemens GE      GRE 3.0 11.0  M preoperative
1 Siemens Siemens UTE 1.5  5.5  M postoperative
1 Canon   GE      ZTE 3.0 25.0  F preoperative
1 Siemens GE      ZTE 3.0  1.8  F preoperative
1 GE      Siemens GRE 3.0  8.0  M trauma
2 Siemens GE      ZTE 3.0  0.05 M craniosynostosis
2 GE      Siemens GRE 3.0  0.9  M craniosynostosis
2 Siemens Siemens UTE 3.0 15.5  F tumour
2 Canon   GE      ZTE 3.0  0.3  F craniosynostosis
2 Siemens GE      ZTE 3.0 35.0  M preoperative
2 Siemens Siemens GRE 3.0  2.0  M genetic
2 GE      GE      UTE 3.0  7.0  F preoperative
2 Siemens GE      ZTE 3.0  0.6  M craniosynostosis
2 Siemens GE      GRE 3.0 12.5  M trauma
2 Canon   Siemens UTE 3.0  1.5  F genetic
2 Siemens GE      ZTE 3.0  5.0  M postoperative
2 GE      GE      GRE 3.0 19.0  F preoperative
2 Siemens Siemens GRE 1.5  3.5  M postoperative
2 Siemens GE      ZTE 3.0  0.5  F craniosynostosis
2 Canon   GE      UTE 3.0 10.0  M tumour
2 Siemens GE      ZTE 3.0  1.0  M craniosynostosis
2 GE      Siemens UTE 3.0 22.0  F preoperative
2 Siemens GE      GRE 3.0  4.0  M postoperative
2 Siemens GE      ZTE 3.0 13.0  F preoperative
2 Canon   Siemens GRE 3.0  6.5  M trauma
2 GE      GE      ZTE 3.0  2.8  F genetic
2 Canon   GE      GRE 3.0 16.0  M tumour
2 GE      Siemens UTE 3.0  3.2  F postoperative
"""
_ROWS = [line.split() for line in _TABLE.strip().splitlines()]

# Ages of the youngest to the oldest in equal shares, in years: neonate to 35 with median 4.5 (paper, cohort).
_AGE_QUANTILES = (0.03, 0.3, 0.7, 1.6, 4.5, 7.0, 11.0, 17.0, 35.0)
_INDICATIONS = ("preoperative", "craniosynostosis", "postoperative", "tumour", "trauma", "genetic")
# Scanners by turns: any eight successive participants have all techniques, both vendors and both institutions.
_SCANS = (
    ("1", "Siemens", "GE", "ZTE", "3.0"),
    ("2", "GE", "Siemens", "UTE", "3.0"),
    ("1", "Canon", "GE", "GRE", "3.0"),
    ("2", "Siemens", "GE", "ZTE", "3.0"),
    ("1", "GE", "Siemens", "GRE", "1.5"),
    ("2", "Siemens", "GE", "UTE", "3.0"),
    ("2", "Siemens", "GE", "ZTE", "3.0"),
    ("2", "Canon", "Siemens", "GRE", "3.0"),
)


def participant_id(index: int) -> str:
    """`sub-01` for index 0."""
    return f"sub-{index + 1:02d}"


def participant_columns(settings: PhantomSettings, index: int) -> dict[str, str]:
    """The row of participants.tsv, without the id.

    Without a preset the row depends on the seed and the index only, so that a larger cohort begins with the smaller.
    """
    if settings.preset is not None:
        return dict(zip(COLUMNS, _ROWS[index], strict=True))
    rng = generator(settings.seed, index, "columns")
    # Eight strata of age, visited 0 3 6 1 4 7 2 5: neighbours differ in age and no technique has one age only.
    place = (3 * index + settings.seed) % 8 + rng.uniform()
    low, high = _AGE_QUANTILES[int(place)], _AGE_QUANTILES[int(place) + 1]
    age = low * (high / low) ** (place % 1)
    sex = "M" if rng.uniform() < 23 / 39 else "F"
    infant_only = age < 3  # nobody is first operated for a closed suture later
    choices = [name for name in _INDICATIONS if infant_only or name != "craniosynostosis"]
    indication = choices[int(rng.integers(len(choices)))]
    return dict(zip(COLUMNS, (*_SCANS[index % 8], f"{age:.2f}", sex, indication), strict=True))
