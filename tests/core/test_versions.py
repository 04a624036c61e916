"""One version everywhere, and a record that names no place."""

import re
import socket
import tomllib
from pathlib import Path

import torch
import yaml

import sct
from sct.core.versions import versions

ROOT = Path(__file__).parents[2]


def test_package_citation_and_module_have_one_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert project["version"] == citation["version"] == sct.__version__
    assert project["license"] == citation["license"] == "Apache-2.0"
    assert citation["references"][0]["doi"] == "10.3174/ajnr.A7588"


def test_every_dependency_has_a_floor_with_a_reason_and_a_held_version():
    text = (ROOT / "pyproject.toml").read_text()
    lines = re.search(r"\ndependencies = \[\n(.*?)\n\]", text, re.DOTALL).group(1).splitlines()
    constraints = (ROOT / "constraints.txt").read_text().splitlines()
    held = {line.partition("==")[0].lower().replace("_", "-") for line in constraints}
    for line in lines:
        name, floor, reason = re.fullmatch(r'\s*"([\w-]+)>=([\d.]+)",\s+# (\S.*)', line).groups()
        assert floor
        assert reason
        assert name.lower() in held, name
    names_and_versions = r"[\w.-]+==[\w.+!-]+"
    for line in constraints:
        assert re.fullmatch(names_and_versions, line) or line.startswith("#") or not line, line


def test_versions_tell_what_ran_and_not_where():
    found = versions()
    assert found["sct"] == sct.__version__
    assert found["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
    assert not [value for value in found.values() if "/" in value]
    assert socket.gethostname() not in found.values()
