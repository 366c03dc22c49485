import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiqa_spark.matching.identity_batches import Rows, SpilledIdentity, joined_rows, whole_identities
from tests.labelling import embeddings_of, label_rows, paths_of
from tests.session_settings import session_with

SCHEMA = pa.schema([("identity_key", pa.int64()), ("image_hash", pa.int64()), ("row", pa.int64())])


def rows_of(frame):
    """Rows whose embedding, norm and usability tell their number."""
    numbers = frame["row"].to_numpy()
    return Rows(frame, np.float32(frame[["row", "row"]]), numbers / 2, numbers % 3 > 0)


@pytest.mark.lowest_versions
@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(1, 30), st.data())
def test_a_stream_is_cut_at_the_borders_of_identities_and_nowhere_else(sizes, rows_at_once, data):
    identity_keys = np.repeat(np.arange(len(sizes)), sizes)
    # Two rows an image.
    frame = pd.DataFrame({"identity_key": identity_keys, "row": np.arange(len(identity_keys))})
    frame.insert(1, "image_hash", frame["row"] // 2)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(frame)), max_size=8)))
    parts = [rows_of(frame.iloc[first:last]) for first, last in zip([0, *cuts], [*cuts, len(frame)], strict=True)]
    largest = max(part.count for part in parts)
    batches = list(whole_identities(iter(parts), rows_at_once, SCHEMA))
    read = [list(batch) for batch in batches]
    together = joined_rows([rows for batch in read for rows in batch])
    assert together.column("row").tolist() == frame["row"].tolist()
    np.testing.assert_array_equal(together.embeddings, rows_of(frame).embeddings)
    np.testing.assert_array_equal(together.norms, rows_of(frame).norms)
    np.testing.assert_array_equal(together.usable, rows_of(frame).usable)
    keys_in = [{key for rows in batch for key in rows.column("identity_key")} for batch in read]
    assert sum(map(len, keys_in)) == len(set().union(*keys_in)) == len(sizes)
    # What is in memory at any time: what shall be gathered, and two incoming parts.
    gathered = [batch for batch in batches if isinstance(batch, list)]
    assert all(sum(rows.count for rows in batch) < rows_at_once + 2 * largest for batch in gathered)
    for batch, parts in zip(batches, read, strict=True):
        if isinstance(batch, SpilledIdentity):
            pd.testing.assert_frame_equal(joined_rows(parts).frame, joined_rows(list(batch)).frame)
            images = [image for rows in parts for image in rows.frame["image_hash"].unique()]
            assert len(images) == len(set(images))


@given(st.lists(st.integers(0, 6), min_size=1, max_size=5), st.data())
def test_rows_are_joined_in_any_order_and_as_few_as_wanted(sizes, data):
    frame = pd.DataFrame({"row": np.arange(sum(sizes))})
    ends = np.cumsum(sizes)
    parts = [rows_of(frame.iloc[end - size : end]) for size, end in zip(sizes, ends, strict=True)]
    order = np.array(data.draw(st.permutations(range(len(frame)))), int)[: data.draw(st.integers(0, len(frame)))]
    joined = joined_rows(parts, order)
    assert joined.column("row").tolist() == order.tolist()
    np.testing.assert_array_equal(joined.embeddings[:, 0], order)
    np.testing.assert_array_equal(joined.norms, order / 2)
    np.testing.assert_array_equal(joined.usable, order % 3 > 0)


@pytest.mark.lowest_versions
def test_an_identity_that_waits_on_disk_gets_the_labels_that_it_gets_in_memory(spark, monkeypatch):
    paths = paths_of([60, 5, 2, 33])
    vectors = embeddings_of(paths)
    del vectors["p0/7.jpg"]
    vectors["p0/8.jpg"] = np.full(24, np.nan)
    # Repeated lines, one without a feature, one without an identity, one that stands alone.
    listed = [*paths, "p0/9.jpg", "p3/1.jpg", "p3/1.jpg", "alone.jpg", "p9/1.jpg"]
    settings = {"estimator": "exact", "intra_pool_size": 9}
    expected = label_rows(spark, listed, vectors, **settings)
    monkeypatch.setattr("fiqa_spark.methods.sdd_fiqa.distances._BYTES_AT_ONCE", 4 * 24 * 8)
    with session_with(spark, {"spark.sql.execution.arrow.maxRecordsPerBatch": "7"}):
        found = label_rows(spark, listed, vectors, **settings)
    assert found.keys() == expected.keys()
    for path, row in expected.items():
        assert found[path].status == row.status
        assert (found[path].intra_count, found[path].inter_count) == (row.intra_count, row.inter_count)
        assert found[path].label == (None if row.label is None else pytest.approx(row.label, abs=1e-3))
    assert {found[f"p0/{number}.jpg"].intra_count for number in range(7)} == {8}
