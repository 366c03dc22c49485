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
# Members of an identity, or of its halves.
_MEMBERS, _OTHERS = "members", "others"
# Two numbers up to 1000 take so many steps at most.
_STEPS_OF_EUCLID = 15
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


def players_across(players: tuple[Column, Column], number: Column) -> tuple[Column, Column]:
    """Who meets in a match between two teams.

    Parameters
    ----------
    players : tuple of Column of bigint
        Number of players of either team, from 1 to 1000.
    number : Column of bigint
        Number of the match, from 0 to the product of the two - 1.

    Returns
    -------
    first, second : Column of bigint
        Player of the first team, and of the second, each from 0.
    """
    first, second = players
    # Both teams take their turns until the same two would meet again; then the second moves on by one.
    repeats = F.floor(number * _common_divisor(first, second) / (first * second))
    return number % first, (number + repeats) % second


def _common_divisor(a: Column, b: Column) -> Column:
    """The greatest number by which two, from 1 to 1000, can be divided."""

    def step(pair: Column, _: Column) -> Column:
        larger, smaller = pair["larger"], pair["smaller"]
        # Once nothing is left, the divisor stays.
        return F.when(smaller == 0, pair).otherwise(_two(smaller, larger % smaller))

    return F.aggregate(F.sequence(F.lit(1), F.lit(_STEPS_OF_EUCLID)), _two(a, b), step)["larger"]


def _two(larger: Column, smaller: Column) -> Column:
    return F.struct(larger.alias("larger"), smaller.alias("smaller"))


def draw_mated(
    images: DataFrame, columns: tuple[str, ...], per_identity: int, half: Column | None = None
) -> tuple[DataFrame, dict[str, int]]:
    """Mated pairs of every identity with two images or more, or with images in both halves.

    Parameters
    ----------
    images : DataFrame
        `key`, `identity`, `identity_hash`, `image_hash`.
    columns : tuple of str
        Columns of `images` that the pairs are wanted with.
    per_identity : int
        Pairs of an identity at most.
    half : Column, optional
        Half of its identity that an image belongs to, 0 or 1; pairs are then of two halves.

    Returns
    -------
    pairs : DataFrame
        Structs `a` and `b` of the columns; `a` is of half 0 and `b` of half 1, if there are halves.
    identities : dict
        ``with_mated_pairs``, identities that have mated pairs; ``drawn_from``, those that pairs are drawn of.
    """
    groups = _tournaments(images, columns, per_identity, half)
    groups = groups.where(F.col("matches") > 0).persist(StorageLevel.MEMORY_AND_DISK)
    [totals] = groups.agg(F.count("*").alias("identities"), F.sum("matches").alias("pairs")).collect()
    pairs = totals["pairs"] or 0
    chosen = groups.where(F.col(schemas.IDENTITY_HASH) <= last_identity(pairs))
    drawn_from = chosen.count() if pairs > MATED_AT_MOST else totals["identities"]
    numbered = chosen.withColumn(schemas.NUMBER, F.explode(F.expr("sequence(0L, matches - 1L)")))
    sizes, number = (_size(_MEMBERS), _size(_OTHERS)), F.col(schemas.NUMBER)
    players = players_of_match(sizes[0], number) if half is None else players_across(sizes, number)
    first, second = (
        numbered[members][player.cast("int")]["image"]
        for members, player in zip((_MEMBERS, _MEMBERS if half is None else _OTHERS), players, strict=True)
    )
    identities = {"with_mated_pairs": totals["identities"], "drawn_from": drawn_from}
    return numbered.select(first.alias("a"), second.alias("b")), identities


def last_identity(pairs: int) -> int:
    """The largest hash of the identities that mated pairs are drawn of where all together have so many."""
    return _hash_bound(min(1.0, MATED_AT_MOST / max(pairs, 1)))


def _tournaments(images: DataFrame, columns: tuple[str, ...], per_identity: int, half: Column | None) -> DataFrame:
    """Identities with the images that may meet, in order, those of half 1 by themselves, and the number of matches."""
    of_identity = (schemas.IDENTITY_HASH, schemas.IDENTITY)
    order = Window.partitionBy(*of_identity).orderBy(*_IN_ORDER)
    member = F.struct("place", F.struct(*columns).alias("image"))
    if half is None:
        # More images than two a pair are not needed.
        few = images.withColumn("place", F.row_number().over(order)).where(F.col("place") <= 2 * per_identity)
        groups = few.groupBy(*of_identity).agg(F.array_sort(F.collect_list(member)).alias(_MEMBERS))
        matches = F.floor(_size(_MEMBERS) * (_size(_MEMBERS) - 1) / 2)
    else:
        # Places in either half, counted side by side.
        up_to_here = order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
        of_first, of_second = (F.count(F.when(half == number, 1)).over(up_to_here) for number in (0, 1))
        place = F.when(half == 0, of_first).otherwise(of_second)
        few = images.withColumns({"place": place, schemas.HALF: half}).where(F.col("place") <= per_identity)
        of_halves = [F.collect_list(F.when(F.col(schemas.HALF) == number, member)) for number in (0, 1)]
        groups = few.groupBy(*of_identity).agg(
            *[F.array_sort(each).alias(name) for each, name in zip(of_halves, (_MEMBERS, _OTHERS), strict=True)]
        )
        matches = _size(_MEMBERS) * _size(_OTHERS)
    return groups.withColumn("matches", F.least(F.lit(per_identity), matches))


def _size(members: str) -> Column:
    return F.size(members).cast("long")


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
