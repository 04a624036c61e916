"""NiiVue, the viewer in a page, as it comes with an installed package; no copy of it is kept here."""

import re
import urllib.parse
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from sct.core.errors import SctError

__all__ = ["load_niivue"]

# The package carries NiiVue's stand-alone module, percent-encoded, as the code of the pages that it saves itself.
ENCODED_MODULE = re.compile(r'="((?:[A-Za-z0-9_.!~*\'()\-]|%[0-9A-Fa-f]{2}){100000,})"')


@lru_cache(maxsize=1)
def load_niivue() -> tuple[str, str]:
    """NiiVue's stand-alone module out of the installed ipyniivue, and the licence text that goes with it.

    Read once in a process: a command that ends in a page calls it first, so that a missing package is told before the
    work and not after it.

    Raises:
        SctError: ipyniivue is missing or of another make.
    """
    try:
        package = metadata.distribution("ipyniivue")
    except metadata.PackageNotFoundError as error:
        raise SctError("ipyniivue is not installed; the viewer needs it: pip install 'ipyniivue>=2.3.3'") from error
    widget = Path(str(package.locate_file("ipyniivue/static/widget.js")))
    found = ENCODED_MODULE.search(widget.read_text(encoding="utf-8")) if widget.is_file() else None
    module = urllib.parse.unquote(found.group(1)) if found else ""
    if not re.search(r"export\s*\{[^}]*\bNiivue\b", module):
        raise SctError(f"ipyniivue {package.version} carries no stand-alone NiiVue; install ipyniivue>=2.3.3,<3")
    licences = [str(name) for name in package.files or [] if name.name.upper().startswith("LICENSE")]
    texts = [package.read_text(str(Path(name).relative_to(Path(name).parts[0]))) or "" for name in licences]
    return module.replace("</script", "<\\/script"), "\n".join(texts) or f"{package.metadata['License']}"
