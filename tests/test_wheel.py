"""An installed wheel works from any folder, with its configuration inside."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package installed from a freshly built wheel, without its dependencies."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    target = folder / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    return target


def _python(site: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(site)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_wheel_carries_its_configuration(installed: Path, tmp_path: Path) -> None:
    where = _python(installed, tmp_path, "-c", "import sct._door as d; print(d.config_folder())")
    assert Path(where.stdout.strip()) == installed / "sct" / "conf"
    assert {p.relative_to(ROOT / "conf") for p in (ROOT / "conf").rglob("*.yaml")} == {
        p.relative_to(installed / "sct" / "conf") for p in (installed / "sct" / "conf").rglob("*.yaml")
    }
    shown = _python(installed, tmp_path, "-m", "sct.run", "--cfg", "job", "--resolve", "loss=mix")
    assert shown.returncode == 0, shown.stderr
    assert "name: mix-4.4" in shown.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_wheel_carries_all_that_is_no_module(installed: Path) -> None:
    found = {p.relative_to(ROOT / "sct") for p in (ROOT / "sct").rglob("*") if p.is_file() and p.suffix != ".pyc"}
    assert found <= {p.relative_to(installed / "sct") for p in (installed / "sct").rglob("*")}


def test_the_installed_command_lists_its_doors(installed: Path, tmp_path: Path) -> None:
    listed = _python(installed, tmp_path, "-m", "sct")
    assert listed.returncode == 0
    assert "summarize" in listed.stdout
    unknown = _python(installed, tmp_path, "-m", "sct", "sumarize")
    assert unknown.returncode == 2
    assert unknown.stderr.strip() == "error: sct sumarize: no such command; did you mean summarize?"


def test_the_command_finds_modules_in_the_folder_of_the_call(tmp_path: Path) -> None:
    (tmp_path / "mylosses.py").touch()
    code = (
        "import sys; from sct.__main__ import main; sys.argv = ['sct', 'phantom', '--help']\n"
        "try: main()\nexcept SystemExit: import mylosses"
    )
    subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, check=True, capture_output=True)
