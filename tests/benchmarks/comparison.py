"""What got slower since the last run, by more than the machine and chance explain.

Each run also times work that no change of the project touches: the bare matrix product, and by processor time a plain
Python loop and the script of an afternoon. The median of what these take now, each divided by what it took then, is
what the machine makes of the difference, and is divided out. Some commands run twice in a run: the standard deviation
of the logarithms of their ratios is the noise between two runs. A command is slower if it grew by more than three of
these, and by more than a tenth. Fixed and marginal costs come from several commands; theirs is larger by a known
factor.
"""

import math
import statistics
from typing import NamedTuple

from tests.benchmarks.fits import noise_factors
from tests.benchmarks.runs import all_runs, lines, scripts

_LEAST, _DEVIATIONS = 0.1, 3
# Of a marginal cost near 0 the noise has no bound; the exponential of this still is a number.
_NEVER = 700


class Figure(NamedTuple):
    """Something that shall not grow."""

    value: float
    noise: float = 1.0
    """Its relative noise, in that of the time of one command."""
    of_machine: bool = True
    """Whether it is a time, which a slower machine makes longer, and not a ratio of two."""


class Slower(NamedTuple):
    """A figure that grew."""

    name: str
    then: float
    now: float
    ratio: float
    """Now to then, the machine taken out where the figure depends on it."""


class Comparison(NamedTuple):
    """Of a run with the last one."""

    machine: float
    """Time that the machine takes now for the same work, divided by that of then."""
    noise: float
    """By how much more than that the time of one command has to grow to count."""
    compared: int
    slower: list[Slower]


def compared(then, now):
    """Compare two runs, as in ``benchmark.json``; what one of them lacks is left out."""
    machine = machine_ratio(then, now)
    deviation = spread([*_pairs(then), *_pairs(now)])
    same_cores = _cores(then) == _cores(now)
    before, after = _figures(then, same_cores), _figures(now, same_cores)
    both, slower = [name for name in after if name in before], []
    for name in both:
        old, new = before[name], after[name]
        ratio = new.value / old.value / (machine if new.of_machine else 1)
        if ratio > 1 + least_growth(deviation, max(old.noise, new.noise)):
            slower.append(Slower(name, old.value, new.value, ratio))
    slower.sort(key=lambda row: -row.ratio)
    return Comparison(machine, least_growth(deviation), len(both), slower)


def machine_ratio(then, now):
    """Median of the ratios of what both runs took for the same work; 1 if they have none in common."""
    work = _unchanging(then), _unchanging(now)
    ratios = [work[1][name] / work[0][name] for name in work[1] if name in work[0]]
    return statistics.median(ratios) if ratios else 1.0


def spread(pairs):
    """Standard deviation of the logarithm of the ratio of two runs of one command; 0 if there are no pairs."""
    logarithms = [math.log(second / first) for first, second in pairs]
    return math.sqrt(sum(each**2 for each in logarithms) / len(logarithms)) if logarithms else 0.0


def least_growth(deviation, factor=1.0):
    """By which part of itself a figure has to grow to count as slower.

    Parameters
    ----------
    deviation : float
        From `spread`.
    factor : float
        Noise of the figure in that of one command.
    """
    of_command = max(_DEVIATIONS * deviation, math.log1p(_LEAST))
    return max(_LEAST, math.expm1(min(of_command * factor, _NEVER)))


def _unchanging(found):
    """Name to seconds of the work that no change of the project touches."""
    work = {"floor": found["floor"]} if "floor" in found else {}
    if of_loop := [run for run in found.get("loop", ()) if "processor_seconds" in run]:
        work[f"loop of {of_loop[-1]['images']}"] = of_loop[-1]["processor_seconds"]
    if of_script := [run["processor_seconds"] for run in scripts(found)]:
        work["script"] = min(of_script)
    return work


def _pairs(found):
    return [[run["seconds"] for run in pair] for pair in found.get("again", {}).values()]


def _cores(found):
    return found.get("machine", {}).get("cores")


def _figures(found, same_cores):
    """Name to figure; wall times of commands only where both machines have as many cores."""
    figures = {}
    for name, run in all_runs(found):
        named = f"{name}, {run['images']:,} images"
        if same_cores:
            figures[f"{named}, seconds"] = Figure(run["seconds"])
        if "processor_seconds" in run:
            figures[f"{named}, processor seconds"] = Figure(run["processor_seconds"])
    for name, line in lines(found):
        figures |= _costs(name, line)
    if "kernels" in found and "floor" in found:
        figures["kernels / floor"] = Figure(found["kernels"] / found["floor"], of_machine=False)
    for run in found.get("search", ()):
        name = f"search among {run['identities']:,} identities / bare matrix product"
        figures[name] = Figure(run["ratio"], of_machine=False)
    return {name: figure for name, figure in figures.items() if figure.value > 0}


def _costs(name, line):
    """Fixed and marginal costs of a straight line, by wall and by processor time."""
    images = [run["images"] for run in line["runs"]]
    for unit, fixed, marginal in (
        ("seconds", "fixed_seconds", "core_microseconds"),
        ("processor_seconds", "fixed_processor_seconds", "processor_microseconds"),
    ):
        if fixed not in line["fit"]:
            continue
        noise = noise_factors(images, [run[unit] for run in line["runs"]])
        for kind, key, factor in zip(("fixed", "marginal"), (fixed, marginal), noise, strict=True):
            yield f"{name}, {kind} {key.removeprefix('fixed_').replace('_', ' ')}", Figure(line["fit"][key], factor)
