"""Judges, cuts, labels as errors, groups and mistakes: what an evaluation tells is what the definition gives."""

import itertools

import numpy as np
import pytest

from fiqa_spark.errors import InputError
from fiqa_spark.evaluation.evaluate import evaluate
from fiqa_spark.evaluation.judge_table import sets_by_judges
from fiqa_spark.evaluation.judges import Judge, MadeOf, named_judges, naming
from fiqa_spark.evaluation.settings import EvaluationSettings
from fiqa_spark.inputs.parquet_features import keyed_features
from fiqa_spark.runtime.progress import Steps
from fiqa_spark.runtime.storage import Storage
from tests.evaluation.test_evaluate import set_of, write_pairs
from tests.labelling import embeddings_of, features_frame, paths_of

SIZES = [7, 6, 5, 5, 4, 4, 3, 2, 1]
PATHS = paths_of(SIZES)
UNSURE = 0.001
"""An FMR that the pairs cannot carry."""
FMRS = (0.2, 0.1, UNSURE)
DISCARDS = (0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)


@pytest.fixture(scope="module")
def vectors():
    """Two models' embeddings by path; in both the last two images of an identity are spoiled."""
    found = {}
    for number, name in enumerate(("first", "second")):
        own = embeddings_of(PATHS, seed=number)
        random = np.random.default_rng(number)
        for path in PATHS:
            if int(path.split("/")[1].split(".")[0]) in (3, 4):
                own[path] = (own[path] + 4 * random.standard_normal(len(own[path]))).astype(np.float32)
        found[name] = own
    return found


@pytest.fixture(scope="module")
def qualities():
    random = np.random.default_rng(4)
    return {
        "good": {path: float(np.round(70 * (path[-5] not in "34") + random.uniform(0, 30), 0)) for path in PATHS},
        "chance": {path: float(random.uniform(0, 100)) for path in PATHS},
    }


@pytest.fixture(scope="module")
def pairs_file(tmp_path_factory):
    rows = [(a, b, int(a[:2] == b[:2])) for a, b in itertools.combinations(PATHS, 2)]
    return write_pairs(tmp_path_factory.mktemp("pairs") / "pairs.csv", rows)


GROUP_OF = {f"p{person}": "xy"[person % 2] for person in range(len(SIZES) - 2)}


@pytest.fixture(scope="module")
def groups_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("groups") / "groups.csv"
    file.write_text("identity,group\n" + "".join(f"{name},{group}\n" for name, group in GROUP_OF.items()))
    return str(file)


def judged(spark, sets, vectors, **changes):
    settings = EvaluationSettings(**{"id_key_index": -2, "at_fmr": FMRS, **changes})
    features = {name: keyed_features(features_frame(spark, of_judge), -2) for name, of_judge in vectors.items()}
    return evaluate(
        spark,
        Storage(spark),
        [set_of(spark, name, values) for name, values in sets.items()],
        settings,
        Steps(spark),
        lambda _, judge: features[judge.name],
        [MadeOf("good", None, "/first", half_mates=False)],
    )


@pytest.fixture(scope="module")
def several(spark, vectors, qualities, pairs_file, groups_file):
    """Findings of two sets by two judges."""
    judges = ("first=/first", "second=/second")
    return judged(spark, qualities, vectors, judge=judges, pairs_file=pairs_file, target_fnmr=(0.6, 0.9),
                  groups=groups_file)  # fmt: skip


@pytest.fixture(scope="module")
def alone(spark, vectors, qualities, pairs_file):
    """Findings of the same sets by the second judge alone."""
    of_second = {"second": vectors["second"]}
    found = judged(spark, qualities, of_second, judge=("second=/x",), pairs_file=pairs_file, target_fnmr=(0.6, 0.9))
    [judge] = found.judges
    return judge


def similarities(vectors):
    units = {path: vector / np.linalg.norm(vector) for path, vector in vectors.items()}
    return {(a, b): float(np.dot(units[a], units[b])) for a, b in itertools.combinations(PATHS, 2)}


def is_mated(pair):
    return pair[0][:2] == pair[1][:2]


def thresholds(of_pairs):
    strangers = [value for pair, value in of_pairs.items() if not is_mated(pair)]
    return [np.quantile(strangers, 1 - fmr) for fmr in FMRS]


def test_several_judges_say_what_each_says_alone(several, alone):
    first, second = several.judges
    for field in ("pairs", "cuts", "targets", "expected"):
        assert getattr(second, field) == getattr(alone, field), field
    for one, other in zip(second.comparisons, alone.comparisons, strict=True):
        assert [curve.areas for curve in one.curves] == [curve.areas for curve in other.curves]
    assert first.pairs == second.pairs
    assert first.comparisons[0].threshold != second.comparisons[0].threshold
    # The mistakes are those of the first.
    assert alone.mistakes


def test_a_judge_is_known_to_have_made_a_set(several):
    assert [judge.made for judge in several.judges] == [("good",), ()]
    assert any("first" in note and "flatters" in note for note in several.notes)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (("a=/first", "a=/second"), "judge /second: is named 'a', and so is /first; give them as NAME=PATH"),
        (("=/first",), "judge '=/first': names no judge; give NAME=PATH, the name of 1 to 80 characters"),
    ],
)
def test_judges_that_are_not_named_are_refused(spark, entries, said):
    with pytest.raises(InputError) as refused:
        named_judges(Storage(spark), EvaluationSettings(judge=entries))
    assert str(refused.value) == said


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"judge": ("a=/first", "b=/second")}, ("judge", "/second", "give the features")),
        ({"feature_root": "/second"}, ("feature_root", None, "give `feature_root`")),
    ],
)
def test_what_is_wrong_with_features_is_told_of_the_judge_where_judges_are_named(given, told):
    error = InputError("no vectors", setting="feature_root", remedy="give `feature_root`")
    with pytest.raises(InputError) as refused, naming(Judge("b", "/second"), EvaluationSettings(**given)):
        raise error
    assert (refused.value.setting, refused.value.path, refused.value.remedy) == told


def test_table_of_sets_by_judges(several):
    for table in sets_by_judges(several):
        for place, of_set in enumerate(table.sets):
            for judge, area, rank in zip(several.judges, of_set.areas, of_set.ranks, strict=True):
                [comparison] = [each for each in judge.comparisons if each.operating_point == table.operating_point]
                assert area in comparison.curves[place].areas
                values = sorted(
                    other.value for curve in comparison.curves for other in curve.areas if other.limit == table.limit
                )
                assert rank == 1 + values.index(area.value)
                assert area.of_chance == pytest.approx(area.value / (table.limit * comparison.starting_error))
            assert of_set.worst == max(area.of_chance for area in of_set.areas)


def test_cuts_are_those_of_the_definition(several, vectors, qualities):
    for number, (name, values) in enumerate(qualities.items()):
        in_order = sorted(values.values())
        of_set = several.cuts[number]
        assert of_set.label_set == name
        assert [cut.discard for cut in of_set.cuts] == list(DISCARDS)
        for place, cut in enumerate(of_set.cuts):
            least = in_order[int(np.floor(cut.discard * len(in_order)))]
            left = {path for path in PATHS if values[path] >= least}
            counts = [sum(path[:2] == f"p{person}" for path in left) for person in range(len(SIZES))]
            assert (cut.label, cut.images) == (least, len(left))
            assert cut.identities == sum(count > 0 for count in counts)
            assert cut.with_mates == sum(count > 1 for count in counts)
            for judge in several.judges:
                of_pairs = similarities(vectors[judge.name])
                mated = [value for pair, value in of_pairs.items() if is_mated(pair) and left.issuperset(pair)]
                for rate, threshold in zip(judge.cuts[number].rates[place], thresholds(of_pairs), strict=True):
                    assert rate.threshold == pytest.approx(threshold, abs=1e-6)
                    assert (rate.pairs, rate.errors) == (len(mated), sum(value < threshold for value in mated))
                    assert rate.rate == pytest.approx(rate.errors / rate.pairs)
                    assert (rate.interval is None) == (rate.fmr == UNSURE)
                    assert rate.interval is None or rate.interval.low <= rate.rate <= rate.interval.high


def test_a_label_read_as_an_error(several, vectors, qualities):
    for judge in several.judges:
        of_pairs = similarities(vectors[judge.name])
        for each in judge.expected:
            values, threshold = qualities[each.label_set], dict(zip(FMRS, thresholds(of_pairs), strict=True))[each.fmr]
            for number, one in enumerate(each.ranges):
                assert (one.low, one.high) == pytest.approx((10 * number, 10 * number + 10))
                inside = [
                    value
                    for pair, value in of_pairs.items()
                    if is_mated(pair) and min(int(min(values[path] for path in pair) // 10), 9) == number
                ]
                assert (one.pairs, one.errors) == (len(inside), sum(value < threshold for value in inside))
            fitted = [one.expected for one in each.ranges]
            assert fitted == sorted(fitted, reverse=True)


def test_mistakes_are_the_errors_of_highest_quality(several, vectors, qualities):
    of_pairs = similarities(vectors["first"])
    threshold = thresholds(of_pairs)[0]
    wrong = {pair for pair, value in of_pairs.items() if is_mated(pair) and value < threshold}
    assert several.judges[1].mistakes == ()
    for each in several.judges[0].mistakes:
        values = qualities[each.label_set]
        assert each.errors == len(wrong)
        assert len(each.pairs) == min(50, len(wrong))
        shown = [tuple(sorted((pair.path_a, pair.path_b), key=PATHS.index)) for pair in each.pairs]
        assert len(set(shown)) == len(shown)
        assert wrong.issuperset(shown)
        assert [pair.quality for pair in each.pairs] == sorted(
            (min(values[path] for path in pair) for pair in wrong), reverse=True
        )[: len(shown)]
        for pair, mistake in zip(shown, each.pairs, strict=True):
            assert mistake.similarity == pytest.approx(of_pairs[pair], abs=1e-6)
            assert mistake.identity == pair[0][:2]


def test_labels_that_tell_have_a_smaller_part_of_chance(several):
    for judge in several.judges:
        good, chance = (curve.areas[-1] for curve in judge.comparisons[-2].curves)
        assert good.of_chance_interval.low <= good.of_chance <= good.of_chance_interval.high
        assert good.of_chance_interval.high < chance.of_chance


def test_an_fmr_that_the_pairs_cannot_carry_has_no_intervals(several):
    for judge in several.judges:
        non_mated = judge.pairs["non_mated"]
        sure, *_, unsure = (each for each in judge.comparisons if each.operating_point.fixed_by == "fmr")
        assert unsure.operating_point.value == UNSURE
        assert sure.curves[0].areas[0].interval is not None
        for area in unsure.curves[1].areas:
            assert (area.interval, area.of_chance_interval, area.delta_to_first_interval) == (None, None, None)
        reached = {(target.fmr, target.label is not None) for target in judge.targets if target.target == 0.9}
        assert reached == {(0.2, True), (0.1, True), (UNSURE, False)}
    [note] = [note for note in several.notes if f"{UNSURE}" in note]
    assert f"{UNSURE * non_mated:.4g} of {non_mated} non-mated pairs" in note
    assert f"resolve an FMR of {30 / non_mated:.2g}" in note


def test_errors_by_group(several, vectors, qualities):
    assert several.groups.without_group == sum(SIZES[-2:])
    for judge in several.judges:
        of_pairs = similarities(vectors[judge.name])
        threshold = thresholds(of_pairs)[0]
        assert len(judge.groups) == 4
        for each in judge.groups:
            values = qualities[each.label_set]
            cuts = several.cuts[list(qualities).index(each.label_set)].cuts
            for cut, rate in zip(cuts, each.rates, strict=True):
                inside = [
                    value
                    for pair, value in of_pairs.items()
                    if is_mated(pair)
                    and GROUP_OF.get(pair[0][:2]) == each.group
                    and min(values[path] for path in pair) >= cut.label
                ]
                assert (rate.pairs, rate.errors) == (len(inside), sum(value < threshold for value in inside))
    for each in several.groups.labels:
        own = [value for path, value in qualities[each.label_set].items() if GROUP_OF.get(path[:2]) == each.group]
        assert (each.images, each.labelled) == (len(own), len(own))
        assert each.mean == pytest.approx(np.mean(own))
