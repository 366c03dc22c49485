"""The audit of identities on the cluster: what it finds is what local mode finds."""

import pytest

from fiqa_spark import read_audit
from tests.yarn.every_job import AUDITED


def tables(spark, folder):
    """Words and numbers of the rows of each table, in the order of the words."""
    for table in read_audit(spark, folder):
        rows = [tuple(row) for row in table.collect()]
        rows.sort(key=lambda row: [str(value) for value in row if not isinstance(value, float)])
        yield (
            [[value for value in row if not isinstance(value, float)] for row in rows],
            [value for row in rows for value in row if isinstance(value, float)],
        )


def test_an_audit_is_that_of_local_mode(spark, cluster, faces, every_job):
    expected = list(tables(spark, faces.local_audit(spark)))
    assert len(expected[0][0]) >= 200
    every_job.assert_succeeded("audit")
    assert "audit_identities: comparing identities: " in every_job.result("audit").stderr
    assert cluster.names("faces/audit") == [*AUDITED, "summary.json"]
    for found, wanted in zip(tables(spark, f"{cluster.home}/faces/audit"), expected, strict=True):
        assert found[0] == wanted[0]
        assert found[1] == pytest.approx(wanted[1], abs=1e-5)
