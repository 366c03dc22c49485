import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from fiqa_spark.distances import whole_clusters


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(1, 30), st.data())
def test_a_stream_is_cut_at_the_borders_of_clusters_and_nowhere_else(sizes, rows_at_once, data):
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    rows = pd.DataFrame({"cluster": clusters, "row": np.arange(len(clusters))})
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=8)))
    frames = [rows.iloc[first:last].copy() for first, last in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
    largest = max(map(len, frames))
    found = list(whole_clusters(iter(frames), rows_at_once))
    assert pd.concat(found)["row"].tolist() == rows["row"].tolist()
    seen = [set(frame["cluster"]) for frame in found]
    assert sum(map(len, seen)) == len(set().union(*seen)) == len(sizes)
    # What is held at any time: what shall be gathered, the end of one cluster, and one frame.
    assert all(len(frame) <= rows_at_once + largest + max(sizes) for frame in found)
