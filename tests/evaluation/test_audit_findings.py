"""What the page of an audit takes from its tables, and the pictures that go with it."""

import base64
import hashlib
import html
import io
import itertools
import re

import numpy as np
import pytest
from PIL import Image

from fiqa_spark import schemas
from fiqa_spark.evaluation.audit_findings import AlikePair, KnownIdentity, Suspect, audit_findings
from fiqa_spark.evaluation.report.audit_page import audit_page
from fiqa_spark.evaluation.report.audit_pictures import with_pictures
from fiqa_spark.kernels.centres import Chance
from fiqa_spark.matching.status_counts import ImageCounts
from fiqa_spark.methods.identities.auditing import Auditing
from fiqa_spark.methods.identities.learning import Chances
from fiqa_spark.methods.identities.merging import Merged
from fiqa_spark.methods.identities.results import Audit
from fiqa_spark.methods.identities.settings import AuditSettings
from fiqa_spark.methods.identities.tables import Searched, Thresholds
from fiqa_spark.runtime.storage import Storage

SETTINGS = AuditSettings(suspect_below=0.4)
SCRIPT = "<script>alert(1)<"
# Identity to its images as (path, membership, weight), of which those of a null weight have no usable feature.
MEMBERS = {
    "tied": [(f"tied/{number}.jpg", 0.9, 0.5) for number in (4, 0, 3, 1, 2)],
    "mixed": [
        *[("mixed/worst.jpg", 0.95, 0.1), ("mixed/suspect.jpg", 0.39, 0.99), ("mixed/best.jpg", 0.4, 0.9)],
        ("mixed/unusable.jpg", None, None),
    ],
    SCRIPT: [(f"{SCRIPT}/0.jpg", None, 0.7)],
    "nobody": [("nobody/0.jpg", 0.1, 0.2), ("nobody/1.jpg", 0.2, 0.3)],
    "not shown": [("not shown/0.jpg", 1.0, 1.0)],
}
BEST = {
    "tied": ("tied/0.jpg", "tied/1.jpg", "tied/2.jpg"),
    "mixed": ("mixed/best.jpg", "mixed/worst.jpg"),
    SCRIPT: (f"{SCRIPT}/0.jpg",),
    "nobody": (),
}
# In the list's order they are in no other.
OTHERS = [
    Suspect(f"o/{number * 7 % 60}.jpg", "mixed", 0.3, ("tied", SCRIPT)[number % 2], 0.9 - 0.01 * (number * 7 % 60 // 4))
    for number in range(60)
]
UNLIKE = [
    Suspect(f"u/{number * 7 % 55}.jpg", ("nobody", "tied")[number % 2], 0.001 * (number * 7 % 55 // 3), None, None)
    for number in range(55)
]
VERDICTS = {"own": 1, "other": len(OTHERS), "unlike": len(UNLIKE), "alone": 0}
PEOPLE = {f"person {person:02}": 3 for person in range(17)} | {"person of many": 14}


def name_of(person, number):
    return f"{person} {number}" if number else person


def pairs_of_people():
    """Every name of a person with the next one, of four similarities."""
    for place, (person, names) in enumerate(PEOPLE.items()):
        for first, second in itertools.pairwise(range(names)):
            yield AlikePair(
                name_of(person, first), name_of(person, second), 0.5 + 0.1 * (place % 4), 2.0, 1.0, name_of(person, 1)
            )


ALIKE = [AlikePair("mixed", "tied", 0.99, 0.9, 2.5, "tied"), *pairs_of_people()]


def members_table(spark):
    defaults = dict.fromkeys(schemas.MEMBERS.names) | dict.fromkeys(("identity_key", "identity_hash", "image_hash"), 0)
    rows = []
    for name, images in MEMBERS.items():
        for place, (path, membership, weight) in enumerate(images):
            of_image = {"path": path, "identity": name, "membership": membership, "weight": weight, "list_rows": 1}
            status, is_first = ("ok" if weight else "invalid_feature"), place == len(images) - 1
            told = {"images": len(images), "trusted_images": 7, "evidence": 2.5} if is_first else {}
            rows.append({**defaults, **of_image, "status": status, "first_of_identity": int(is_first), **told})
    nameless = {"path": "x", "identity": None, "weight": 9.0, "status": "ok", "list_rows": 1, "first_of_identity": 0}
    return spark.createDataFrame([tuple(row.values()) for row in [*rows, {**defaults, **nameless}]], schemas.MEMBERS)


def auditing_of(spark, others, unlike, alike, groups=0, names=0):
    verdicts = [(suspect, verdict) for verdict, some in (("other", others), ("unlike", unlike)) for suspect in some]
    images = [(each.path, each.identity, each.membership, verdict, *each[3:], "ok") for each, verdict in verdicts]
    images += [("own.jpg", "tied", 0.9, "own", None, None, "ok"), ("x.jpg", "tied", None, None, None, None, "no")]
    identity_pairs = [(each.a, each.b, each.similarity, *each[3:]) for each in alike]
    tables = Audit(
        spark.createDataFrame(images, schemas.AUDITED_IMAGES),
        None,
        spark.createDataFrame(identity_pairs, schemas.IDENTITY_PAIRS),
    )
    densities = {"own": [1] * 100, "others": [2] * 100, "centres": [0] * 100}
    return Auditing(
        found=Searched(tables, Merged(None, len(alike), groups, names), None),
        members=members_table(spark),
        counts=ImageCounts(100, 101, 9, {"ok": 98, "missing_feature": 2}),
        margins=None,
        memberships=None,
        chances=Chances(Chance(0, 0.1), Chance(0, 0.1), densities),
        thresholds=Thresholds(9, 0.4, 0.5),
        centres=None,
        partitions=1,
    )


@pytest.fixture(scope="module")
def findings(spark):
    names = 2 + sum(PEOPLE.values())
    return audit_findings(auditing_of(spark, OTHERS, UNLIKE, ALIKE, 1 + len(PEOPLE), names), VERDICTS, SETTINGS)


def test_most_certain_come_first_and_ties_go_by_path_or_name(findings):
    assert findings.others == tuple(sorted(OTHERS, key=lambda each: (-each.similarity, each.path))[:50])
    assert findings.unlike == tuple(sorted(UNLIKE, key=lambda each: (each.membership, each.path))[:50])
    assert findings.alike == tuple(sorted(ALIKE, key=lambda each: (-each.similarity, each.a, each.b))[:50])
    assert len(ALIKE) == 1 + 17 * 2 + 13


def test_persons_of_more_than_two_names_have_them_all_together(findings):
    many, *rest = findings.several_names
    merged = name_of("person of many", 1)
    others = sorted(name_of("person of many", number) for number in range(14) if number != 1)
    assert many == (merged, 14, (merged, *others[:11]))
    assert [person.merged for person in rest] == [f"person {person:02} 1" for person in range(14)]
    assert rest[3] == ("person 03 1", 3, ("person 03 1", "person 03", "person 03 2"))


def test_best_images_of_an_identity_are_trusted_and_count_most(findings):
    assert findings.known == {name: KnownIdentity(len(MEMBERS[name]), 7, 2.5, best) for name, best in BEST.items()}


def test_counts_are_those_of_the_audit(findings):
    assert (findings.statuses, findings.identities) == ({"ok": 98, "missing_feature": 2}, 9)
    assert findings.verdicts == VERDICTS
    assert (findings.pairs, findings.persons, findings.names) == (len(ALIKE), 1 + len(PEOPLE), 2 + sum(PEOPLE.values()))
    assert {name: counts.sum() for name, counts in findings.densities.items()} == {
        "own": 100,
        "others": 200,
        "centres": 0,
    }


def test_an_audit_that_found_nothing_shows_nothing(spark):
    verdicts = {**VERDICTS, "other": 0, "unlike": 0}
    found = audit_findings(auditing_of(spark, [], [], []), verdicts, SETTINGS)
    assert (found.others, found.unlike, found.alike, found.several_names, found.known) == ((), (), (), (), {})


def colour_of(path):
    """Every path has a colour of its own."""
    return np.frombuffer(hashlib.sha256(path.encode()).digest()[:3], np.uint8)


def test_pictures_stand_where_they_belong_and_none_comes_from_outside(spark, findings, tmp_path):
    root, paths = tmp_path / "images", [path for images in MEMBERS.values() for path, _, _ in images]
    for path in [*paths, *(suspect.path for suspect in OTHERS)]:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (150, 300), tuple(colour_of(path).tolist())).save(root / path, quality=95)
    (root / "o" / "0.jpg").write_text("no image")
    Image.new("RGB", (9, 9)).save(tmp_path / "outside.jpg")
    outside = [Suspect(path, "nobody", 0.0, None, None) for path in ("../outside.jpg", str(tmp_path / "outside.jpg"))]
    below = Suspect(str(root / "o" / "1.jpg"), "nobody", 0.0, None, None)
    findings = findings._replace(unlike=(*outside, below))
    pictured = with_pictures(findings, Storage(spark), str(root))
    shown = {suspect.path for suspect in findings.others if suspect.path != "o/0.jpg"}
    assert pictured.pictures.keys() == shown | {below.path} | {path for best in BEST.values() for path in best}
    page = audit_page(pictured, title="t", facts={})
    tiles = re.findall(r'<img src="data:image/jpeg;base64,([^"]+)" alt="[^"]+" title="([^"]+)"', page)
    assert len(tiles) > 49 * 3
    for content, title in tiles:
        picture = Image.open(io.BytesIO(base64.b64decode(content)))
        assert picture.size == (56, 112)
        path = html.unescape(title).removeprefix(f"{root}/")
        assert np.abs(np.array(picture.getpixel((28, 56)), int) - colour_of(path)).max() < 8
    assert page.count("cannot be read</div>") == 1 + len(outside)
    assert with_pictures(findings, Storage(spark), "").pictures == {}
