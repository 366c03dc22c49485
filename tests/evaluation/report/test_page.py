"""The page of an evaluation, opened in a real browser; and its figures."""

import base64
import io
import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest
from PIL import Image

from fiqa_spark.errors import MachineError
from fiqa_spark.evaluation.findings import (
    Comparison,
    Curve,
    Findings,
    IdentityLabels,
    Interval,
    JudgeFindings,
    OperatingPoint,
    PartialAuc,
    Profile,
    Sheet,
    Similarities,
    SizeClass,
    Thumbnail,
)
from fiqa_spark.evaluation.report import figures
from fiqa_spark.evaluation.report.drawing import readable
from fiqa_spark.evaluation.report.page import page
from fiqa_spark.evaluation.report.rendering import check_installed
from fiqa_spark.evaluation.report.thumbnails import thumbnail
from tests.browsing import Visit

pytestmark = pytest.mark.filterwarnings("error")

ROOT = pathlib.Path(__file__).resolve().parents[3]
SCRIPT = "<script>alert(1)</script>"
NAMES = (
    SCRIPT,
    "\"&'$x^2$ & </title>",
    "_人脸质量标签",
    "control\x00\x1b\udc80",
    "{{ facts }}",
    "six",
    "seven",
    "n" * 120,
)
TITLE = f"Labels {SCRIPT}"
FACTS = {SCRIPT: "f" * 300, "seed": "0"}
LIMITS = (0.2, 0.3, 1.0)
SVG = "{http://www.w3.org/2000/svg}"


def curve(name, place, limits=LIMITS):
    discards = np.linspace(0, 1, 5001)
    errors = 0.05 * (1 - discards) ** (1 + place)
    areas = (
        PartialAuc(
            limit, 0.01, Interval(0.009, 0.011), 0.005, 0.4, Interval(0.3, 0.5), place * 1e-3, Interval(-5e-4, 2e-3)
        )
        for limit in limits
    )
    return Curve(name, discards, errors, tuple(areas))


def comparison(error="fnmr", fixed_by="error", value=0.05, names=NAMES, **curve_options):
    curves = tuple(curve(name, place, **curve_options) for place, name in enumerate(names))
    return Comparison(OperatingPoint(error, fixed_by, value), 0.4321, 0.05, 123_456, curves)


def picture():
    written = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)).save(written, "JPEG")
    return written.getvalue()


def profile(name, quantity="label"):
    tiles = [Thumbnail(f"a/{place}.jpg", 10.0 * place, thumbnail(picture())) for place in range(9)]
    tiles += [Thumbnail(f"{SCRIPT}.jpg", 1.0, None), Thumbnail("p" * 300, 2.0, None)]
    return Profile(
        name=name,
        path="/data/" + "d" * 300,
        quantity=quantity,
        statuses={"ok": 1000, SCRIPT: 3},
        edges=np.linspace(0, 100, 51),
        counts=np.arange(50),
        sizes=(SizeClass(1, 1, 70_000, 10, 20, 30), SizeClass(2, 3, 12_345, 20, 30, 50)),
        lowest=(IdentityLabels(SCRIPT, 4, 3, 1.5, 0.25, 70), IdentityLabels("i" * 300, 4, 3, 1.5, 0.25, 70)),
        sheets=(Sheet("Lowest labels", tuple(tiles)),),
    )


def made_up(names=NAMES, convention="fixed"):
    edges = np.linspace(-1, 1, 41)
    counts = np.arange(40)
    judge = JudgeFindings(
        name="EdgeFace",
        path="/features",
        made=(),
        pairs={"source": f"/{SCRIPT}", "mated": 123_456, "left_out": {"no_score in \x01": 7, SCRIPT: 8}},
        comparisons=(
            comparison(names=names),
            comparison("fmr", names=names),
            comparison(fixed_by="fmr", value=0.001, names=names),
        ),
        similarities=Similarities(edges, counts, counts[::-1]),
    )
    return Findings(
        convention=convention,
        pair_quality="min",
        judges=(judge,),
        profiles=tuple(profile(name) for name in names),
        notes=(f"Few pairs: {SCRIPT}",),
    )


def with_curves(findings, *comparisons, **changes):
    """The same findings with other curves of their judge."""
    judge = findings.judges[0]._replace(comparisons=comparisons, **changes)
    return findings._replace(judges=(judge,))


@pytest.fixture(scope="module")
def written():
    """The page as text."""
    return page(made_up(), title=TITLE, facts=FACTS)


@pytest.fixture(scope="module")
def visit(browser, written, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(written, encoding="utf-8")
    browser.set_window_size(1000, 1000)
    return Visit(browser, path)


def test_browser_asks_for_nothing_outside_of_the_page_and_has_nothing_to_complain_of(visit):
    assert visit.address in visit.requests
    assert {url.split(":")[0] for url in visit.requests} == {"file", "data"}
    assert [url for url in visit.requests if url.startswith("file:")] == [visit.address]
    assert visit.messages == []


def test_complaints_and_requests_would_be_seen(visit, written, browser, tmp_path):
    spoiled = tmp_path / "spoiled.html"
    spoiled.write_text(
        written.replace("</body>", '<img src="x.png"><script>alert(1)</script></body>'), encoding="utf-8"
    )
    try:
        told = " ".join(message["message"] for message in Visit(browser, spoiled).messages)
        assert "x.png" in told
        assert "script" in told
    finally:
        browser.get(visit.address)


def test_every_image_is_shown(visit):
    findings = made_up()
    sets, comparisons = len(findings.profiles), len(findings.judges[0].comparisons)
    swatches, figures_, thumbnails = comparisons * sets * len(LIMITS), comparisons + 1 + 2 * sets, 9 * sets
    widths = visit.ask("[...document.images].map(image => image.naturalWidth)")
    assert len(widths) == swatches + figures_ + thumbnails
    assert min(widths) > 0
    assert visit.ask("[...document.querySelectorAll('figure > img')].every(image => image.alt)")
    assert visit.ask("document.querySelectorAll('.unreadable').length") == 2 * sets


def test_hostile_text_stays_text(visit):
    assert visit.ask("document.scripts.length") == 0
    text = visit.ask("document.body.textContent")
    # As name, status, identity, path, pairs' source and reason, fact, note and title, some of them several times.
    assert text.count(SCRIPT) >= 9
    for name in NAMES:
        assert readable(name) in text
    assert visit.ask("document.title") == TITLE
    assert visit.ask("document.querySelector('h1').textContent") == TITLE
    assert "control\ufffd\ufffd\ufffd" in text


def test_nothing_sticks_out(visit):
    assert visit.ask("innerWidth") == 1000
    assert visit.ask("document.documentElement.scrollWidth") <= 1000
    ends = visit.ask("[...document.body.querySelectorAll('*')].map(each => each.getBoundingClientRect().right)")
    assert max(ends) <= 1000


def test_page_tells_who_is_better_in_words(visit):
    rows = visit.ask("[...document.querySelectorAll('article:first-of-type table tr')].map(row => row.innerText)")
    assert len(rows) == 1 + len(LIMITS) * (1 + len(NAMES))
    assert rows[1] == "Discards up to 0.2"
    assert "is the first" in rows[2]
    assert "not told apart" in rows[3]
    assert "0.01000" in rows[3]
    assert "0.00900 to 0.01100" in rows[3]
    assert "+0.00100" in rows[3]
    assert "\N{MINUS SIGN}0.00050 to +0.00200" in rows[3]


def test_verdict_is_that_of_the_interval():
    intervals = {"better": (-2e-3, -1e-3), "worse": (1e-3, 2e-3), "not told apart": (0.0, 1e-3)}
    curves = [curve("first", 0)]
    for verdict, ends in intervals.items():
        own = curve(verdict, 1)
        areas = (area._replace(delta_to_first_interval=Interval(*ends)) for area in own.areas)
        curves.append(own._replace(areas=tuple(areas)))
    judged = comparison()._replace(curves=tuple(curves))
    findings = with_curves(made_up(names=("first", "second")), judged, similarities=None)
    table = page(findings, title="t", facts={}).split("<article>")[1].split("</article>")[0]
    cells = re.findall(r'<td class="(?:verdict soft|clear)">(?:[▼▲] )?([^<]+)</td>', table)
    assert cells == [*intervals] * len(LIMITS)


def test_page_prints(visit):
    printed = visit.browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    content = base64.b64decode(printed["data"])
    assert content.startswith(b"%PDF-")
    sheets = len(re.findall(rb"/Type\s*/Page\b", content))
    assert sheets > len(NAMES)
    boxes = {tuple(map(float, box.split())) for box in re.findall(rb"/MediaBox\s*\[([^\]]+)\]", content)}
    (box,) = boxes
    assert box == pytest.approx((0, 0, 595.3, 841.9), abs=1)


def test_page_without_comparable_pairs_or_pictures_says_the_rest():
    findings = made_up(("only",))
    bare = findings.profiles[0]._replace(sizes=(), lowest=(), sheets=())
    shown = page(with_curves(findings, similarities=None)._replace(profiles=(bare,)), title="t", facts={})
    assert "Few pairs" in shown
    assert 'id="curves"' not in shown
    assert 'id="similarities"' not in shown
    assert shown.count("<img") == 1


def test_page_without_a_theoretical_best_shows_a_dash():
    judged = comparison(fixed_by="fmr", names=NAMES[:2])
    curves = tuple(
        each._replace(areas=tuple(area._replace(delta_to_best=None) for area in each.areas)) for each in judged.curves
    )
    findings = with_curves(made_up(NAMES[:2], "recomputed"), judged._replace(curves=curves), similarities=None)
    assert page(findings, title="t", facts={}).count('<td class="number">\N{EN DASH}</td>') == 2 * len(LIMITS)


def test_page_is_the_same_from_a_zip_file_and_in_silence(tmp_path):
    archive = tmp_path / "package.zip"
    write = [sys.executable, "-m", "fiqa_spark.runtime.compiled_zip", "--package", str(archive)]
    subprocess.run(write, check=True, cwd=ROOT)
    code = (
        "import sys\n"
        "from fiqa_spark.evaluation.report import page as report\n"
        "from tests.evaluation.report.test_page import FACTS, NAMES, TITLE, made_up\n"
        "assert 'package.zip' in report.__file__\n"
        "sys.stdout.buffer.write(report.page(made_up(NAMES[:1]), title=TITLE, facts=FACTS).encode())"
    )
    # Where Matplotlib finds no home for its cache it would say so.
    surroundings = {"PYTHONPATH": f"{archive}:{ROOT}", "HOME": "/nonexistent"}
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env=surroundings,
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert ran.stderr == b""
    assert ran.stdout.decode() == page(made_up(NAMES[:1]), title=TITLE, facts=FACTS)


@pytest.mark.parametrize(
    ("absent", "message"),
    [
        (["jinja2"], "Jinja2 is missing, which draws the report; run pip install 'fiqa-spark[report]'"),
        (
            ["matplotlib", "jinja2", "PIL"],
            "Matplotlib, Jinja2 and Pillow are missing, which draw the report; run pip install 'fiqa-spark[report]'",
        ),
    ],
)
def test_missing_libraries_are_named(absent, message):
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({absent!r}))\n"
        "from fiqa_spark.evaluation.report.rendering import check_installed\n"
        "try: check_installed()\nexcept Exception as error: print(type(error).__name__, error, sep=': ')"
    )
    answer = subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT)
    assert answer == f"{MachineError.__name__}: {message}\n"
    assert check_installed() is None


def parsed(svg):
    return ElementTree.fromstring(svg)  # noqa: S314


def texts(svg):
    """All texts of a figure, once it is known to be well-formed."""
    return ["".join(each.itertext()) for each in parsed(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("convention", ["fixed", "recomputed"])
def test_curves_say_what_they_are(convention):
    shown = texts(figures.discard_curves(comparison(fixed_by="fmr", value=0.001), convention))
    assert "FNMR at the threshold of FMR 0.001" in shown
    assert any(text.startswith("threshold 0.4321") and "FNMR 0.05 before any discard" in text for text in shown)
    assert "Pairs discarded (fraction)" in shown
    assert "FNMR (fraction of mated pairs left)" in shown
    assert ("theoretical best" in shown) == (convention == "fixed")
    assert any("taken anew" in text for text in shown) == (convention == "recomputed")
    for name in NAMES[:-1]:
        assert readable(name) in shown
    assert "n" * 39 + "…" in shown
    assert "FMR (fraction of non-mated pairs left)" in texts(figures.discard_curves(comparison("fmr"), convention))


def test_other_figures_say_what_they_are():
    findings = made_up()
    shown = texts(figures.similarity_densities(findings.judges[0].similarities, findings.judges[0].comparisons))
    assert {"Similarities of mated and non-mated pairs", "Similarity of the two images of a pair (cosine)"} <= set(
        shown
    )
    assert "Density (per unit of similarity)" in shown
    assert sum(text.startswith("threshold 0.4321: F") for text in shown) == len(findings.judges[0].comparisons)
    shown = texts(figures.label_histogram(profile(SCRIPT)))
    assert {f"Labels of {SCRIPT}: 1,225 images", "Label (0 to 100, higher is better)", "Images (number)"} <= set(shown)
    shown = texts(figures.labels_by_size(profile(SCRIPT, "ERS")))
    assert f"ERS against the identity's number of images, {SCRIPT}" in shown
    assert {
        "Images of the identity (number); above: identities (number)",
        "Mean ERS (0 to 1, higher is better)",
    } <= set(shown)
    assert {"1", "2–3", "70,000", "12,345"} <= set(shown)  # noqa: RUF001


def test_label_sets_differ_in_colour_or_line_and_swatches_show_the_same():
    assert len({figures.swatch(place) for place in range(35)}) == 35
    lines = [re.search(rb'stroke="(.+?)".*dasharray="(.+?)"', figures.swatch(place)).groups() for place in range(5)]
    assert len({colour for colour, _ in lines}) == len({dashes for _, dashes in lines}) == 5
    paths = list(parsed(figures.discard_curves(comparison(), "fixed")).iter(f"{SVG}path"))
    # Axes and ticks are thinner.
    paths = [path for path in paths if "stroke-width: 1.7" in path.get("style", "")]
    for place in range(len(NAMES)):
        colour = re.search(r'stroke="(.+?)"', figures.swatch(place).decode())[1].lower()
        same = [path for path in paths if f"stroke: {colour}" in path.get("style")]
        # In both panels and, not clipped by them, in the legend; the eighth has the colour of the first again.
        assert len(same) == 3 * (1 + (place in (0, 7)))
        assert sum(path.get("clip-path") is None for path in same) == len(same) // 3


def test_long_curves_are_drawn_at_few_places_and_step_where_they_should():
    discards = np.linspace(0, 1, 1_000_001)
    stepped = curve("a", 0, limits=(1.0,))._replace(
        discards=discards, error_rates=np.where(discards < 0.37, 0.05, 0.02)
    )
    svg = figures.discard_curves(comparison()._replace(curves=(stepped,)), "fixed")
    assert len(svg) < 40_000
    blue = [path for path in parsed(svg).iter(f"{SVG}path") if "stroke: #0072b2" in path.get("style", "")]
    commands = re.findall(r"([MHV])([\d.]+)", blue[0].get("d"))
    assert "".join(command for command, _ in commands).startswith("MHVH")
    left, drop, _, right = (float(place) for _, place in commands[:4])
    assert (drop - left) / (right - left) == pytest.approx(0.37, abs=1.01 / figures.POSITIONS)


def test_figures_depend_on_nothing_but_what_they_show(capfd):
    expected = figures.discard_curves(comparison(), "fixed")
    with matplotlib.rc_context({"svg.fonttype": "path", "font.size": 30, "axes.grid": False}):
        assert figures.discard_curves(comparison(), "fixed") == expected
        assert matplotlib.rcParams["font.size"] == 30
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("level", [0.0, 50.0])
def test_labels_that_are_all_the_same_are_drawn(level):
    same = profile("same", "score")._replace(edges=np.full(51, level), counts=np.eye(50, dtype=int)[0])
    assert "Score (higher is better)" in texts(figures.label_histogram(same))
