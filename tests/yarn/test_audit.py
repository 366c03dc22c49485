"""The audit of identities by a driver on the cluster and by one here: what it finds is what local mode finds."""

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


def test_an_audit_is_that_of_local_mode_by_a_driver_there_and_here(spark, cluster, faces, every_job, by_client):
    expected = list(tables(spark, faces.local_audit(spark)))
    assert len(expected[0][0]) >= 200
    every_job.assert_succeeded("audit")
    by_client.assert_succeeded("audit")
    assert "audit_identities: comparing identities: " in by_client.result("audit").stderr
    for name in ("audit", "audit-by-client"):
        assert cluster.names(f"faces/{name}") == [*AUDITED, "summary.json"]
        for found, wanted in zip(tables(spark, f"{cluster.home}/faces/{name}"), expected, strict=True):
            assert found[0] == wanted[0]
            assert found[1] == pytest.approx(wanted[1], abs=1e-5)
