"""What a preparation did, as lines for the screen."""

from sct.preparation.cohort import PrepareReport
from sct.preparation.participant import contact_sheet_path
from sct.preparation.slicing import REASONS
from sct.preparation.store import ParticipantRecord
from sct.slices.planes import PLANES

__all__ = ["failures", "summary"]


def summary(report: PrepareReport) -> str:
    """A table with a line per participant, then what was left out and why, then paths."""
    store = report.store
    records = [store.record(name) for name in store.participant_ids]
    heading = ("participant", *PLANES, "left out", "state")
    rows = [_row(record, record.participant_id in report.prepared) for record in records]
    total = [sum(int(row[i]) for row in rows) for i in range(1, 5)]
    rows.append(("all", *(str(n) for n in total), ""))
    widths = [max(len(row[i]) for row in [heading, *rows]) for i in range(len(heading))]
    lines = ["  ".join(_aligned(row, widths)).rstrip() for row in [heading, *rows]]
    reasons: dict[str, int] = {}
    for record in records:
        for reason, n in record.left_out_reasons.items():
            reasons[reason] = reasons.get(reason, 0) + n
    lines += ["", *(f"left out: {n} slices, {reason}: {REASONS[reason]}" for reason, n in sorted(reasons.items()))]
    lines += [
        f"warning: {record.participant_id}: {warning}"
        for record in records
        for warning in (record.registration or {}).get("warnings", [])
    ]
    if store.settings["frame"] == "patch":
        n_slices = sum(len(set(zip(record.planes, record.indices, strict=True))) for record in records)
        side = store.settings["size_px"]
        lines.append(f"crops: {total[0] + total[1] + total[2]} of {side} x {side} pixels, from {n_slices} slices")
    if report.failed:
        lines.append(failures(report))
    if any(contact_sheet_path(report.folder, name).exists() for name in store.participant_ids):
        lines.append(f"contact sheets: {contact_sheet_path(report.folder, '<participant_id>')}")
    lines.append(f"store: {report.folder}")
    return "\n".join(lines)


def failures(report: PrepareReport) -> str:
    """A line per participant that was left out; empty when there is none."""
    lines = [message if message.startswith(name) else f"{name}: {message}" for name, message in report.failed.items()]
    return "\n".join(f"left out: {line}" for line in lines)


def _row(record: ParticipantRecord, is_new: bool) -> tuple[str, ...]:
    counts = [str(int((record.planes == number).sum())) for number in range(len(PLANES))]
    left_out = str(sum(record.left_out.values()))
    return (record.participant_id, *counts, left_out, "prepared" if is_new else "up to date")


def _aligned(row: tuple[str, ...], widths: list[int]) -> list[str]:
    """Text to the left, numbers to the right."""
    return [
        cell.ljust(width) if i in (0, len(row) - 1) else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
