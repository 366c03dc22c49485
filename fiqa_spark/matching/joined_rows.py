"""Frames of images joined with features, an image or an identity a row, to images beside their embeddings."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from fiqa_spark import schemas
from fiqa_spark.inputs.row_images import RowImages, apart, flat, images_of_frame, owners_of
from fiqa_spark.inputs.vectors import stack_vectors, vector_lengths
from fiqa_spark.kernels.embeddings import embeddings_and_norms, embeddings_of_whole_numbers
from fiqa_spark.matching.identity_batches import Rows

_OF_ROWS = (schemas.IDENTITY, schemas.IDENTITY_KEY, schemas.IDENTITY_HASH)


def rows_of_images(frame: pd.DataFrame, dimension: int) -> Rows:
    """The images of a frame from `join_features`."""
    lengths = vector_lengths(frame[schemas.FEATURE])
    # While a vector is at hand, it is still in the processor's cache.
    found = embeddings_and_norms(stack_vectors(frame[schemas.FEATURE], dimension))
    frame[schemas.OTHER_LENGTH] = (lengths != 0) & (lengths != dimension)
    return Rows(frame.drop(columns=schemas.FEATURE), *found)


def rows_of_identities(frame: pd.DataFrame, stored: RowImages, dimension: int, more: tuple[str, ...]) -> Rows:
    """The listed images of identities, each once; those of an identity are neighbours.

    Where all vectors that a store has of them are listed, none of them is moved.

    Parameters
    ----------
    frame : DataFrame of pandas
        From `gathered_identities` or `join_identities`.
    stored : RowImages
        What the store has of its rows.
    dimension : int
        Length that a vector must have.
    more : tuple of str
        Columns of the images beside the usual ones.
    """
    listed, owners, list_rows = _listed_once(frame)
    of_image, repeats = _met(stored, flat(frame, schemas.KEY_HASH)[listed], owners)
    list_rows = list_rows * np.maximum(repeats, 1)
    # In the order of the store; what is missing there comes behind the others of its identity.
    places = np.where(of_image < 0, len(stored.hashes), of_image)
    order = np.lexsort((places, owners))
    chosen = of_image[order]
    embeddings, norms, usable = _embeddings(stored, chosen, dimension)
    images, owners, matched = listed[order], owners[order], chosen >= 0
    of_rows = {name: frame[name].to_numpy()[owners] for name in _OF_ROWS}
    of_images = {name: flat(frame, name)[images] for name in (schemas.PATH, schemas.IMAGE_HASH, *more)}
    other = np.zeros(len(order), bool)
    lengths = stored.lengths[chosen[matched]]
    other[matched] = (lengths > 0) & (lengths != dimension)
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
    stored, numbers = images_of_frame(frame, precision), flat(frame, schemas.NUMBER).astype(np.int64)
    of_image, repeats = _met(stored, flat(frame, schemas.KEY_HASH), owners_of(frame, schemas.KEY_HASH))
    found = of_image >= 0
    embeddings, _, usable = _embeddings(stored, of_image[found], dimension)
    return np.repeat(numbers, repeats), numbers[found][usable], embeddings[usable]


def _listed_once(
    frame: pd.DataFrame,
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.int64]]:
    """Numbers of the listed images, each once, the row of each, and the rows of the list that it stands for."""
    owners, list_rows = owners_of(frame, schemas.KEY_HASH), flat(frame, schemas.LIST_ROWS)
    hashes = apart(flat(frame, schemas.KEY_HASH), owners)
    order = np.argsort(hashes)
    in_order = hashes[order]
    firsts = np.flatnonzero(np.append(True, in_order[1:] != in_order[:-1]))
    return order[firsts], owners[order[firsts]], np.add.reduceat(list_rows[order], firsts)


def _met(
    stored: RowImages, hashes: npt.NDArray[np.int64], owners: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Of each listed image the number of its stored one, -1 for none, and how many have its key."""
    there, wanted = apart(stored.hashes, stored.owners), apart(hashes, owners)
    if not len(there):
        return np.full(len(wanted), -1), np.zeros(len(wanted), np.intp)
    order = np.argsort(there, kind="stable")
    in_order = there[order]
    firsts, ends = (np.searchsorted(in_order, wanted, side) for side in ("left", "right"))
    return np.where(firsts < ends, order[np.minimum(firsts, len(order) - 1)], -1), ends - firsts


def _embeddings(
    stored: RowImages, chosen: npt.NDArray[np.intp], dimension: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit embeddings, norms and usability of the chosen images; a negative number stands for none."""
    present = chosen[chosen >= 0]
    are_all = len(present) == len(stored.hashes) and (present == np.arange(len(present))).all()
    some = stored if are_all else stored.of(present)
    vectors = some.stacked(dimension)
    found = embeddings_and_norms(vectors) if some.norms is None else embeddings_of_whole_numbers(vectors, some.norms)
    if len(present) == len(chosen):
        return found
    embeddings, all_norms = np.zeros((len(chosen), dimension), np.float32), np.full(len(chosen), np.nan)
    usable = np.zeros(len(chosen), bool)
    embeddings[chosen >= 0], all_norms[chosen >= 0], usable[chosen >= 0] = found
    return embeddings, all_norms, usable
