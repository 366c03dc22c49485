"""Findings of three label sets by three judges, with all that the page of an evaluation can show."""

import io
import itertools

import numpy as np
from PIL import Image

from fiqa_spark.evaluation.findings import (
    Comparison,
    Curve,
    Cut,
    CutErrors,
    ErrorRate,
    ExpectedError,
    ExpectedErrors,
    Findings,
    GroupErrors,
    GroupLabels,
    Groups,
    IdentityLabels,
    Interval,
    JudgeFindings,
    Mistake,
    Mistakes,
    OperatingPoint,
    PartialAuc,
    Profile,
    SetCuts,
    Sheet,
    Similarities,
    SizeClass,
    Target,
    Thumbnail,
)

SCRIPT = "<script>alert(1)</script>"
SETS = ("SDD-FIQA", "margin", SCRIPT)
QUANTITIES = ("label", "label", "ERS")
JUDGES = ("MobileFaceNet", "EdgeFace-XS", f"{SCRIPT} & {'n' * 60}")
# By judge and set; the second judge made the first set, the third judge knows no better than chance.
OF_CHANCE = ((0.62, 0.48, 0.71), (0.31, 0.55, 0.55), (0.97, 1.02, 0.9))
FMRS = (0.01, 1e-5)
DISCARDS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
LIMITS = (0.2, 0.3, 1.0)
GROUPS = ("younger than 30", SCRIPT, "g" * 60, "nobody")
POINTS = (("error", 0.05), ("error", 0.1), ("fmr", 0.01), ("fmr", 1e-5))
PAIRS = 50


def photograph(number, side=200):
    """JPEG of noise whose power falls with the frequency as that of photographs does."""
    random = np.random.default_rng(number)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    spectrum = np.fft.fft2(random.normal(size=(3, side, side))) / np.maximum(frequency, 1 / side) ** 1.6
    values = np.fft.ifft2(spectrum).real
    values = 128 + 50 * (0.3 * values / values.std() + values.mean(axis=0) / values.mean(axis=0).std())
    written = io.BytesIO()
    Image.fromarray(values.clip(0, 255).astype(np.uint8).transpose(1, 2, 0)).save(written, "JPEG", quality=95)
    return written.getvalue()


def _areas(place, of_chance, start):
    for limit in LIMITS:
        value = of_chance * start * limit
        yield PartialAuc(
            limit, value, Interval(0.95 * value, 1.05 * value), value - 0.5 * start**2, of_chance,
            Interval(of_chance - 0.05, of_chance + 0.05), 1e-4 * place, Interval(-1e-4, 3e-4),
        )  # fmt: skip


def _curve(name, place, of_chance, start):
    """As rough as the curve of twenty thousand pairs."""
    discards = np.linspace(0, 1, 20_001)
    walk = np.cumsum(np.random.default_rng(place).normal(size=len(discards))) / 2500
    errors = np.maximum(start * (1 - discards) ** (2 * (1.05 - of_chance)) * (1 + walk), 0)
    return Curve(name, discards, errors, tuple(_areas(place, of_chance, start)))


def _comparisons(of_chance):
    for fixed_by, value in POINTS:
        start = value if fixed_by == "error" else 0.08
        curves = tuple(_curve(name, place, of_chance[place], start) for place, name in enumerate(SETS))
        yield Comparison(OperatingPoint("fnmr", fixed_by, value), 0.4321, start, 23_456, curves)


def _rate(fmr, pairs, rate):
    """An error rate, whose interval there is only where the FMR can be told and there are pairs."""
    if not pairs:
        return ErrorRate(fmr, 0.3, 0, 0, None, None)
    interval = Interval(0.8 * rate, 1.2 * rate) if fmr > 1e-4 else None
    return ErrorRate(fmr, 0.3, pairs, round(rate * pairs), rate, interval)


def _cut_errors(name, judge):
    for number, discard in enumerate(DISCARDS):
        pairs = 0 if name == SCRIPT and number == 7 else int(20_000 * (1 - discard) ** 2)
        yield tuple(_rate(fmr, pairs, 0.08 / (1 + number + judge) / (2 - fmr * 100)) for fmr in FMRS)


def _group_rates(group, pairs):
    for number in range(1, 1 + len(DISCARDS)):
        yield _rate(FMRS[0], 0 if group == "nobody" else pairs, 0.05 / number)


def _ranges(quantity, judge):
    end = 100 if quantity == "label" else 1
    for number in range(10):
        pairs, rate = (0, None) if number == 1 else (100 * (number + 1), 0.3 / (number + 1 + judge))
        yield ExpectedError(
            number * end / 10,
            (number + 1) * end / 10,
            pairs,
            round(pairs * (rate or 0)),
            rate,
            0.29 / (number + 1 + judge),
        )


def mistakes(pictures):
    """Pairs of images, the first of which occur in every set; some of their files cannot be read."""
    for place, name in enumerate(SETS):
        numbers = [20 * place + number for number in range(PAIRS)]
        pairs = tuple(
            Mistake(f"person{number}/0.jpg", f"person{number}/{SCRIPT}.jpg", SCRIPT, 99.5 - number / 7, -0.1)
            for number in numbers
        )
        both = tuple((pictures[2 * number], None if number == 3 else pictures[2 * number + 1]) for number in numbers)
        yield Mistakes(name, 0.4321, "FMR 0.01", 50 if place else 1234, pairs, both)


def _judge(number, pictures):
    counts = np.arange(40)
    return JudgeFindings(
        name=JUDGES[number],
        path=f"/features/{'f' * 200}{number}",
        made=SETS[:1] if number == 1 else (),
        pairs={
            "source": "drawn", "kind": "across halves", "mated": 23_456 + number, "non_mated": 1_000_000,
            "left_out": {"no_feature": 7} if number else {},
        },
        comparisons=tuple(_comparisons(OF_CHANCE[number])),
        similarities=Similarities(np.linspace(-1, 1, 41), counts, counts[::-1]),
        cuts=tuple(CutErrors(name, tuple(_cut_errors(name, number))) for name in SETS),
        targets=tuple(
            Target(name, fmr, 0.01, *((34.5, 0.123, 9000) if fmr > 1e-4 else (None, None, 20_000)))
            for name in SETS for fmr in FMRS
        ),
        expected=tuple(
            ExpectedErrors(name, fmr, 0.3, tuple(_ranges(quantity, number)))
            for name, quantity in zip(SETS, QUANTITIES, strict=True) for fmr in FMRS
        ),
        groups=tuple(
            GroupErrors(name, group, tuple(_group_rates(group, 77 * (number + 1))))
            for name, group in itertools.product(SETS, GROUPS)
        ),
        mistakes=tuple(mistakes(pictures)) if number == 1 else (),
    )  # fmt: skip


def _profile(name, quantity, tiles):
    end = 100 if quantity == "label" else 1
    sheets = (*("Lowest labels", "Middle labels", "Highest labels"), "Somebody, from worst to best")
    places = np.cumsum([0, 12, 12, 12, 24])
    return Profile(
        name=name, path=f"/data/{name}", quantity=quantity, statuses={"ok": 99_000, "no_mates": 1000},
        edges=np.linspace(0, end, 51), counts=np.arange(50) * 40,
        sizes=(SizeClass(1, 1, 70_000, 10, 20, 30), SizeClass(2, 3, 12_345, 20, 30, 50)),
        lowest=(IdentityLabels(SCRIPT, 4, 3, 1.5, 0.25, 70),),
        sheets=tuple(
            Sheet(title, tuple(Thumbnail(f"a/{place}.jpg", end / 2, tiles[place]) for place in range(start, stop)))
            for title, (start, stop) in zip(sheets, itertools.pairwise(places), strict=True)
        ),
    )  # fmt: skip


def _groups():
    labels = tuple(
        GroupLabels(
            name, group, 1234 + place, 0 if group == "nobody" else 1200 + place,
            *((None, None) if group == "nobody" else (45.25 + place, Interval(44, 47))),
            (0.0, *(None if group == "nobody" else discard for discard in DISCARDS[1:])),
        )
        for name in SETS for place, group in enumerate(GROUPS)
    )  # fmt: skip
    return Groups(f"/data/{SCRIPT}.csv", 98_765, 321, labels)


def _cuts(end):
    for number, discard in enumerate(DISCARDS):
        images = int(99_000 * (1 - discard))
        yield Cut(discard, end * discard, 0.98 * discard, images, 8000 - number, 7000 - number)


def three_judges(tiles, pictures):
    """Findings with their pictures: lists of 60 JPEGs of contact sheets a set, and of two a pair."""
    return Findings(
        convention="fixed",
        pair_quality="min",
        judges=tuple(_judge(number, pictures) for number in range(len(JUDGES))),
        profiles=tuple(
            _profile(name, quantity, tiles[60 * place :])
            for place, (name, quantity) in enumerate(zip(SETS, QUANTITIES, strict=True))
        ),
        notes=(f"Few pairs: {SCRIPT}",),
        cuts=tuple(SetCuts(name, tuple(_cuts(end))) for name, end in zip(SETS, (100, 100, 1), strict=True)),
        groups=_groups(),
    )
