"""The page: self-contained, whole, and rendered by a real browser."""

import html.parser
import json
import re
import shutil
import subprocess

import pytest
from study.fabricated import grid, make_runs

from sct.study.reading import read_study
from sct.study.results import Study
from sct.study.summary import write_summary

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)


@pytest.fixture(scope="module")
def written(finished, tmp_path_factory):
    runs, cells = finished
    folder = tmp_path_factory.mktemp("summary")
    study = read_study(cells, runs)
    return folder, study, write_summary(study, runs, folder, "python -m sct.summarize <script>alert(1)</script>")


class Page(html.parser.HTMLParser):
    """Addresses, nesting and text of a page."""

    VOID = frozenset({"meta", "img", "br", "link", "hr", "input"})

    def __init__(self, text):
        super().__init__()
        self.addresses, self.open, self.tags, self.text = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in {"src", "href", "srcset", "data"}]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_every_file_is_there(written):
    folder, _, summary = written
    names = {path.name for path in summary.paths}
    assert {"report.html", "table.md", "table.csv", "table.tex", "tests.md", "tests.csv"} <= names
    assert {"networks.png", "losses.png", "front.png", "curves.png", "spread.png", "tissue.png"} <= names
    assert all(path.exists() for path in summary.paths)
    assert {path.name for path in folder.iterdir()} == names


def test_the_page_needs_nothing_from_outside(written):
    folder, _, _ = written
    text = (folder / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert len(page.addresses) == 6
    assert all(address.startswith("data:image/png;base64,") for address in page.addresses)
    assert "script" not in page.tags  # the command was escaped
    assert "@import" not in text
    assert "url(" not in text
    assert not re.search(r"https?://", text)


def test_the_page_can_be_read_on_its_own(written):
    folder, study, _ = written
    text = " ".join(Page((folder / "report.html").read_text(encoding="utf-8")).text.split())
    for phrase in (
        "Research software, not a medical device.",
        "These are phantom figures.",
        "6 seeds x 4 folds; 8 participants and 24 test slices",
        "python -m sct.summarize <script>",
        "paired Wilcoxon",
        "0.0078 with 8 participants",
        "Over participants (at most 8 a pair) nothing can be significant here: the smallest p that 54 tests leave "
        "possible after correction is 0.42.",
        "doi 10.3174/ajnr.A7588",
        "-500 to 1500 HU",
        "sct 0.1.0",
    ):
        assert phrase in text, phrase
    interval = study.rows[0].interval("mae_hu")
    assert f"{interval.mean:.1f}" in text
    assert "95.6 (94.4–96.9)" in text


def test_real_patients_are_not_called_phantoms(written, tmp_path):
    _, study, _ = written
    config = {**study.config, "cohort": {"name": "clinic", "root": "x"}}
    patients = Study("clinic", study.rows, (), config)
    write_summary(patients, tmp_path, tmp_path / "out", "x", with_paper=False, n_examples=0)
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "hantom" not in Page(text).text
    assert "not a medical device" in text
    assert "95.6" not in text


@pytest.mark.parametrize("seeds", [1, 2])
def test_gaps_are_printed_in_page_and_table(tmp_path, seeds):
    cells = make_runs(tmp_path, grid(("light_unet",), ("mae",), seeds, baselines=()))
    (cells[3].folder(tmp_path) / "metrics.json").unlink()
    study = read_study(cells, tmp_path, allow_missing=True)
    summary = write_summary(study, tmp_path, tmp_path / "out", "x")
    for text in (summary.text, (tmp_path / "out" / "report.html").read_text(encoding="utf-8")):
        assert "table/light_unet/mae/seed-0/fold-3" in text
        assert "Light U-Net, MAE: seed 0 (has fold 0, 1, 2)" in text
        assert f"{seeds - 1} of {seeds}" in text


def test_figures_that_no_longer_apply_are_removed(tmp_path):
    cells = make_runs(tmp_path, grid(("light_unet",), ("mae",), 1, baselines=()))
    stale = tmp_path / "out" / "front.png"
    stale.parent.mkdir()
    stale.write_bytes(b"old")
    write_summary(read_study(cells, tmp_path), tmp_path, tmp_path / "out", "x")
    assert not stale.exists()


PROBE = """<script>
const found = {
  images: [...document.images].map(i => [i.complete, i.naturalWidth, i.naturalHeight, i.getBoundingClientRect().width]),
  rows: document.querySelectorAll('#table tbody tr').length,
  best: document.querySelectorAll('#table .best').length,
  first: document.querySelector('#table tbody tr').innerText,
  cut: Math.max(...[...document.querySelectorAll('.scroll')].map(box => box.scrollWidth - box.clientWidth)),
  wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  font: getComputedStyle(document.querySelector('#table')).borderCollapse,
};
document.title = 'PROBE' + JSON.stringify(found) + 'END';
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_chromium_shows_table_and_pictures(written, tmp_path):
    folder, study, _ = written
    text = (folder / "report.html").read_text(encoding="utf-8")
    # a copy that reports on itself; the page's own policy forbids scripts, so that line is taken out of the copy
    text = re.sub(r"<meta http-equiv=.Content-Security-Policy.[^>]*>", "", text).replace("</body>", PROBE + "</body>")
    copy = tmp_path / "probe.html"
    copy.write_text(text, encoding="utf-8")
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1280,1000", "--dump-dom"]
    done = subprocess.run([*command, copy.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    found = json.loads(html.unescape(re.search(r"<title>PROBE(.*?)END</title>", done.stdout, re.DOTALL)[1]))
    assert len(found["images"]) == 6
    assert all(
        complete and width > 300 and height > 200 and shown > 300 for complete, width, height, shown in found["images"]
    )
    assert found["rows"] == len(study.rows)
    assert found["best"] == 6
    assert "Light U-Net" in found["first"]
    assert found["wide"] <= 0  # nothing sticks out of the window
    assert found["cut"] <= 0  # nor has a table to be scrolled
    assert found["font"] == "collapse"


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_the_pages_own_policy_lets_its_pictures_and_style_through(written, tmp_path):
    from PIL import Image

    folder, _, _ = written
    shot = tmp_path / "page.png"
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1280,12000"]
    page = (folder / "report.html").as_uri()
    subprocess.run([*command, f"--screenshot={shot}", page], capture_output=True, timeout=120, check=True)
    colours = set(Image.open(shot).convert("RGB").getdata())
    assert (228, 242, 231) in colours  # the green behind the best
    assert (0, 114, 178) in colours  # the first colour of the charts
