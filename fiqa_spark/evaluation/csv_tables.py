"""CSV files with a header to DataFrames."""

from collections.abc import Mapping

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from fiqa_spark.inputs.csv_headers import Header
from fiqa_spark.inputs.text_lines import check_encoding, lines_of
from fiqa_spark.runtime.storage import Storage, literal


def read_csv(
    spark: SparkSession, storage: Storage, path: str, header: Header, columns: Mapping[str, int], *, setting: str
) -> DataFrame:
    """Columns of a UTF-8 CSV file as text; quotes are doubled in quoted fields.

    Parameters
    ----------
    header : Header
        Of the file.
    columns : dict
        Name that a column is to have, to its number in the file.
    setting : str
        Name of the setting that names the file.

    Raises
    ------
    InputError
        About the setting, if the file is not UTF-8.
    """
    # Taking the lines apart replaces what is not UTF-8.
    check_encoding(lines_of(spark, storage, path), setting=setting, path=path)
    blanks = {"ignoreLeadingWhiteSpace": "true", "ignoreTrailingWhiteSpace": "true"}
    options = {"header": "true", "escape": '"', "encoding": "UTF-8", "sep": header.separator, **blanks}
    table = spark.read.options(**options).csv(literal(storage.qualified(path)))
    # By number, as Spark's names for columns are its own where two are alike.
    names = [f"column_{number}" for number in range(len(table.columns))]
    return table.toDF(*names).select(*[F.col(names[number]).alias(name) for name, number in columns.items()])
