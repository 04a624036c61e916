"""A page in headless Chromium, as a person would see it."""

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium installed")
FLAGS = (
    "--headless --no-sandbox --disable-quic --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync --disable-dev-shm-usage --use-gl=angle --use-angle=swiftshader --enable-unsafe-swiftshader "
    "--window-size=1000,700 --virtual-time-budget=60000 --enable-logging=stderr"
)


@dataclass(frozen=True)
class Seen:
    """What the browser showed.

    Attributes:
        dom: The page after its scripts ran.
        pixels: The screenshot, RGB 0..1 (700, 1000, 3).
        messages: Lines of the browser's console.
    """

    dom: str
    pixels: np.ndarray
    messages: list[str]

    def state(self, name: str) -> str | None:
        found = re.search(rf'<html[^>]*\bdata-{name}="([^"]*)"', self.dom)
        return found.group(1) if found else None


def open_page(page: Path) -> Seen:
    """Open a local page with all name look-ups turned away, and wait for its scripts."""
    import matplotlib.image

    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "page.png"
        outputs = [f"--user-data-dir={folder}/profile", f"--screenshot={picture}", "--dump-dom"]
        blocked = "--host-resolver-rules=MAP * ~NOTFOUND"
        run = subprocess.run(
            [str(CHROMIUM), *FLAGS.split(), blocked, *outputs, page.resolve().as_uri()],
            capture_output=True,
            text=True,
            timeout=240,
            check=True,
            env=os.environ | {"HOME": folder},
        )
        pixels = matplotlib.image.imread(picture)[:, :, :3]
    return Seen(run.stdout, pixels, [line for line in run.stderr.splitlines() if "CONSOLE" in line])
