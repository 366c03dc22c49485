"""What became of images and identities, and whether audit and recognizability are about the same images."""

from typing import Any, NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError, NothingUsableError
from fiqa_spark.methods.selection.selecting import IS_AUDITED, IS_SCORED, TARGET

_NAME, _FLAGS = "name", ("is_before", "is_after", "is_merged", "is_few")


class ImageCounts(NamedTuple):
    """Numbers of images."""

    listed: int
    """Of list and labels."""
    kept: int
    dropped: dict[str, int]
    """By the reasons that occur, in their order."""
    moved: int
    """Kept under a suggested identity."""
    merged: int
    """Kept under the common name of several identities, and not their own."""
    labelled: int
    """That have a row in the labels."""
    audited: int
    """Of these, those that the audit knows."""
    scored: int
    """Of these, those that the recognizability knows."""


def count_images(rows: DataFrame) -> ImageCounts:
    """Counts over rows from `selected`."""
    own, target, final = F.col(schemas.IDENTITY), F.col(TARGET), F.col(schemas.SELECTED_IDENTITY)
    columns = {
        "images": F.count("*"),
        "moved": F.count_if(~target.eqNullSafe(own)),
        "merged": F.count_if(~target.eqNullSafe(final)),
        "labelled": F.count(schemas.STATUS),
        "audited": F.count_if(IS_AUDITED),
        "scored": F.count_if(IS_SCORED),
    }
    by_reason = rows.groupBy(schemas.REASON).agg(*(column.alias(name) for name, column in columns.items()))
    found = {row[schemas.REASON]: row for row in by_reason.collect()}
    # What is kept has the reason null.
    kept = found[None].asDict() if None in found else dict.fromkeys(columns, 0)
    return ImageCounts(
        listed=sum(row.images for row in found.values()),
        kept=kept["images"],
        dropped={name: found[name].images for name in schemas.REASONS if name in found},
        moved=kept["moved"],
        merged=kept["merged"],
        **{name: sum(row[name] for row in found.values()) for name in ("labelled", "audited", "scored")},
    )


def count_identities(rows: DataFrame, *, may_be_renamed: bool) -> dict[str, int]:
    """What became of identities.

    Parameters
    ----------
    rows : DataFrame
        From `selected`.
    may_be_renamed : bool
        Whether images may have another identity than in the labels.

    Returns
    -------
    dict
        `before`, names in the labels; `after`, names of what is kept; of those that are gone, `merged` into another
        name, `too_few` images left, or `emptied` by other reasons; `new`, names that the labels do not have.
    """
    no, is_kept = F.lit(False), F.col(schemas.REASON).isNull()
    is_few = F.col(schemas.REASON).eqNullSafe(schemas.PER_IDENTITY_LEAST)
    if may_be_renamed:
        is_merged = ~F.col(TARGET).eqNullSafe(F.col(schemas.SELECTED_IDENTITY))
        entries = (
            _entry(schemas.IDENTITY, F.lit(True), no, no, no),
            _entry(TARGET, no, no, is_merged, no),
            _entry(schemas.SELECTED_IDENTITY, no, is_kept, no, is_few),
        )
        names = rows.select(F.explode(F.array(*map(F.struct, entries))).alias("entry")).select("entry.*")
    else:
        names = rows.select(*_entry(schemas.IDENTITY, F.lit(True), is_kept, no, is_few))
    table = names.where(F.col(_NAME).isNotNull()).groupBy(_NAME).agg(*(F.max(name).alias(name) for name in _FLAGS))
    before, after, merged, few = map(F.col, _FLAGS)
    is_gone = before & ~after
    counts = {
        "before": before,
        "after": after,
        "merged": is_gone & merged,
        "too_few": is_gone & ~merged & few,
        "emptied": is_gone & ~merged & ~few,
        "new": after & ~before,
    }
    [found] = table.agg(*(F.count_if(column).alias(name) for name, column in counts.items())).collect()
    return found.asDict()


def _entry(name: str, *flags: Column) -> list[Column]:
    """An identity, and what an image tells of it."""
    return [F.col(name).alias(_NAME), *(flag.alias(what) for what, flag in zip(_FLAGS, flags, strict=True))]


def check_known(counts: ImageCounts, given: dict[str, DataFrame], labels: DataFrame) -> None:
    """Raise InputError for an audit or a recognizability that knows no image of the labels.

    Parameters
    ----------
    given : dict of str to DataFrame
        Name of the setting to its images; those that there are.
    """
    known = {"audit": counts.audited, "recognizability": counts.scored}
    for name, images in given.items():
        if counts.labelled and not known[name]:
            examples = [_example(table) for table in (images, labels)]
            raise InputError(
                f"knows none of the images of the labels: it has {examples[0]}, and they have {examples[1]}",
                setting=name,
                remedy="give the one of the same list, with the same `id_key_index`",
            )


def _example(table: DataFrame) -> str:
    row = table.select(schemas.PATH, schemas.IDENTITY).head()
    return f"{row[0]!r} of the identity {row[1]!r}" if row else "none"


def check_any_kept(counts: ImageCounts) -> None:
    """Raise NothingUsableError for a selection that keeps nothing."""
    if not counts.kept:
        told = ", ".join(f"{count} {reason}" for reason, count in counts.dropped.items())
        raise NothingUsableError(
            f"no image is left of {counts.listed}{f': {told}' if told else ''}",
            setting="labels",
            remedy="ask for less",
        )


def as_summary(counts: ImageCounts, identities: dict[str, int]) -> dict[str, Any]:
    """The entries of a summary that tell what became of images and identities."""
    dropped = sum(counts.dropped.values())
    return {
        "images": {
            "listed": counts.listed,
            "kept": counts.kept,
            "dropped": dropped,
            "moved": counts.moved,
            "merged": counts.merged,
        },
        "reasons": counts.dropped,
        "identities": identities,
    }
