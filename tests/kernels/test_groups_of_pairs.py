import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from fiqa_spark.kernels.groups_of_pairs import connected


def groups(pairs, count):
    a, b = np.array(pairs, np.int64).reshape(-1, 2).T
    return connected(a, b, count)


@given(st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40))
def test_groups_are_those_of_the_graph(pairs):
    found = groups(pairs, 30)
    a, b = np.array(pairs, np.int64).reshape(-1, 2).T
    _, expected = connected_components(coo_matrix((np.ones(len(a)), (a, b)), (30, 30)), directed=False)
    assert all(found[i] == found[j] for i in range(30) for j in range(30) if expected[i] == expected[j])
    assert len(set(found.tolist())) == len(set(expected.tolist()))


def test_a_group_is_called_by_its_lowest_number():
    assert groups([(4, 2), (2, 5), (0, 1)], 7).tolist() == [0, 0, 2, 3, 2, 2, 6]


def test_a_long_chain_is_one_group():
    order = np.random.default_rng(0).permutation(10_000)
    assert not connected(order[:-1], order[1:], 10_000).any()
