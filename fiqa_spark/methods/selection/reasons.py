"""Why an image is dropped, by what is known of it alone: the first reason that applies, in the order of `REASONS`."""

from pyspark.sql import Column
from pyspark.sql import functions as F

from fiqa_spark import schemas
from fiqa_spark.methods.selection.settings import SelectionSettings


def first_reason(settings: SelectionSettings, *, is_of_list: bool) -> Column:
    """The first reason for which an image is dropped, null if there is none; by its row alone.

    Parameters
    ----------
    is_of_list : bool
        Whether rows tell the place in a list: one without it is not listed, and one without `status` has no labels.

    Returns
    -------
    Column of string
        Over `status`, `label`, and what the settings need of `row`, `verdict` and `ers`.
    """
    label, ers, status = F.col(schemas.LABEL), F.col(schemas.ERS), F.col(schemas.STATUS)
    cases: list[tuple[Column, Column | str]] = []
    if is_of_list:
        cases += [
            (F.col(schemas.ROW).isNull(), schemas.NOT_IN_LIST),
            (status.isNull(), schemas.NOT_IN_LABELS),
        ]
    cases.append((status.isin(*schemas.UNUSABLE_STATUSES), status))
    if settings.drop:
        verdict = F.col(schemas.VERDICT)
        cases.append((verdict.isin(*settings.drop), verdict))
    if settings.least_label is not None:
        cases += [(label.isNull(), schemas.NO_LABEL), (label < settings.least_label, schemas.LEAST_LABEL)]
    if settings.least_ers is not None:
        cases += [(ers.isNull(), schemas.NO_ERS), (ers < settings.least_ers, schemas.LEAST_ERS)]
    reason = F.lit(None).cast("string")
    for condition, name in reversed(cases):
        reason = F.when(condition, F.lit(name) if isinstance(name, str) else name).otherwise(reason)
    return reason
