"""The page of an audit, opened in a real browser; and its figures."""

import base64
import io
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image

from fiqa_spark.evaluation.audit_findings import AlikePair, AuditFindings, KnownIdentity, Person, Suspect
from fiqa_spark.evaluation.report.audit_figures import images_and_centres, two_centres
from fiqa_spark.evaluation.report.audit_page import audit_page
from fiqa_spark.evaluation.report.drawing import readable
from fiqa_spark.evaluation.report.thumbnails import thumbnail
from fiqa_spark.methods.identities.tables import Thresholds
from tests.browsing import Visit

pytestmark = pytest.mark.filterwarnings("error")

SCRIPT = "<script>alert(1)</script>"
NAMES = (
    SCRIPT,
    "\"&'$x^2$ & </title>",
    "_人脸质量标签",
    "control\x00\x1b\udc80",
    "{{ facts }}",
    "ordinary",
    "n" * 120,
)
EARLIER = "of an earlier <audit>"
SEVERAL = 40
FACTS = {SCRIPT: "f" * 300, "seed": "0"}
TITLE = f"Audit {SCRIPT}"
SVG = "{http://www.w3.org/2000/svg}"


def best_of(name):
    return tuple(f"{name}/best {number}.jpg" for number in range(3))


def jpeg_of(number):
    written = io.BytesIO()
    Image.new("RGB", (150, 200), (number % 256, 40, 200)).save(written, "JPEG")
    return thumbnail(written.getvalue())


def suspects(suggests):
    rows = [
        Suspect(f"{name}/{SCRIPT} {place}.jpg", name, 0.1 * place, *((other, 0.9) if suggests else (None, None)))
        for place, (name, other) in enumerate(zip(NAMES, (*NAMES[1:], EARLIER), strict=True))
    ]
    return (*rows, rows[0]._replace(path="p" * 300, membership=0.0002))


def made_up():
    known = {name: KnownIdentity(1234, 1200, 3.25, best_of(name)) for name in NAMES}
    known[NAMES[1]] = KnownIdentity(1, 0, 0.0, ())
    found = AuditFindings(
        statuses={"ok": 10_000, "missing_feature": 0, "invalid_feature": 77, "no_identity": 3},
        verdicts={"own": 9_000, "other": 600, "unlike": 8, "alone": 392},
        identities=4321,
        pairs=SEVERAL,
        persons=20,
        names=55,
        thresholds=Thresholds(4000, 0.4321, 0.5678),
        densities={name: np.roll(np.bincount([50] * 9 + [53], minlength=100), n * 20) for n, name in enumerate(KINDS)},
        others=suspects(suggests=True),
        unlike=suspects(suggests=False),
        alike=tuple(AlikePair(name, EARLIER, -0.25, 3.25, 0.5, name) for name in NAMES),
        several_names=(Person(SCRIPT, SEVERAL, NAMES), Person(NAMES[5], 3, (*NAMES[4:6], EARLIER))),
        known=known,
        pictures={},
    )
    paths = [suspect.path for suspect in found.others] + [path for name in NAMES for path in best_of(name)]
    return found._replace(pictures={path: jpeg_of(10 * n) for n, path in enumerate(paths) if path != UNREADABLE})


KINDS = ("own", "others", "centres")
UNREADABLE = best_of("ordinary")[1]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Files of the page with pictures (True) and without them (False)."""
    folder, with_pictures = tmp_path_factory.mktemp("audit"), made_up()
    return {
        True: write(folder / "pictures.html", with_pictures),
        False: write(folder / "plain.html", with_pictures._replace(pictures={})),
    }


def write(path, findings):
    path.write_text(audit_page(findings, title=TITLE, facts=FACTS), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def visit(browser, written):
    browser.set_window_size(1000, 1000)
    return Visit(browser, written[True])


def shown_in(visit, section):
    return visit.ask(f"document.querySelector('#{section}').innerText")


def assert_quiet(visit):
    """The browser has nothing to complain of, asks for nothing outside of the page, and shows all its images."""
    assert visit.messages == []
    assert [url for url in visit.requests if not url.startswith("data:")] == [visit.address]
    assert visit.ask("document.scripts.length") == 0
    assert visit.ask("[...document.images].every(image => image.naturalWidth > 0 && image.alt)")


def test_page_is_quiet_and_shows_every_picture_where_it_belongs(visit):
    assert_quiet(visit)
    sizes = visit.ask(
        "[...document.querySelectorAll('.picture img')].map(each => [each.naturalWidth, each.naturalHeight])"
    )
    assert set(map(tuple, sizes)) == {(84, 112)}
    for section, groups in (("others", 3), ("unlike", 2), ("alike", 2), ("several-names", 1)):
        count = visit.ask(f"document.querySelectorAll('#{section} .case').length")
        assert count == {"alike": len(NAMES), "several-names": 2}.get(section, len(NAMES) + 1)
        assert visit.ask(
            f"document.querySelectorAll('#{section} .one, #{section} .faces, #{section} .names').length"
        ) == (groups * count)
    case = "#others .case:nth-child(6)"
    titles = visit.ask(f"[...document.querySelectorAll('{case} img')].map(each => each.title)")
    assert titles == [f"ordinary/{SCRIPT} 5.jpg", best_of("ordinary")[0], best_of("ordinary")[2], *best_of(NAMES[6])]
    assert visit.ask(f"document.querySelector('{case} .unreadable').title") == UNREADABLE
    assert visit.ask(f"document.querySelector('{case} img').alt") == f"Suspect: ordinary/{SCRIPT} 5.jpg"


def test_hostile_text_stays_text(visit):
    text = visit.ask("document.body.textContent")
    for name in (*NAMES, EARLIER):
        assert text.count(readable(name)) > 2
    assert visit.ask("document.title") == visit.ask("document.querySelector('h1').textContent") == TITLE
    assert "control\ufffd\ufffd\ufffd" in text


def test_counts_and_facts_are_told(visit):
    counts = re.sub(r"\s+", " ", shown_in(visit, "counts"))
    for told in (
        "own 9,000 90.0 %",
        "other 600 6.0 %",
        "unlike 8 0.1 %",
        "alone 392 3.9 %",
        "invalid_feature 77",
        "no_identity 3",
        "all 10,080",
        "of the list 4,321",
        "enough evidence to be compared 4,000",
        f"pairs that seem to be one person each {SEVERAL}",
        "names in these pairs 55",
        "persons who have them 20",
    ):
        assert told in counts
    assert "missing_feature" not in counts
    assert f"{len(NAMES) + 1} of 600 images with the verdict other" in shown_in(visit, "others")
    assert f"All {len(NAMES) + 1} images with the verdict unlike" in shown_in(visit, "unlike")
    assert f"{len(NAMES)} of {SEVERAL} pairs of identities" in shown_in(visit, "alike")
    assert "seed" in shown_in(visit, "facts")


def test_one_is_one():
    found = made_up()
    found = found._replace(others=found.others[:1], verdicts={**found.verdicts, "other": 1})
    page = audit_page(found._replace(alike=found.alike[:1], pairs=1), title="t", facts={})
    assert "<p>The one image with the verdict <i>other</i>" in page
    assert "<p>The one pair of identities" in page


def test_every_case_tells_its_numbers(visit):
    first, second, *_, last = visit.ask("[...document.querySelectorAll('#others .case')].map(each => each.innerText)")
    assert f"< 0.001 membership\n{SCRIPT}/{SCRIPT} 0.jpg" in first
    assert f"stands under {SCRIPT}\n1,234 images, 1,200 trusted" in first
    assert f"suggested at 0.900 {NAMES[1]}\n1 image, 0 trusted\n\nNo image is trusted." in first
    assert "0.100 membership" in second
    assert "< 0.001 membership" in last
    pair = visit.ask("document.querySelector('#alike .case').innerText")
    assert pair.startswith(f"\N{MINUS SIGN}0.250 similarity; both would be {SCRIPT}")
    assert "1,234 images, 1,200 trusted, evidence 3.2" in pair
    assert f"{EARLIER}\nof an earlier audit, evidence 0.5\n\nThe list has no image of it." in pair
    persons = shown_in(visit, "several-names")
    assert f"{SEVERAL} names; all would be {SCRIPT}" in persons
    assert f"and {SEVERAL - len(NAMES)} more" in persons
    assert persons.count("more") == 1 + "More than two names".count("more")


@pytest.mark.parametrize("has_pictures", [True, False])
@pytest.mark.parametrize("width", [1000, 400])
def test_nothing_sticks_out(browser, written, width, has_pictures):
    view = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 1000}
    try:
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", view)
        visit = Visit(browser, written[has_pictures])
        assert visit.ask("innerWidth") == width
        assert visit.ask("document.documentElement.scrollWidth") <= width
        assert (
            visit.ask(
                "Math.max(...[...document.body.querySelectorAll('*')].map(each => each.getBoundingClientRect().right))"
            )
            <= width
        )
        if has_pictures:
            assert (
                visit.ask("Math.min(...[...document.querySelectorAll('.picture')].map(each => each.clientWidth))") > 70
            )
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_page_prints(visit):
    browser, address = visit.browser, visit.address
    browser.get(address)
    printed = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"])
    assert printed.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) > 3


def test_page_without_pictures_has_tables(browser, written):
    visit = Visit(browser, written[False])
    assert_quiet(visit)
    assert visit.ask("document.images.length") == 2
    assert visit.ask("document.querySelectorAll('.picture').length") == 0
    for section, columns in (("others", 5), ("unlike", 3), ("alike", 4)):
        rows = visit.ask(f"[...document.querySelectorAll('#{section} tbody tr')].map(row => row.cells.length)")
        assert set(rows) == {columns}
        assert len(rows) == len(NAMES) + (section != "alike")
    row = visit.ask("[...document.querySelector('#others tbody tr').cells].map(cell => cell.innerText)")
    own, suggested = f"{SCRIPT}\n1,234 images, 1,200 trusted", f"{NAMES[1]}\n1 image, 0 trusted"
    assert row == [f"{SCRIPT}/{SCRIPT} 0.jpg", "< 0.001", own, suggested, "0.900"]
    row = visit.ask("[...document.querySelector('#alike tbody tr').cells].map(cell => cell.innerText)")
    assert row[1:] == [f"{EARLIER}\nof an earlier audit, evidence 0.5", "\N{MINUS SIGN}0.250", SCRIPT]
    assert f"and {SEVERAL - len(NAMES)} more" in shown_in(visit, "several-names")


def test_page_of_an_audit_that_found_nothing_says_so(browser, tmp_path):
    nothing = made_up()._replace(
        verdicts={"own": 10_000, "other": 0, "unlike": 0, "alone": 0},
        thresholds=Thresholds(0, None, None),
        **{"pairs": 0, "persons": 0, "names": 0, "known": {}, "pictures": {}},
        **dict.fromkeys(("others", "unlike", "alike", "several_names"), ()),
        densities=dict.fromkeys(KINDS, np.zeros(100, int)),
    )
    visit = Visit(browser, write(tmp_path / "report.html", nothing))
    assert_quiet(visit)
    assert "No image has the verdict other." in shown_in(visit, "others")
    assert "No image has the verdict unlike." in shown_in(visit, "unlike")
    assert "No two identities seem to be one person." in shown_in(visit, "alike")
    assert visit.ask("document.querySelector('#several-names')") is None
    assert visit.ask("document.querySelector('nav').innerText").count("names") == 1


def test_page_is_the_same_every_time(written):
    again = audit_page(made_up(), title=TITLE, facts=FACTS)
    assert again == written[True].read_text(encoding="utf-8")


def texts(svg):
    """All texts of a figure, once it is known to be well-formed."""
    return ["".join(each.itertext()) for each in ElementTree.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314


def test_figures_say_what_they_are():
    densities = made_up().densities
    shown = texts(images_and_centres(densities, 0.4321))
    assert {"Similarity (cosine)", "Density (per unit of similarity)", "Images and the centres of identities"} <= {
        *shown
    }
    assert {"with the centre of their own identity: 10", "with the centres of others: 10"} <= {*shown}
    assert "threshold 0.4321: from here an image is another's" in shown
    shown = texts(two_centres(densities, 0.5678))
    assert {"of two identities: 10", "threshold 0.5678: from here two are one person"} <= {*shown}
    assert not any("threshold" in text for text in texts(two_centres(densities, None)))


@pytest.mark.parametrize("threshold", [-0.9, 0.999, 1.3])
def test_threshold_is_inside_of_the_figure(threshold):
    svg = ElementTree.fromstring(two_centres(made_up().densities, threshold))  # noqa: S314
    height, width = (float(svg.get(name).removesuffix("pt")) for name in ("height", "width"))
    lines = [
        each for each in svg.iter(f"{SVG}path") if "stroke: #262626; stroke-width: 1.2" in (each.get("style") or "")
    ]
    upright, _ = (line.get("d") for line in lines)
    place, *ends = map(float, re.fullmatch(r"M(\S+) (\S+)V(\S+)", upright).groups())
    assert 0 < place < width
    assert 0 < min(ends) < max(ends) < height
