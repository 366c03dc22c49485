"""Mated and non-mated pairs drawn from images, the same ones every time.

Images in the order of their hashes, a random order, meet in the matches of a round-robin tournament: in a round every
image meets one other, and no two meet twice. The first so many matches are the draw, so that images occur about equally
often, and as seldom as there are images for.
"""

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.runtime.row_numbers import PIECE, numbered_in_pieces

# Beyond so many mated pairs they are drawn of a part of the identities, those of the smallest hashes.
MATED_AT_MOST = 5_000_000
# Candidates for non-mated pairs beyond what is expected to be needed, and as a multiple of it at most.
_EXTRA_SHARE, _EXTRA, _CANDIDATES_AT_MOST = 0.05, 1000, 4
# Ranges of hashes in which images are numbered side by side, and pairs are counted.
_RANGE_BITS, _PAIRS_A_BLOCK = 8, 4096
_LEAST_HASH, _HASHES = -(2**63), 2**64
_IN_ORDER = (schemas.IMAGE_HASH, schemas.KEY)


def players_of_match(players: Column, number: Column) -> tuple[Column, Column]:
    """Who meets in a match of a round-robin tournament.

    Parameters
    ----------
    players : Column of bigint
        Number n of players, at least 2.
    number : Column of bigint
        Number of the match, from 0 to n (n - 1) / 2 - 1; ``n // 2`` matches make a round.

    Returns
    -------
    first, second : Column of bigint
        Two different players, from 0 to n - 1.
    """
    is_odd = players % 2
    rounds, matches = players - 1 + is_odd, F.floor(players / 2)
    played = F.floor(number / matches)
    # All but one stand in a circle that turns by one place a round; of an odd number the one in the middle is missing.
    step = number % matches + is_odd
    opposite = F.when(step == 0, players - 1).otherwise((played - step + rounds) % rounds)
    return (played + step) % rounds, opposite


def draw_mated(images: DataFrame, columns: tuple[str, ...], per_identity: int) -> tuple[DataFrame, dict[str, int]]:
    """Mated pairs of every identity with two images or more.

    Parameters
    ----------
    images : DataFrame
        `key`, `identity`, `identity_hash`, `image_hash`.
    columns : tuple of str
        Columns of `images` that the pairs are wanted with.
    per_identity : int
        Pairs of an identity at most.

    Returns
    -------
    pairs : DataFrame
        Structs `a` and `b` of the columns.
    identities : dict
        ``with_mated_pairs``, identities of two images or more; ``drawn_from``, those that pairs are drawn of.
    """
    order = Window.partitionBy(schemas.IDENTITY_HASH, schemas.IDENTITY).orderBy(*_IN_ORDER)
    # More images than two a pair are not needed.
    few = images.withColumn("place", F.row_number().over(order)).where(F.col("place") <= 2 * per_identity)
    member = F.struct("place", F.struct(*columns).alias("image"))
    groups = few.groupBy(schemas.IDENTITY_HASH, schemas.IDENTITY).agg(
        F.array_sort(F.collect_list(member)).alias("members")
    )
    size = F.size("members").cast("long")
    matches = F.least(F.lit(per_identity), F.floor(size * (size - 1) / 2))
    groups = groups.where(size >= 2).withColumn("matches", matches).persist(StorageLevel.MEMORY_AND_DISK)
    [totals] = groups.agg(F.count("*").alias("identities"), F.sum("matches").alias("pairs")).collect()
    part = min(1.0, MATED_AT_MOST / (totals["pairs"] or 1))
    chosen = groups.where(F.col(schemas.IDENTITY_HASH) <= _hash_bound(part))
    drawn_from = chosen.count() if part < 1 else totals["identities"]
    numbered = chosen.withColumn(schemas.NUMBER, F.explode(F.expr("sequence(0L, matches - 1L)")))
    first, second = (
        numbered["members"][player.cast("int")]["image"] for player in players_of_match(size, F.col(schemas.NUMBER))
    )
    identities = {"with_mated_pairs": totals["identities"], "drawn_from": drawn_from}
    return numbered.select(first.alias("a"), second.alias("b")), identities


def draw_non_mated(images: DataFrame, columns: tuple[str, ...], count: int) -> DataFrame:
    """Non-mated pairs of images.

    Parameters
    ----------
    images : DataFrame
        `key`, `identity`, `identity_hash`, `image_hash`, kept.
    columns : tuple of str
        Columns of `images` that the pairs are wanted with.
    count : int
        Pairs at most.

    Returns
    -------
    DataFrame
        Structs `a` and `b` of the columns, kept; exactly so many pairs where there are as many.

    Raises
    ------
    InputError
        If there is no image, or all are of one identity.
    """
    sizes = (
        images.groupBy(schemas.IDENTITY)
        .count()
        .agg(F.sum("count").alias("all"), F.sum(F.col("count") ** 2).alias("squared"))
    )
    [(total, squared)] = sizes.collect()
    candidates, last_hash = candidates_for(total or 0, squared or 0, count)
    places, players = _in_hash_order(images, columns, last_hash)
    matches = min(candidates, players * (players - 1) // 2)
    first, second = players_of_match(F.lit(players).cast("long"), F.col(schemas.NUMBER))
    pairs = (
        images.sparkSession.range(matches)
        .select(F.col("id").alias(schemas.NUMBER))
        .select(schemas.NUMBER, first.alias("first"), second.alias("second"))
    )
    for side, place in (("a", "first"), ("b", "second")):
        pairs = pairs.join(places.select(F.col("place").alias(place), F.col("image").alias(side)), place)
    of_two = pairs.where(F.col("a")[schemas.IDENTITY] != F.col("b")[schemas.IDENTITY])
    of_two = of_two.select(schemas.NUMBER, "a", "b").persist(StorageLevel.MEMORY_AND_DISK)
    return _first_by_number(of_two, count).select("a", "b")


def candidates_for(total: int, squared: float, count: int) -> tuple[int, int]:
    """How many matches to look at for non-mated pairs, and of which images.

    Parameters
    ----------
    total : int
        Number of images.
    squared : float
        Sum of the squares of the identities' numbers of images.
    count : int
        Pairs at most.

    Returns
    -------
    candidates : int
        Matches among which so many should be non-mated.
    last_hash : int
        The largest hash of the images that are needed for them.

    Raises
    ------
    InputError
        If there is no image, or all are of one identity.
    """
    if not total:
        raise InputError(
            "no image with a label in every set has an identity",
            setting="id_key_index",
            remedy="use -2 for the parent folder, or give `pairs_file`",
        )
    non_mated = (total**2 - squared) / 2
    if not non_mated:
        raise InputError(
            "all images with a label in every set are of one identity, so that there is no non-mated pair",
            setting="labels",
            remedy="check `id_key_index`, or give `pairs_file`",
        )
    share = non_mated / (total * (total - 1) / 2)
    expected = min(count, non_mated) / share * (1 + _EXTRA_SHARE) + _EXTRA
    candidates = int(min(expected, _CANDIDATES_AT_MOST * count + _EXTRA))
    return candidates, _hash_bound(min(1.0, 2 * candidates / total))


def _hash_bound(part: float) -> int:
    """The largest of a part of all hashes."""
    return min(_LEAST_HASH + int(part * _HASHES), 2**63 - 1)


def _in_hash_order(images: DataFrame, columns: tuple[str, ...], last_hash: int) -> tuple[DataFrame, int]:
    """Images with hashes up to one, with their place in that order, and how many there are."""
    piece = F.shiftright(schemas.IMAGE_HASH, 64 - _RANGE_BITS)
    chosen = images.where(F.col(schemas.IMAGE_HASH) <= last_hash).withColumn(PIECE, piece)
    inside = F.row_number().over(Window.partitionBy(PIECE).orderBy(*_IN_ORDER))
    in_order, total = numbered_in_pieces(chosen, inside, first=F.lit(1))
    return in_order.select(F.col(schemas.ROW).alias("place"), F.struct(*columns).alias("image")), total


def _first_by_number(pairs: DataFrame, count: int) -> DataFrame:
    """The pairs of the smallest numbers, which need not be without gaps; exactly so many if there are as many."""
    block = F.floor(F.col(schemas.NUMBER) / _PAIRS_A_BLOCK)
    before = 0
    for number, size in sorted(tuple(row) for row in pairs.groupBy(block.alias("block")).count().collect()):
        if before + size > count:
            numbers = pairs.where(block == number).select(schemas.NUMBER).collect()
            last = (
                sorted(row[0] for row in numbers)[count - before - 1] if count > before else number * _PAIRS_A_BLOCK - 1
            )
            return pairs.where(F.col(schemas.NUMBER) <= last)
        before += size
    return pairs
