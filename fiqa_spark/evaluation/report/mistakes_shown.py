"""What the page says of mated pairs that are errors although both labels are high."""

from typing import Any

from fiqa_spark.evaluation.findings import Findings, Mistake, Mistakes
from fiqa_spark.evaluation.report.numbers_shown import label, number
from fiqa_spark.evaluation.report.rendering import image


class SharedPictures:
    """Pictures that a page shows several times and holds once, as backgrounds of a class."""

    def __init__(self) -> None:
        self._names: dict[bytes, str] = {}

    def name(self, jpeg: bytes | None) -> str | None:
        """Class of whatever shows the picture; None where there is none."""
        return self._names.setdefault(jpeg, f"picture-{len(self._names) + 1}") if jpeg else None

    def addresses(self) -> list[tuple[str, str]]:
        """Class and content of every picture that has been asked for."""
        return [(name, image("jpeg", jpeg)) for jpeg, name in self._names.items()]


def mistakes_shown(findings: Findings, pictures: SharedPictures) -> dict[str, Any] | None:
    """Pairs of every label set, by the first judge that tells any; None where none does."""
    judge = next((judge for judge in findings.judges if judge.mistakes), None)
    if judge is None:
        return None
    # Of a pair's quality, which is no label where it is a product of two.
    quantities = {profile.name: profile.quantity for profile in findings.profiles}
    is_label = findings.pair_quality != "product"
    return {
        "judge": judge.name,
        "sets": [
            _set(each, quantities.get(each.label_set, "score") if is_label else "product", pictures)
            for each in judge.mistakes
        ],
    }


def _set(mistakes: Mistakes, quantity: str, pictures: SharedPictures) -> dict[str, Any]:
    shown = mistakes.pictures or [None] * len(mistakes.pairs)
    return {
        "name": mistakes.label_set,
        "threshold": number(mistakes.threshold, 4),
        "told_by": mistakes.told_by,
        "errors": f"{mistakes.errors:,}",
        "is_all": mistakes.errors == len(mistakes.pairs),
        "has_pictures": mistakes.pictures is not None,
        "pairs": [
            _pair(pair, quantity, [pictures.name(jpeg) for jpeg in both or ()])
            for pair, both in zip(mistakes.pairs, shown, strict=True)
        ],
    }


def _pair(pair: Mistake, quantity: str, pictures: list[str | None]) -> dict[str, Any]:
    return {
        "identity": pair.identity or "",
        "paths": (pair.path_a, pair.path_b),
        "quality": label(pair.quality, quantity),
        "similarity": number(pair.similarity, 3),
        "pictures": list(zip((pair.path_a, pair.path_b), pictures, strict=True)) if pictures else [],
    }
