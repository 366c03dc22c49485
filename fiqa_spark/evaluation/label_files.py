"""Files of scores in every form that they come in, to the columns of a label set."""

import logging
import re

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.evaluation.csv_tables import read_csv
from fiqa_spark.evaluation.score_lines import SEVERAL_NUMBERS_PATTERN, refuse_several_numbers, score_pattern
from fiqa_spark.inputs import keys
from fiqa_spark.inputs.csv_headers import Header, header_in, normal
from fiqa_spark.inputs.list_forms import header_of, path_column
from fiqa_spark.inputs.text_files import first_lines
from fiqa_spark.inputs.text_lines import LINE, check_encoding, lines_of, unquoted
from fiqa_spark.methods.results import KINDS
from fiqa_spark.runtime.storage import Storage

_SETTING = "labels"
_log = logging.getLogger("fiqa_spark")
_QUANTITIES = {kind.quality: kind.quantity for kind in KINDS}
# OFIQ's score from 0 to 100, below 0 where it could not assess the image; the column without `.scalar` is of another
# scale.
_OFIQ_SCORE = "UnifiedQualityScore.scalar"
# In this order, the first that a CSV file has, or else OFIQ's.
_QUALITIES = (*_QUANTITIES, schemas.SCORE, schemas.QUALITY)


def read_label_file(spark: SparkSession, storage: Storage, path: str) -> tuple[str, DataFrame]:
    """Scores in a CSV file with a header, or in a text of ``path score``.

    Returns
    -------
    quantity : str
        As of `LabelSet`.
    table : DataFrame
        As of `LabelSet`.

    Raises
    ------
    InputError
        If the file holds no scores, or a line of it none.
    """
    lines = first_lines(storage, path)
    header = header_of(lines)
    if header and len(header.names) > 1:
        quantity, rows = _csv_rows(spark, storage, path, header, path_column(header, lines[1:], path))
    else:
        quantity, rows = schemas.SCORE, _text_rows(spark, storage, path, lines)
    tidy = keys.with_slashes(keys.trimmed(F.col(schemas.PATH)))
    table = _with_numbers(rows.withColumn(schemas.PATH, tidy), path)
    climbing = table.where(keys.climbs(F.col(schemas.PATH))).select(schemas.PATH).head(1)
    if climbing:
        raise InputError(f"path {climbing[0][0]!r} climbs out of its root", path=path, remedy="remove its '..' parts")
    return quantity, table


def _csv_rows(
    spark: SparkSession, storage: Storage, path: str, header: Header, path_number: int
) -> tuple[str, DataFrame]:
    """What the scores of a CSV file are, and its rows: `path`, `quality` as text, perhaps `identity` and `status`."""
    wanted = (*_QUALITIES, _OFIQ_SCORE, schemas.IDENTITY, schemas.STATUS)
    positions = {name: header.position(name, path) for name in wanted}
    found = next((name for name in (*_QUALITIES, _OFIQ_SCORE) if positions[name] is not None), None)
    if found is None:
        raise InputError(f"no column {' or '.join(_QUALITIES)}; it has {', '.join(header.names)}", path=path)
    others = [name for name in _QUALITIES if name != found and positions[name] is not None]
    if others:
        _log.warning("of %s the column %r is the score; %s is not read", path, found, " or ".join(map(repr, others)))
    columns = {schemas.PATH: path_number, schemas.QUALITY: positions[found]}
    columns |= {name: positions[name] for name in (schemas.IDENTITY, schemas.STATUS)}
    known = {name: number for name, number in columns.items() if number is not None}
    rows = read_csv(spark, storage, path, header, known, setting=_SETTING)
    text = F.trim(schemas.QUALITY)
    is_none = (text == "") | (F.lit(found == _OFIQ_SCORE) & F.startswith(text, F.lit("-")))
    return _QUANTITIES.get(found, schemas.SCORE), rows.withColumn(schemas.QUALITY, F.when(~is_none, text))


def _text_rows(spark: SparkSession, storage: Storage, path: str, lines: tuple[str, ...]) -> DataFrame:
    """Rows of a text: `path`, and `quality` as text; blanks in a path stay."""
    names = lines[0] if lines and _names_path_and_score(lines[0]) else None
    below = lines[1:] if names else lines
    refuse_several_numbers(below, path)
    pattern = score_pattern(below)
    whole = lines_of(spark, storage, path)
    check_encoding(whole, setting=_SETTING, path=path)
    line = F.col(LINE)
    rows = whole.select(keys.trimmed(line).alias(LINE)).where((line != "") & (line != (names or "")))
    groups = {name: F.regexp_extract(LINE, pattern, group) for group, name in ((1, schemas.PATH), (2, schemas.QUALITY))}
    rows = rows.withColumns(groups)
    image = F.col(schemas.PATH)
    odd = rows.where((image == "") | image.rlike(SEVERAL_NUMBERS_PATTERN)).select(line).head(1)
    if odd:
        raise InputError(f"line {odd[0][0][:100]!r} is no path with a score", path=path, remedy="write 'path score'")
    return rows.select(unquoted(image).alias(schemas.PATH), schemas.QUALITY)


def _names_path_and_score(line: str) -> bool:
    """Whether a line is a header between whose names blanks stand."""
    words = line.split()
    return len(words) == 2 and header_in(words[0]) is not None and normal(words[1]) in _QUALITIES


def _with_numbers(rows: DataFrame, path: str) -> DataFrame:
    """Rows whose quality is a number; what is not finite is none."""
    number: Column = F.expr(f"try_cast({schemas.QUALITY} AS double)")
    odd = rows.where(F.col(schemas.QUALITY).isNotNull() & number.isNull()).head(1)
    if odd:
        image, text = odd[0][schemas.PATH], odd[0][schemas.QUALITY]
        has_comma = re.fullmatch(r"[-+]?[0-9]*,[0-9]+", text)
        raise InputError(
            f"the score of {image!r} is {text[:40]!r}, which is no number",
            path=path,
            remedy="write it with a decimal point" if has_comma else "write a number",
        )
    finite = ~F.isnan(number) & (F.abs(number) != float("inf"))
    scored = rows.withColumn(schemas.QUALITY, F.when(finite, number))
    unknown = F.when(F.col(schemas.QUALITY).isNotNull(), F.lit(schemas.OK)).otherwise(F.lit(schemas.NO_SCORE))
    for column, value in ((schemas.IDENTITY, F.lit(None).cast("string")), (schemas.STATUS, unknown)):
        if column not in scored.columns:
            scored = scored.withColumn(column, value)
    return scored.where(F.trim(schemas.PATH) != "").select(*schemas.LABEL_SET)
