"""Whether embeddings come from the model that a pool of others comes from."""

import numpy as np

_STANDARD_ERRORS = 3


def shared_spread(embeddings: np.ndarray, pool: np.ndarray, identities: np.ndarray) -> float:
    """How much of the pool's spread some embeddings can share at most, with regard to chance.

    Embeddings of faces fill their space unevenly, each model in a way of its own. So the squared similarity of two
    people's images is above 1 / dimension, which is what directions without relation have. Compared is by how much.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, dimension)
        Unit embeddings, at least one.
    pool : ndarray of float32, shape (P, dimension)
        Unit embeddings, of two identities at least.
    identities : ndarray of int, shape (P,)
        Which images of the pool are of one identity.

    Returns
    -------
    float
        Mean excess over 1 / dimension of the squared similarities with the pool, and three standard errors, as a part
        of the pool's own excess: about 1 for like images of its model, 0 and chance for those of another. Infinity
        where the pool has none, so that nothing can be told. Images alike, as those of one identity, count less.
    """
    dimension, count = pool.shape[1], len(pool)
    moments = (pool.T @ pool).astype(np.float64) / count
    _, owners, sizes = np.unique(identities, return_inverse=True, return_counts=True)
    of_identities = np.split(pool[np.argsort(owners, kind="stable")], np.cumsum(sizes)[:-1])
    mated = sum(float(np.square(images @ images.T).sum()) for images in of_identities)
    pairs = count**2 - int(np.square(sizes).sum())
    own = (count**2 * np.square(moments).sum() - mated) / pairs * dimension - 1
    if own <= 0:
        return float("inf")
    excess = np.einsum("ij,ij->i", embeddings @ moments, embeddings) * dimension - 1
    # So many directions as there would be, were they all at right angles.
    independent = 1 / np.square(embeddings.T @ embeddings / len(embeddings)).sum()
    # No less than what directions without relation have.
    deviation = max(excess.std(), (2 * own / dimension) ** 0.5)
    return float((excess.mean() + _STANDARD_ERRORS * deviation / independent**0.5) / own)
