"""Each option by hand, the order of the reasons, and all options at once against a loop over plain rows."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from fiqa_spark import SelectionSettings, schemas, select_images
from fiqa_spark.errors import InputError, SettingsError
from fiqa_spark.inputs.keys import seeded_hash
from fiqa_spark.methods.identities.results import Audit
from fiqa_spark.methods.selection.selecting import selected
from tests.session_settings import session_with

# Path, identity, label, status.
LABELS = [
    ("a/1.jpg", "a", 90.0, "ok"),
    ("a/2.jpg", "a", 50.0, "ok"),
    ("a/3.jpg", "a", 70.0, "ok"),
    ("a/4.jpg", "a", None, "missing_feature"),
    ("b/1.jpg", "b", 30.0, "ok"),
    ("b/2.jpg", "b", 20.0, "predicted"),
    ("b/3.jpg", "b", None, "invalid_feature"),
    ("c/1.jpg", "c", None, "too_few_images"),
    ("d.jpg", None, None, "no_identity"),
]
# Path, identity, verdict, suggested identity.
AUDITED = [
    ("a/1.jpg", "a", "own", None),
    ("a/2.jpg", "a", "other", "b"),
    ("a/3.jpg", "a", "unlike", None),
    ("a/4.jpg", "a", None, None),
    ("b/1.jpg", "b", "own", None),
    ("b/2.jpg", "B", "other", "c"),
    ("b/3.jpg", "b", None, None),
    ("c/1.jpg", "c", "alone", None),
]
MERGED = [("a", "a"), ("b", "a"), ("c", None)]
# Path, ERS.
SCORED = [("a/1.jpg", 0.9), ("a/2.jpg", 0.5), ("a/3.jpg", 0.7), ("a/4.jpg", None), ("b/1.jpg", 0.7)]
UNUSABLE = {"a/4.jpg": "missing_feature", "b/3.jpg": "invalid_feature", "d.jpg": "no_identity"}


def labels_of(spark, rows):
    return spark.createDataFrame(rows, "path string, identity string, label double, status string")


def audit_of(spark, images, merged):
    rows = [(path, identity, 0.5, verdict, suggested, None, "ok") for path, identity, verdict, suggested in images]
    names = [(identity, 3, 3, 2.5, 0.5, None, None, name) for identity, name in merged]
    identities = spark.createDataFrame(names, schemas.AUDITED_IDENTITIES)
    pairs = spark.createDataFrame([], schemas.IDENTITY_PAIRS)
    return Audit(spark.createDataFrame(rows, schemas.AUDITED_IMAGES), identities, pairs)


def scores_of(spark, rows):
    scores = [(path, path.split("/")[0], ers, None, "ok") for path, ers in rows]
    return spark.createDataFrame(scores, schemas.RECOGNIZABILITY)


@pytest.fixture(scope="module")
def tables(spark):
    """What a notebook has."""
    return SimpleNamespace(
        labels=labels_of(spark, LABELS),
        audit=audit_of(spark, AUDITED, MERGED),
        recognizability=scores_of(spark, SCORED),
    )


def needed(tables, settings):
    """The tables that settings need."""
    needs_audit = settings.drop or settings.move_suggested or settings.merge_identities
    return {
        "audit": tables.audit if needs_audit else None,
        "recognizability": tables.recognizability if settings.least_ers is not None else None,
    }


def selection(tables, settings):
    """Path to identity and reason."""
    rows = selected(tables.labels, settings, **needed(tables, settings))
    found = rows.select("path", "selected_identity", "reason").collect()
    rows.unpersist()
    assert len({row[0] for row in found}) == len(found)
    return {row[0]: (row[1], row[2]) for row in found}


NONE = {path: None for path, *_ in LABELS} | UNUSABLE
LIMITS = {
    "one an identity": (
        {"per_identity_most": 1},
        {"a/2.jpg": "per_identity_most", "a/3.jpg": "per_identity_most", "b/2.jpg": "per_identity_most"},
    ),
    "no more than there are": ({"most": 6}, {}),
    "an identity that the best of all leave too small": (
        {"most": 4, "per_identity_least": 2},
        {"b/1.jpg": "per_identity_least", "b/2.jpg": "most", "c/1.jpg": "most"},
    ),
}


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_keeps_the_best_labels(tables, name):
    options, reasons = LIMITS[name]
    found = selection(tables, SelectionSettings(**options))
    assert {path: reason for path, (_, reason) in found.items()} == NONE | reasons
    assert {path: identity for path, (identity, _) in found.items()} == {path: own for path, own, *_ in LABELS}


@pytest.mark.parametrize(
    ("options", "names", "kept"),
    [
        # b has a/2.jpg then, whose label is better than the second of its own.
        ({"move_suggested": True}, {"a/2.jpg": "b"}, {"a/1.jpg", "a/3.jpg", "a/2.jpg", "b/1.jpg", "c/1.jpg"}),
        # What is moved to a name that is merged has the common name.
        (
            {"move_suggested": True, "merge_identities": True},
            {"b/1.jpg": "a", "b/2.jpg": "a", "b/3.jpg": "a"},
            {"a/1.jpg", "a/3.jpg", "c/1.jpg"},
        ),
    ],
    ids=["moved", "moved and merged"],
)
def test_images_are_kept_under_the_name_that_the_audit_gives_them_and_limits_are_of_that(tables, options, names, kept):
    found = selection(tables, SelectionSettings(**options, per_identity_most=2))
    own = {path: identity for path, identity, *_ in LABELS}
    assert {path: identity for path, (identity, _) in found.items()} == own | names
    assert {path for path, (_, reason) in found.items() if reason is None} == kept


def rows_of_chance(count):
    """Labels with many ties, an audit and scores of most of them, all by chance."""
    random = np.random.default_rng(3)
    names = [f"p{number}" for number in range(12)]
    labels, images, scores = [], [], []
    for number in range(count):
        identity = str(random.choice(names)) if random.random() < 0.95 else None
        path = f"{identity}/{number}.jpg"
        status = str(random.choice(["ok", "predicted", "missing_feature"], p=[0.8, 0.15, 0.05]))
        has_label = status != "missing_feature" and random.random() < 0.9
        labels.append((path, identity, float(random.integers(8)) if has_label else None, status))
        if random.random() < 0.9:
            verdict = str(random.choice(["own", "other", "unlike", "alone"], p=[0.7, 0.15, 0.1, 0.05]))
            suggested = str(random.choice([*names, "new"])) if verdict == "other" else None
            images.append((path, identity, verdict, suggested))
        if random.random() < 0.9:
            scores.append((path, float(random.random())))
    merged = [(name, names[number // 3 * 3] if number < 6 else None) for number, name in enumerate(names)]
    return labels, images, merged, scores


def reason_of_row(settings, label, status, verdict, ers):
    """The first reason for which an image is dropped by itself."""
    if status == "missing_feature":
        return status
    if verdict in settings.drop:
        return verdict
    asked = ((settings.least_label, label, "label"), (settings.least_ers, ers, "ers"))
    for least, value, what in asked:
        if least is not None and (value is None or value < least):
            return f"no_{what}" if value is None else f"least_{what}"
    return None


def looped(settings, labels, images, merged, scores, ties):
    """What is selected, an image after the other."""
    verdicts = {path: (verdict, suggested) for path, _, verdict, suggested in images}
    ers, common = dict(scores), {name: other for name, other in merged if other}
    found, by_path = {}, {path: label for path, _, label, _ in labels}
    for path, identity, label, status in labels:
        verdict, suggested = verdicts.get(path, (None, None))
        name = suggested if settings.move_suggested and suggested else identity
        name = common.get(name, name) if settings.merge_identities else name
        found[path] = [name, reason_of_row(settings, label, status, verdict, ers.get(path))]

    def best(paths):
        left = (path for path in paths if found[path][1] is None)
        return sorted(left, key=lambda path: (by_path[path] is None, -(by_path[path] or 0), ties[path]))

    def people():
        order = sorted(found, key=lambda path: found[path][0] or path)
        return [list(group) for _, group in itertools.groupby(order, key=lambda path: found[path][0] or path)]

    def drop(paths, reason):
        for path in paths:
            found[path][1] = reason

    for group in people():
        drop(best(group)[settings.per_identity_most or len(group) :], "per_identity_most")
    drop(best(found)[settings.most or len(found) :], "most")
    for group in people():
        drop(best(group) if len(best(group)) < (settings.per_identity_least or 0) else (), "per_identity_least")
    return {path: tuple(each) for path, each in found.items()}


ALL_AT_ONCE = {
    "by labels, most of them the same": {"per_identity_most": 20, "most": 150, "per_identity_least": 8, "seed": 7},
    "by an audit": {"drop": ("unlike", "alone"), "move_suggested": True, "merge_identities": True, "most": 120},
    "by everything": {
        **{"drop": ("other", "own"), "merge_identities": True, "least_label": 2.0, "least_ers": 0.2},
        **{"per_identity_most": 3, "most": 11, "per_identity_least": 2},
    },
}


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("by labels, most of them the same", 1),
        ("by an audit", 3),
        ("by everything", 5),
    ],
)
def test_all_options_at_once_do_what_a_loop_does_however_rows_are_parted(spark, name, parts):
    labels, images, merged, scores = rows_of_chance(300)
    settings = SelectionSettings(**ALL_AT_ONCE[name])
    table = labels_of(spark, labels)
    ties = {row[0]: (row[1], row[0]) for row in table.select("path", seeded_hash(settings.seed, "path")).collect()}
    expected = looped(settings, labels, images, merged, scores, ties)
    assert len({reason for _, reason in expected.values()}) > 2
    with session_with(spark, {"spark.sql.shuffle.partitions": parts}):
        audit, scored = audit_of(spark, images, merged), scores_of(spark, scores)
        tables = SimpleNamespace(labels=table.repartition(parts), audit=audit, recognizability=scored)
        assert selection(tables, settings) == expected


def test_a_notebook_gets_identity_label_and_reason_of_every_image(tables):
    settings = SelectionSettings(move_suggested=True, least_ers=0.6)
    table = select_images(tables.labels, settings, tables.audit, tables.recognizability)
    assert table.columns == ["path", "identity", "label", "reason"]
    names = {"a/2.jpg": "b"}
    reasons = NONE | {"a/2.jpg": "least_ers", "b/2.jpg": "no_ers", "c/1.jpg": "no_ers"}
    expected = {(path, names.get(path, own), label, reasons[path]) for path, own, label, _ in LABELS}
    assert set(map(tuple, table.collect())) == expected


def test_a_selection_of_nothing_is_refused_with_its_reasons(tables):
    with pytest.raises(InputError) as refused:
        select_images(tables.labels, SelectionSettings(least_label=95.0))
    said = (
        "labels: no image is left of 9: 1 missing_feature, 1 invalid_feature, 1 no_identity, 1 no_label, 5 least_label"
    )
    assert str(refused.value) == f"{said}; ask for less"


def test_an_audit_of_other_names_is_refused(spark, tables):
    audit = audit_of(spark, [("a/1.jpg", "1.jpg", "own", None)], MERGED)
    with pytest.raises(
        InputError, match=r"it has 'a/1\.jpg' of the identity '1\.jpg', and they have 'a/1\.jpg' of the identity 'a'"
    ):
        select_images(tables.labels, SelectionSettings(drop=("own",)), audit)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"labels": "/data/labels"}, r"labels /data/labels: is a path, not a DataFrame; give read_labels\("),
        ({"audit": "/data/audit"}, r"audit: is no audit; give read_audit\("),
        ({"settings": SelectionSettings()}, "audit: plays no part; add `drop`, `move_suggested` or `merge_identities`"),
        ({"audit": None}, r"drop 'own': needs `audit`; give `audit`, or leave it out"),
    ],
)
def test_what_a_notebook_gives_wrongly_is_told(tables, given, said):
    arguments = {"labels": tables.labels, "settings": SelectionSettings(drop=("own",)), "audit": tables.audit}
    with pytest.raises((InputError, SettingsError), match=said):
        select_images(**{**arguments, **given})
