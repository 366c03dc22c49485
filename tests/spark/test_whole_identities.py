import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from fiqa_spark.distances import whole_identities


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.data())
def test_a_stream_is_cut_at_the_borders_of_identities_and_nowhere_else(sizes, data):
    identities = np.repeat([None, *[f"p{number:02d}" for number in range(1, len(sizes))]], sizes)
    rows = pd.DataFrame({"identity": pd.Series(identities, dtype=object), "row": np.arange(len(identities))})
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=8)))
    frames = [rows.iloc[first:last].copy() for first, last in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
    largest = max(map(len, frames))
    found = list(whole_identities(iter(frames)))
    assert pd.concat(found)["row"].tolist() == rows["row"].tolist()
    seen = [set(frame["identity"]) for frame in found]
    assert sum(map(len, seen)) == len(set().union(*seen)) == len(sizes)
    # What is held at any time: the end of one identity, and one frame.
    assert all(len(frame) <= largest + max(sizes) for frame in found)
