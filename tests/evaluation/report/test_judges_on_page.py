"""The page of an evaluation by several judges, with cuts, groups and errors, opened in a real browser."""

import base64
import html
import io
import re

import numpy as np
import pytest
from PIL import Image

from fiqa_spark.evaluation.findings import ExpectedError, ExpectedErrors, Interval, Mistake, Mistakes
from fiqa_spark.evaluation.report import figures
from fiqa_spark.evaluation.report.contact_sheets import with_pictures
from fiqa_spark.evaluation.report.drawing import drawn_figure
from fiqa_spark.evaluation.report.page import page
from fiqa_spark.evaluation.report.thumbnails import thumbnail
from fiqa_spark.runtime.storage import Storage
from tests.browsing import Visit
from tests.evaluation.report.made_up_findings import (
    DISCARDS,
    FMRS,
    GROUPS,
    JUDGES,
    LIMITS,
    PAIRS,
    POINTS,
    SCRIPT,
    SETS,
    photograph,
    three_judges,
)

pytestmark = pytest.mark.filterwarnings("error")

SECTIONS = ("pairs", "judges", "curves", "similarities", "cuts", "as-errors", "groups", "mistakes")
PHOTOGRAPHS = 180
MINUS = "\N{MINUS SIGN}"


@pytest.fixture(scope="module")
def findings():
    photographs = [photograph(number) for number in range(PHOTOGRAPHS)]
    tiles = [thumbnail(each) for each in photographs]
    return three_judges(tiles, [thumbnail(each, 80) for each in photographs])


@pytest.fixture(scope="module")
def written(findings):
    return page(findings, title=f"Labels {SCRIPT}", facts={"seed": "0"})


@pytest.fixture(scope="module")
def visit(browser, written, tmp_path_factory):
    path = tmp_path_factory.mktemp("judges") / "report.html"
    path.write_text(written, encoding="utf-8")
    browser.set_window_size(1000, 1000)
    return Visit(browser, path)


def by_one(findings, number=0, **changes):
    """The findings of one judge alone."""
    return findings._replace(judges=(findings.judges[number]._replace(**changes),))


def bare(findings, **changes):
    """The findings of one judge without most figures, which take long to draw."""
    return by_one(findings, comparisons=(), similarities=None, **changes)._replace(profiles=())


def rows(visit, table):
    """Texts of the cells of each row of a table, the lines of a cell apart."""
    cells = (
        f"[...document.querySelectorAll({table!r} + ' tr')].map(row => [...row.children].map(cell => cell.innerText))"
    )
    return [[re.sub(r"\s*\n+\s*", "|", text.strip()) for text in row] for row in visit.ask(cells)]


def test_every_section_stands_in_the_table_of_contents(visit):
    assert visit.ask("[...document.querySelectorAll('section')].map(each => each.id)")[: len(SECTIONS)] == [*SECTIONS]
    links = visit.ask("[...document.querySelectorAll('nav a')].map(each => each.getAttribute('href'))")
    assert links == [*(f"#{name}" for name in SECTIONS), *(f"#labels-{place}" for place in (1, 2, 3)), "#facts"]
    assert visit.ask("[...document.querySelectorAll('nav a')].every(a => document.querySelector(a.hash))")


def test_browser_asks_for_nothing_and_has_nothing_to_complain_of(visit):
    assert {url for url in visit.requests if not url.startswith("data:")} == {visit.address}
    assert visit.messages == []


def test_page_is_small_and_nothing_sticks_out(visit, written):
    assert len(written.encode()) < 3_000_000
    assert visit.ask("innerWidth") == 1000
    assert visit.ask("document.documentElement.scrollWidth") <= 1000
    ends = visit.ask("[...document.body.querySelectorAll('*')].map(each => each.getBoundingClientRect().right)")
    assert max(ends) <= 1000
    # Nor is there anything to move sideways inside.
    assert visit.ask("[...document.querySelectorAll('.scrolls')].every(each => each.scrollWidth <= each.clientWidth)")


def test_hostile_text_stays_text(visit):
    assert visit.ask("document.scripts.length") == 0
    # Of every section, as name of a set, judge, group, identity, path and note.
    for name in SECTIONS:
        assert SCRIPT in visit.ask(f"document.getElementById({name!r}).innerText"), name
    assert visit.ask("document.querySelector('.notes').innerText").count(SCRIPT) == 1


def test_pairs_are_counted_by_judge_and_their_kind_is_told(visit, findings):
    counts = {name: cells for name, *cells in rows(visit, "#pairs table")}
    assert counts["Judge"] == [*JUDGES]
    assert counts["mated"] == ["23,456", "23,457", "23,458"]
    assert counts["no feature"] == ["", "7", "7"]
    assert "have seen" not in visit.ask("document.getElementById('pairs').innerText")
    assert "made without these pairs" in visit.ask("document.getElementById('pairs').innerText")
    few = {"expected": (), "mistakes": ()}
    seen = page(bare(findings, pairs={"kind": "any", "mated": 5}, **few), title="t", facts={})
    assert "made from the very pairs that judge them here, which flatters" in seen
    listed = page(bare(findings, pairs={"source": "a.csv", "mated": 5}, **few), title="t", facts={})
    assert "flatters them" not in listed
    assert "without these pairs" not in listed


def test_sets_by_judges_have_ranks_and_the_worst(visit):
    head, _, *table = rows(visit, "#judges table")
    assert head[1:4] == [*JUDGES]
    assert len(table) == len(POINTS) * (1 + len(SETS))
    assert [table[place][0] for place in range(0, len(table), 1 + len(SETS))] == [
        "FNMR that starts at 0.05, discards up to 0.2",
        "FNMR that starts at 0.1, discards up to 0.2",
        "FNMR at the threshold of FMR 0.01, discards up to 0.2",
        "FNMR at the threshold of FMR 1e-05, discards up to 0.2",
    ]
    worst = [f"{value}|{JUDGES[2]}" for value in ("0.970", "1.020", "0.900")]
    assert table[1:4] == [
        ["SDD-FIQA", "0.620|0.570 to 0.670", "2", "0.310 †|0.260 to 0.360", "1", "0.970|0.920 to 1.020", "2", worst[0]],
        # Sets that are equal share a rank; the worst value is that of any judge.
        ["margin", "0.480|0.430 to 0.530", "1", "0.550|0.500 to 0.600", "2", "1.020|0.970 to 1.070", "3", worst[1]],
        [SCRIPT, "0.710|0.660 to 0.760", "3", "0.550|0.500 to 0.600", "2", "0.900|0.850 to 0.950", "1", worst[2]],
    ]
    assert "the labels have seen what judges them" in visit.ask("document.getElementById('judges').innerText")


def test_curves_are_those_of_each_judge_and_made_sets_are_marked(visit):
    headings = visit.ask("[...document.querySelectorAll('#curves h3')].map(each => each.innerText)")
    assert headings == [f"By {name}" for name in JUDGES]
    assert visit.ask("document.querySelectorAll('#curves article').length") == len(JUDGES) * len(POINTS)
    marked = visit.ask(
        "[...document.querySelectorAll('#curves article')].map(each => [...each.querySelectorAll('tbody th.drawn')]"
        ".filter(cell => cell.innerText.includes('†')).map(cell => cell.innerText.trim()))"
    )
    own = ["SDD-FIQA †"] * len(LIMITS)
    assert marked == [own if place // len(POINTS) == 1 else [] for place in range(len(marked))]
    table = rows(visit, "#curves article:first-of-type table")
    assert table[0][3] == "part of chance|95 % interval"
    assert table[2][3] == "0.620|0.570 to 0.670"


def test_cuts_tell_what_is_left_and_the_errors_by_judge(visit):
    left = rows(visit, "#cuts h3 + .scrolls table")
    assert left[1:3] == [["0.0 %", "0.00", "99,000", "8,000", "7,000"], ["1.0 %", "1.00", "98,010", "7,999", "6,999"]]
    assert len(left) == len(SETS) * (1 + len(DISCARDS))
    assert left[2 * (1 + len(DISCARDS)) + 2][:2] == ["1.0 %", "0.010"]
    errors = rows(visit, "#cuts h3 + .scrolls + .scrolls table")
    assert errors[0][2:] == [JUDGES[0], f"{JUDGES[1]} †", JUDGES[2]]
    assert errors[1][2:4] == ["FNMR at FMR 0.01", "FNMR at FMR 1e-05 ‡"]
    assert errors[2][:4] == ["0.0 %", "0.00", "0.0800|0.0640 to 0.0960", "0.0400|no interval"]
    # No pair is left of the third set after the last cut.
    assert errors[-1][2:] == ["\N{EN DASH}|no pair"] * len(JUDGES) * len(FMRS)
    text = visit.ask("document.getElementById('cuts').innerText")
    assert text.count("1,000,000 non-mated pairs leave fewer than 30 errors at this FMR") == 1
    assert "The smallest FMR that they can tell is 3e-05" in text


def test_targets_are_labels_or_cannot_be_reached(visit):
    table = rows(visit, "#cuts table.targets")
    assert table[1] == ["0.01 at FMR 0.01", *["label ≥ 34.50|12.3 % of images go, 9,000 mated pairs left"] * 3]
    assert table[2] == ["0.01 at FMR 1e-05", *["cannot be reached|20,000 mated pairs of all images"] * 3]


def test_labels_are_told_as_errors(visit):
    table = rows(visit, "#as-errors table")
    assert table[2][:2] == ["0 to 10", "0.2900|counted 0.3000|30 of 100"]
    assert table[3][:2] == ["10 to 20", "0.1450|no pair"]
    assert len(table) == len(SETS) * 12
    assert table[-1][0] == "0.9 to 1"


def test_groups_are_a_plain_table(visit):
    text = visit.ask("document.getElementById('groups').innerText")
    assert "98,765 labelled images have a group, 321 have none" in text
    labels = rows(visit, "#groups h3 + table")
    assert labels[1] == [GROUPS[0], "1,234", "1,200", "45.25|44.00 to 47.00"]
    assert labels[4] == ["nobody", "1,237", "0", "\N{EN DASH}"]
    table = rows(visit, "#groups h3 + table + .scrolls table")
    each = 1 + (1 + len(GROUPS)) * (1 + len(JUDGES))
    assert len(table) == len(SETS) * each
    assert table[0][1:4] == ["0.0 %", "1.0 %", "2.0 %"]
    assert table[2][1:4] == ["0.0 %", "1.0 %", "2.0 %"]
    assert table[5][1:3] == ["0.0 %", "\N{EN DASH}"]
    assert table[6] == [f"FNMR at FMR 0.01, by {JUDGES[0]} 95 % interval, mated pairs left"]
    assert table[7][:3] == [GROUPS[0], "0.0500|0.0400 to 0.0600|77 pairs", "0.0250|0.0200 to 0.0300|77 pairs"]
    assert table[10][1] == "\N{EN DASH}|0 pairs"
    # No cell is coloured.
    colours = "[...new Set([...document.querySelectorAll('#groups td')].map(cell => getComputedStyle(cell).%s))]"
    assert visit.ask(colours % "backgroundColor") == ["rgba(0, 0, 0, 0)"]
    assert len(visit.ask(colours % "color")) == 1


def test_mistakes_are_told_and_the_audit_is_named(visit):
    text = visit.ask("document.getElementById('mistakes').innerText")
    assert "jobs/audit_identities.py" in text
    assert "images under a wrong identity" in text
    assert f"{PAIRS} of 1,234 mated pairs of a similarity below 0.4321 (FMR 0.01)" in text
    assert f"All {PAIRS} mated pairs of a similarity below 0.4321" in text
    table = rows(visit, "#mistakes table")
    assert len(table) == len(SETS) * (1 + PAIRS)
    assert table[1][1:] == [SCRIPT, f"person0/0.jpg|person0/{SCRIPT}.jpg", "99.50", f"{MINUS}0.100"]
    assert visit.ask("document.querySelectorAll('#mistakes .unreadable').length") == 1


def test_every_picture_is_held_once_and_stands_where_it_belongs(visit, written, findings):
    given = [jpeg for each in findings.judges[1].mistakes for both in each.pictures for jpeg in both]
    held = re.findall(r'\.picture-\d+ \{ background-image: url\("data:image/jpeg;base64,([^"]+)"\); \}', written)
    assert len(held) == len(set(held)) == len({jpeg for jpeg in given if jpeg}) < len(given)
    shown = visit.ask(
        "[...document.querySelectorAll('#mistakes .picture')].map(each => getComputedStyle(each).backgroundImage)"
    )
    contents = [None if each == "none" else base64.b64decode(each.split("base64,")[1].rstrip('")')) for each in shown]
    assert contents == given
    names = visit.ask("[...document.querySelectorAll('#mistakes .shared')].map(each => each.ariaLabel)")
    assert names[:2] == ["person0/0.jpg", f"person0/{SCRIPT}.jpg"]
    assert visit.ask("document.querySelector('#mistakes .shared').getBoundingClientRect().width") == 80


def test_pictures_are_seen_on_the_screen(visit):
    """What the browser draws in the place of a picture is the picture."""
    visit.browser.execute_script("document.querySelector('#mistakes .shared').scrollIntoView({block: 'center'})")
    seen = visit.browser.find_element("css selector", "#mistakes .shared").screenshot_as_png
    pixels = np.asarray(Image.open(io.BytesIO(seen)).convert("RGB"), float)
    expected = np.asarray(Image.open(io.BytesIO(thumbnail(photograph(0), 80))).convert("RGB"), float)
    assert pixels.shape == expected.shape
    assert np.abs(pixels - expected).mean() < 3


def test_one_judge_needs_no_table_of_judges_but_is_marked(findings):
    comparisons = findings.judges[1].comparisons[:1]
    without = {"similarities": None, "expected": (), "mistakes": ()}
    marked = by_one(findings, 1, comparisons=comparisons, **without)._replace(profiles=findings.profiles[:2])
    shown = page(marked, title="t", facts={})
    assert 'id="judges"' not in shown
    assert "By EdgeFace" not in shown
    areas = shown.split('id="curves"')[1].split("</section>")[0]
    assert "the labels have seen what judges them" in areas
    assert len(re.findall(r"SDD-FIQA <abbr[^>]*>†", areas)) == len(LIMITS)
    assert len(re.findall(r"margin <abbr", areas)) == 0
    # Cuts and errors stand in one table, under the judge's name where its features made the labels.
    cuts = shown.split('id="cuts"')[1].split("</section>")[0]
    assert cuts.count('<table class="wide dense">') == len(SETS)
    assert cuts.count('<abbr title="made from these features">') == 1
    unmarked = page(bare(findings), title="t", facts={})
    assert "†" not in unmarked


def test_parts_that_nobody_asked_for_are_not_there(findings):
    nothing = dict.fromkeys(("comparisons", "cuts", "targets", "expected", "groups", "mistakes"), ())
    empty = by_one(findings, similarities=None, **nothing)._replace(
        cuts=(), groups=None, profiles=findings.profiles[:1]
    )
    shown = page(empty, title="t", facts={})
    assert re.findall(r'<section(?: class="profile")? id="([^"]+)"', shown) == [
        "pairs", "labels-1", "facts",
    ]  # fmt: skip
    without_targets = page(bare(findings, targets=(), expected=(), mistakes=()), title="t", facts={})
    assert "least label" not in without_targets
    assert 'id="mistakes"' not in without_targets


def test_a_set_without_mistakes_and_mistakes_without_pictures(findings):
    pair = Mistake("a.jpg", "b.jpg", None, 0.75, 0.25)
    sets = (Mistakes("margin", 0.3, "FMR 0.01", 1, (pair,)), Mistakes(SETS[2], 0.3, "FMR 0.01", 0, ()))
    shown = page(bare(findings, mistakes=sets, expected=())._replace(pair_quality="product"), title="t", facts={})
    part = shown.split('id="mistakes"')[1].split("</section>")[0]
    assert "the product of the labels of its two images" in part
    assert "All 1 mated pairs" not in part
    assert "The one mated pair of a similarity below 0.3000" in part
    assert "No mated pair is of a similarity below 0.3000" in part
    assert "Pictures" not in part
    assert '<td class="number">0.75</td><td class="number">0.250</td>' in part


@pytest.mark.parametrize(
    ("quality", "words"),
    [("min", "the lower label of"), ("mean", "the mean label of"), ("max", "the higher label of")],
)
def test_quality_of_a_pair_is_told(findings, quality, words):
    comparisons = findings.judges[0].comparisons[:1]
    judged = bare(findings, expected=())._replace(pair_quality=quality)
    shown = page(judged._replace(judges=(judged.judges[0]._replace(comparisons=comparisons),)), title="t", facts={})
    assert f"The quality of a pair is {words} its two images." in shown


def test_what_the_pairs_cannot_carry_is_no_number(findings):
    nothing = float("nan")
    comparison = findings.judges[0].comparisons[3]
    curves = tuple(
        curve._replace(
            areas=tuple(
                area._replace(
                    of_chance=nothing,
                    **dict.fromkeys(
                        ("interval", "of_chance_interval", "delta_to_first_interval"), Interval(nothing, nothing)
                    ),
                )
                for area in curve.areas
            )
        )
        for curve in comparison.curves
    )
    without = {"similarities": None, "expected": (), "mistakes": ()}
    shown_curves = (comparison._replace(curves=curves),)
    judges = tuple(each._replace(comparisons=shown_curves, **without) for each in findings.judges[:2])
    shown = page(findings._replace(judges=judges, profiles=findings.profiles[:2]), title="t", facts={})
    text = re.sub(r"<style>.*?</style>|<[^>]+>", " ", shown, flags=re.DOTALL)
    assert not re.search(r"\bnan\b", text)
    assert text.count("no interval") > 20
    assert "too few pairs stand behind the number" in text.split("Error against discards")[2]


@pytest.mark.parametrize("fmrs", [(0.1,), (0.1, 0.01), (0.1, 0.01, 0.001)])
def test_figure_of_expected_errors_has_a_panel_an_fmr(fmrs):
    ranges = tuple(ExpectedError(10.0 * n, 10.0 * n + 10, 9, 1, 0.1, 0.1) for n in range(10))
    found = [ExpectedErrors("a", fmr, 0.3, ranges) for fmr in fmrs]
    svg = figures.expected_errors("<a>", "label", [("one", found), ("two", found)]).decode()
    texts = [html.unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]
    assert [text for text in texts if text.startswith("FMR ")] == [f"FMR {fmr:g}" for fmr in fmrs]
    assert {"one", "two", "What a label of <a> stands for", "lines: FNMR expected, dots: FNMR as counted"} <= {*texts}
    assert texts.count("Lower label of a pair (higher is better)") == len(fmrs)


def test_figures_are_short_but_their_texts_whole():
    name = ' d="0.123456" x="0.1234567">\n <'
    with drawn_figure(1) as (figure, finish):
        axes = figure.subplots()
        axes.plot(np.repeat(np.arange(9) / 7, 2)[1:], np.repeat(np.arange(9) / 3, 2)[:-1])
        figure.suptitle(name)
    svg = finish().decode()
    assert "0.123456" in svg
    assert "0.1234567" in svg
    (steps,) = re.findall(r'<path d="(M[\d.]+ [\d.]+(?:H[\d.]+V[\d.]+){8})"', svg)
    assert all(len(number.partition(".")[2]) <= 2 for number in re.findall(r"[\d.]+", steps))


def test_pictures_of_mistakes_are_read_once_and_none_comes_from_outside(spark, findings, tmp_path):
    root = tmp_path / "images"
    (root / "a").mkdir(parents=True)
    Image.new("RGB", (200, 100), (250, 10, 10)).save(root / "a" / "red.jpg", quality=95)
    Image.new("RGB", (60, 60), (10, 10, 250)).save(root / "a" / "blue.png")
    (root / "a" / "text.jpg").write_text("no image")
    Image.new("RGB", (9, 9)).save(tmp_path / "outside.jpg")
    pairs = tuple(
        Mistake(a, b, "x", 1.0, 0.0)
        for a, b in [("a/red.jpg", "a/blue.png"), ("a/blue.png", "a/text.jpg"), ("../outside.jpg", "a/gone.jpg")]
    )
    told = Mistakes("margin", 0.3, "FMR 0.01", 3, pairs)
    unread = told._replace(label_set="b", pairs=pairs[2:])
    given = bare(findings, mistakes=(told, unread))._replace(profiles=())

    storage = CountingStorage(spark)
    read, nothing = with_pictures(given, storage, str(root)).judges[0].mistakes
    assert sorted(path.rsplit("/", 1)[1] for path in storage.read) == ["blue.png", "red.jpg", "text.jpg"]
    (red, blue), again, (outside, gone) = read.pictures
    assert again == (blue, None)
    assert outside is None
    assert gone is None
    assert [Image.open(io.BytesIO(each)).size for each in (red, blue)] == [(80, 40), (60, 60)]
    assert Image.open(io.BytesIO(red)).convert("RGB").getpixel((40, 20))[0] > 200
    assert nothing.pictures is None
    assert with_pictures(given, storage, "").judges[0].mistakes[0].pictures is None


class CountingStorage(Storage):
    """A storage that tells which files were read."""

    def __init__(self, spark):
        super().__init__(spark)
        self.read = []

    def head(self, path, *arguments):
        self.read.append(path)
        return super().head(path, *arguments)
