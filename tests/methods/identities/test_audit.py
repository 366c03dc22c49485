import itertools
import zlib

import numpy as np
import pytest

from fiqa_spark import AuditSettings, audit_identities
from fiqa_spark.matching import identity_pass
from tests.planted_identities import features_frame, images_frame, planted

SIZES = [6, 5, 4, 3, 2, 1] * 4 + [15, 5, 4, 3, 2, 1] + [6, 5, 4, 3, 2, 1] * 7
MOVED = [("p0/1.jpg", "p6"), ("p7/0.jpg", "p1"), ("p12/3.jpg", "p5")]
SPLIT = [("p18", "q18", 3), ("p24", "q24", 5), ("q24", "r24", 10)]
COPIES = [f"p0/copy{number}.jpg" for number in range(4)]
UNAUDITED = {
    "p1/missing.jpg": ("p1", "missing_feature"),
    "p1/nan.jpg": ("p1", "invalid_feature"),
    "p1/nobody.jpg": (None, "no_identity"),
    "none/0.jpg": ("none", "missing_feature"),
}
"""Path to identity and status of images that cannot be audited."""


class Found:
    """An audit as dicts of rows."""

    def __init__(self, audit):
        self.images = {row["path"]: row.asDict() for row in audit.images.collect()}
        self.identities = {row["identity"]: row.asDict() for row in audit.identities.collect()}
        self.pairs = {(row["identity_a"], row["identity_b"]): row.asDict() for row in audit.identity_pairs.collect()}

    def verdicts(self):
        return {path: row["verdict"] for path, row in self.images.items()}


def found_in(spark, data, **settings):
    images, features = images_frame(spark, data.identities), features_frame(spark, data.vectors)
    return Found(audit_identities(images, features, AuditSettings(**settings)))


@pytest.fixture(scope="module")
def data():
    persons = planted(SIZES, MOVED, SPLIT)
    copied = np.random.default_rng(1).standard_normal(64).astype(np.float32)
    vectors = {"p1/nan.jpg": np.full(64, np.nan, np.float32), "p1/nobody.jpg": persons.vectors["p1/1.jpg"]}
    named = dict.fromkeys(COPIES, "copies") | {path: identity for path, (identity, _) in UNAUDITED.items()}
    return persons._replace(
        identities=persons.identities | named, vectors=persons.vectors | dict.fromkeys(COPIES, copied) | vectors
    )


@pytest.fixture(scope="module")
def audit(spark, data):
    return found_in(spark, data)


@pytest.fixture(scope="module")
def bounded(spark, data):
    """An audit in which each identity names one other, and the images of the larger ones wait on disk.

    All have other names there, from which they are told by their own again.
    """
    whole = identity_pass.pass_over_images
    names = {name: other_name(name) for name in set(data.identities.values()) - {None}}
    renamed = data._replace(identities={path: name and names[name] for path, name in data.identities.items()})

    def in_small_batches(*arguments, **options):
        return whole(*arguments, **{**options, "bytes_at_once": 4 * 4 * 64})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fiqa_spark.methods.identities.memberships.pass_over_images", in_small_batches)
        found = found_in(spark, renamed, candidates=1)
    own = {other: name for name, other in names.items()}
    found.images = {path: with_names(row, own) for path, row in found.images.items()}
    found.identities = {own[name]: with_names(row, own) for name, row in found.identities.items()}
    found.pairs = {tuple(sorted((own[a], own[b]))): with_names(row, own) for (a, b), row in found.pairs.items()}
    return found


def other_name(name):
    """Another name of the same fold, which decides by which coefficients of the prior images are measured."""
    others = (f"x{name[::-1]}{number}" for number in itertools.count())
    return next(other for other in others if zlib.crc32(other.encode()) % 5 == zlib.crc32(name.encode()) % 5)


def with_names(row, names):
    """A row in which other names stand."""
    return {column: names.get(value, value) for column, value in row.items()}


def test_moved_images_are_others_and_their_names_are_suggested(audit, data):
    verdicts = audit.verdicts()
    others = {path for path, verdict in verdicts.items() if verdict == "other"}
    # Beside a single image of a wrong name stands nobody who could tell.
    assert others == set(data.moved) - {"p12/3.jpg"}
    assert {path: audit.images[path]["suggested_identity"] for path in others} == {
        path: data.moved[path] for path in others
    }
    assert all(audit.images[path]["membership"] < 0.5 for path in others)


def test_all_others_are_their_own_or_alone(audit, data):
    verdicts = {path: verdict for path, verdict in audit.verdicts().items() if path not in UNAUDITED}
    alone = {f"p{person}" for person, size in enumerate(SIZES) if size == 1} - {"p5"}
    expected = {path: "alone" if data.identities[path] in alone else "own" for path in set(verdicts) - set(data.moved)}
    # The two images of p5 are of two persons, and which one is right nobody can tell.
    assert {path: verdicts[path] for path in expected if data.identities[path] != "p5"} == {
        path: verdict for path, verdict in expected.items() if data.identities[path] != "p5"
    }
    assert all(row["membership"] is None for row in audit.images.values() if row["verdict"] == "alone")


def test_two_names_of_one_person_are_named_and_three_are_one_group(audit):
    assert audit.pairs.keys() == {("p18", "q18"), ("p24", "q24"), ("p24", "r24"), ("q24", "r24")}
    merged = {name: audit.identities[name]["merged_identity"] for name in ("p18", "q18", "p24", "q24", "r24", "p0")}
    assert merged["p18"] == merged["q18"] in ("p18", "q18")
    assert merged["p24"] == merged["q24"] == merged["r24"] in ("p24", "q24", "r24")
    assert merged["p0"] is None
    for (a, b), row in audit.pairs.items():
        assert row["merged_identity"] == merged[a]
        assert row["evidence_a"] == audit.identities[a]["evidence"]
        assert row["evidence_b"] == audit.identities[b]["evidence"]
    best = max((row["similarity"], pair) for pair, row in audit.pairs.items() if "q24" in pair)
    assert audit.identities["q24"]["nearest_similarity"] == best[0]
    assert audit.identities["q24"]["nearest_identity"] in best[1]


def test_a_chain_of_names_is_one_group_where_each_is_named_once(audit, bounded):
    named = max((row["similarity"], pair) for pair, row in audit.pairs.items() if "q24" in pair)[1]
    assert named in bounded.pairs.keys() < audit.pairs.keys()
    assert {bounded.identities[name]["merged_identity"] for name in ("p24", "q24", "r24")} == {
        audit.identities["p24"]["merged_identity"]
    }


def test_every_identity_is_counted(audit, data):
    for name, row in audit.identities.items():
        paths = [path for path, identity in data.identities.items() if identity == name]
        trusted = [path for path in paths if audit.images[path]["verdict"] in ("own", "alone")]
        assert (row["images"], row["trusted_images"]) == (len(paths), len(trusted))
        if name != "none":
            assert 0 < row["evidence"] <= len(paths)
            assert 0 < row["cohesion"] <= 1
    assert audit.identities.keys() == set(data.identities.values()) - {None}


def test_an_identity_of_copies_is_its_own(audit):
    assert {audit.images[path]["verdict"] for path in COPIES} == {"own"}


def test_an_identity_on_disk_is_audited_as_in_memory_and_names_are_but_names(audit, bounded):
    assert bounded.verdicts() == audit.verdicts()
    # Hashes of names decide which images are drawn; here all are.
    for path, row in audit.images.items():
        found = bounded.images[path]
        assert (found["identity"], found["suggested_identity"]) == (row["identity"], row["suggested_identity"])
        membership = row["membership"]
        assert found["membership"] == (None if membership is None else pytest.approx(membership, abs=1e-4))
    for name, row in audit.identities.items():
        assert bounded.identities[name]["evidence"] == pytest.approx(row["evidence"], abs=1e-4)
        assert bounded.identities[name]["images"] == row["images"]
    for pair, row in bounded.pairs.items():
        assert row["similarity"] == pytest.approx(audit.pairs[pair]["similarity"], abs=1e-4)


def test_what_cannot_be_audited_has_a_status_and_no_verdict(audit):
    assert {path: audit.images[path]["status"] for path in UNAUDITED} == {
        path: status for path, (_, status) in UNAUDITED.items()
    }
    for path in UNAUDITED:
        assert {audit.images[path][name] for name in ("membership", "verdict", "suggested_identity")} == {None}
    row = audit.identities["none"]
    assert (row["images"], row["trusted_images"], row["evidence"], row["cohesion"]) == (1, 0, 0, None)
