"""Frames of images joined with features, an image or an identity a row, to images beside their embeddings."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from fiqa_spark import schemas
from fiqa_spark.inputs.stored_vectors import StackedVectors, stacked_vectors
from fiqa_spark.inputs.vectors import stack_vectors, vector_lengths
from fiqa_spark.kernels.embeddings import embeddings_and_norms, embeddings_of_whole_numbers
from fiqa_spark.matching.identity_batches import Rows

_OF_ROWS = (schemas.IDENTITY, schemas.IDENTITY_KEY, schemas.IDENTITY_HASH)
# An odd number by whose multiples hashes of different rows are kept apart.
_APART = np.uint64(0x9E3779B97F4A7C15)


def rows_of_images(frame: pd.DataFrame, dimension: int) -> Rows:
    """The images of a frame from `join_features`."""
    lengths = vector_lengths(frame[schemas.FEATURE])
    # While a vector is at hand, it is still in the processor's cache.
    found = embeddings_and_norms(stack_vectors(frame[schemas.FEATURE], dimension))
    frame[schemas.OTHER_LENGTH] = (lengths != 0) & (lengths != dimension)
    return Rows(frame.drop(columns=schemas.FEATURE), *found)


def rows_of_identities(frame: pd.DataFrame, dimension: int, precision: str, more: tuple[str, ...]) -> Rows:
    """The images of a frame from `join_identities`, each once; those of an identity are neighbours.

    Where all vectors of the store are listed, none of them is moved.

    Parameters
    ----------
    dimension : int
        Length that a vector must have.
    precision : str
        Type of the values of vectors.
    more : tuple of str
        Columns of the images beside the usual ones.
    """
    listed, owners, list_rows = _listed_once(frame)
    vectors, of_image, repeats = _vectors(frame, listed, owners, dimension, precision)
    list_rows = list_rows * np.maximum(repeats, 1)
    # In the order of the store; what is missing there comes behind the others of its identity.
    places = np.where(of_image < 0, len(vectors.values), of_image)
    order = np.lexsort((places, owners))
    chosen = of_image[order]
    embeddings, norms, usable = _embeddings(vectors, chosen, dimension)
    images, owners, matched = listed[order], owners[order], chosen >= 0
    of_rows = {name: frame[name].to_numpy()[owners] for name in _OF_ROWS}
    of_images = {name: _flat(frame, name)[images] for name in (schemas.PATH, schemas.IMAGE_HASH, *more)}
    other = np.zeros(len(order), bool)
    if vectors.other_length is not None:
        other[matched] = vectors.other_length[chosen[matched]]
    told = {schemas.LIST_ROWS: list_rows[order], schemas.MATCHED: matched, schemas.OTHER_LENGTH: other}
    return Rows(pd.DataFrame({**of_rows, **of_images, **told}), embeddings, norms, usable)


def numbered_embeddings(
    frame: pd.DataFrame, dimension: int, precision: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers of the images of a frame from `meet_identities` that have a feature, and the embeddings that can be used.

    Returns
    -------
    present : ndarray of int64
        Numbers of the images that have a feature; twice or more where one has several.
    numbers : ndarray of int64, shape (n,)
        Of those whose embedding can be used.
    embeddings : ndarray of float32, shape (n, dimension)
    """
    owners, numbers = _owners(frame, schemas.KEY_HASH), _flat(frame, schemas.NUMBER).astype(np.int64)
    vectors, of_image, repeats = _vectors(frame, np.arange(len(owners)), owners, dimension, precision)
    found = of_image >= 0
    embeddings, _, usable = _embeddings(vectors, of_image[found], dimension)
    return np.repeat(numbers, repeats), numbers[found][usable], embeddings[usable]


def _flat(frame: pd.DataFrame, name: str) -> np.ndarray:
    """The values of all images of a column of arrays."""
    return np.concatenate(frame[name].to_numpy())


def _owners(frame: pd.DataFrame, name: str) -> npt.NDArray[np.intp]:
    """Of each value in a column of arrays the number of its row."""
    return np.repeat(np.arange(len(frame)), np.fromiter(map(len, frame[name]), np.intp, len(frame)))


def _apart(hashes: npt.NDArray[np.int64], rows: npt.NDArray[np.intp]) -> npt.NDArray[np.uint64]:
    """Hashes, of which those of different rows are not equal but by chance."""
    return hashes.view(np.uint64) + rows.astype(np.uint64) * _APART


def _listed_once(
    frame: pd.DataFrame,
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.int64]]:
    """Numbers of the listed images, each once, the row of each, and the rows of the list that it stands for."""
    owners, list_rows = _owners(frame, schemas.KEY_HASH), _flat(frame, schemas.LIST_ROWS)
    hashes = _apart(_flat(frame, schemas.KEY_HASH), owners)
    order = np.argsort(hashes)
    in_order = hashes[order]
    firsts = np.flatnonzero(np.append(True, in_order[1:] != in_order[:-1]))
    return order[firsts], owners[order[firsts]], np.add.reduceat(list_rows[order], firsts)


def _vectors(
    frame: pd.DataFrame, listed: npt.NDArray[np.intp], owners: npt.NDArray[np.intp], dimension: int, precision: str
) -> tuple[StackedVectors, npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """All vectors; of each listed image the number of its vector, -1 for none, and how many features have its key."""
    in_store = np.flatnonzero(frame[schemas.FEATURES].notna().to_numpy())
    stored = frame.iloc[in_store]
    vectors = stacked_vectors(stored, dimension, precision)
    if not len(stored):
        return vectors, np.full(len(listed), -1), np.zeros(len(listed), np.intp)
    hashes = _apart(_flat(stored, schemas.KEY_HASHES), in_store[_owners(stored, schemas.KEY_HASHES)])
    order = np.argsort(hashes, kind="stable")
    in_order, wanted = hashes[order], _apart(_flat(frame, schemas.KEY_HASH)[listed], owners)
    firsts, ends = (np.searchsorted(in_order, wanted, side) for side in ("left", "right"))
    return vectors, np.where(firsts < ends, order[np.minimum(firsts, len(order) - 1)], -1), ends - firsts


def _embeddings(
    vectors: StackedVectors, chosen: npt.NDArray[np.intp], dimension: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit embeddings, norms and usability of the chosen vectors; a negative number stands for none."""
    are_all = len(chosen) == len(vectors.values) and (chosen == np.arange(len(chosen))).all()
    present = np.flatnonzero(chosen >= 0)
    values, norms = vectors.values, vectors.norms
    if not are_all:
        values, norms = values[chosen[present]], None if norms is None else norms[chosen[present]]
    found = embeddings_and_norms(values) if norms is None else embeddings_of_whole_numbers(values, norms)
    if len(present) == len(chosen):
        return found
    embeddings, all_norms = np.zeros((len(chosen), dimension), np.float32), np.full(len(chosen), np.nan)
    usable = np.zeros(len(chosen), bool)
    embeddings[present], all_norms[present], usable[present] = found
    return embeddings, all_norms, usable
