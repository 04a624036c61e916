"""From a configuration to a store: makes the embedded cohort when it is missing, and prepares it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sct.cohorts.cohort import Cohort, read_cohort
from sct.cohorts.table import is_folder_name
from sct.core.errors import SctError
from sct.head_phantom.cohort import check_phantom_folder, write_phantom_cohort
from sct.head_phantom.settings import PhantomSettings
from sct.preparation.cohort import PrepareReport, prepare_cohort
from sct.preparation.lock import exclusive
from sct.preparation.settings import PrepareSettings

__all__ = ["find_cohort", "phantom_settings", "prepare"]


def prepare(cohort: Mapping[str, Any], prepare: Mapping[str, Any]) -> PrepareReport:
    """Make and prepare what is missing.

    Args:
        cohort: The configuration's node `cohort`: name, root, optionally where, phantom, displaced.
        prepare: Its node `prepare`: store, jobs, on_error and the settings.

    Raises:
        SctError: A value is wrong, or the cohort cannot be read, made or prepared.
    """
    settings = PrepareSettings.from_plain(prepare)
    if not isinstance(prepare.get("store"), str):
        raise SctError(f"prepare.store={prepare.get('store')}: must be a folder")
    on_error = str(prepare.get("on_error", "stop"))
    found = find_cohort(cohort, skip_missing=on_error == "skip", jobs=prepare.get("jobs"))
    return prepare_cohort(found, settings, Path(prepare["store"]), prepare.get("jobs"), on_error)


def find_cohort(cohort: Mapping[str, Any], skip_missing: bool = False, jobs: int | None = None) -> Cohort:
    """The cohort that the configuration's node `cohort` means; a phantom is made when it is missing.

    Raises:
        SctError: A value is wrong, or the cohort cannot be read or made.
    """
    if not is_folder_name(str(cohort["name"])):
        raise SctError(f"cohort.name={cohort['name']}: cannot be a folder's name; no path, no leading dot")
    root = Path(cohort["root"])
    if cohort.get("phantom"):
        settings = phantom_settings(cohort)
        check_phantom_folder(root, jobs)  # before the lock, which would leave its file in somebody else's folder
        with exclusive(root):
            write_phantom_cohort(root, settings, jobs)
    return read_cohort(root, cohort.get("name"), cohort.get("where"), skip_missing)


def phantom_settings(cohort: Mapping[str, Any]) -> PhantomSettings:
    """What phantom the configuration's node `cohort` asks for.

    Raises:
        SctError: A value is wrong.
    """
    try:
        return PhantomSettings(**cohort["phantom"], displaced=cohort.get("displaced", False))
    except TypeError as error:
        raise SctError(f"cohort.phantom: {error}") from error
