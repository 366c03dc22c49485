"""What was learned, beside the labels on disk, so that other images can be measured by it: open files, no pickle."""

import hashlib
import io
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.lib import format as npy_format

from fiqa_spark import schemas
from fiqa_spark.errors import InputError
from fiqa_spark.inputs.features import Features
from fiqa_spark.inputs.vectors import stack_vectors, vector_lengths
from fiqa_spark.kernels.embeddings import unit_embeddings
from fiqa_spark.kernels.model_fit import shared_spread
from fiqa_spark.methods.pool import Pool
from fiqa_spark.runtime.frames_by_arrow import collected
from fiqa_spark.runtime.storage import Storage

FOLDER = "reference"
_VERSION = 1
_FACTS, _POOL, _POOL_IDENTITIES, _COEFFICIENTS = "reference.json", "pool.npy", "pool.parquet", "coefficients.npy"
_FINGERPRINT = "fingerprint"
_BYTES_AT_MOST = (1 << 31) - 1
# Vectors of a run that are compared with a reference.
_COMPARED = 2048
# Of another model of 128 values, two being tried on photos of 2,883 people, all images share .08 to .20, and those of
# fewer than 100 people what chance gives. Of the same model 300 images and more share .46 at least; those of a single
# person .37 at least with a pool of 3,200 images, and .21 with one of 300. So large pools allow the higher bound.
_LEAST_SHARED_SPREAD, _OF_SMALL_POOLS, _SMALL_POOL = 0.3, 0.2, 1000
_REMEDY = "give the folder that generate_labels wrote, or the reference/ in it"


class Reference(NamedTuple):
    """All that labels are measured by."""

    method: str
    settings: dict[str, Any]
    """The settings that it was learned with, and that labels measured by it need as they are; JSON-ready."""
    numbers: dict[str, Any]
    """What the method learned, JSON-ready."""
    pool: Pool
    coefficients: np.ndarray
    """What the method learned and holds as an array, float64, shape (rows, columns); may have no rows."""

    @property
    def fingerprint(self) -> str:
        """Hash of the content, 16 hexadecimal digits."""
        content = hashlib.sha256(json.dumps(_facts(self), sort_keys=True).encode("utf-8"))
        for array in (self.pool.embeddings, self.pool.identity_hashes, self.coefficients):
            content.update(np.ascontiguousarray(array).tobytes())
        content.update(json.dumps(self.pool.identities).encode("utf-8"))
        return content.hexdigest()[:16]


def _facts(reference: Reference) -> dict[str, Any]:
    return {
        "version": _VERSION,
        "method": reference.method,
        "dimension": reference.pool.dimension,
        "pool_images": len(reference.pool.embeddings),
        "settings": reference.settings,
        "numbers": reference.numbers,
    }


def write_reference(storage: Storage, folder: str, reference: Reference) -> None:
    """Write a reference to a folder, which is made."""
    storage.make_folder(folder)
    facts = {**_facts(reference), _FINGERPRINT: reference.fingerprint}
    storage.write_text(f"{folder}/{_FACTS}", json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
    storage.write_bytes(f"{folder}/{_POOL}", _as_npy(reference.pool.embeddings))
    storage.write_bytes(f"{folder}/{_COEFFICIENTS}", _as_npy(reference.coefficients))
    identities = {
        schemas.IDENTITY: pa.array(reference.pool.identities, pa.string()),
        schemas.IDENTITY_HASH: pa.array(reference.pool.identity_hashes, pa.int64()),
    }
    content = io.BytesIO()
    pq.write_table(pa.table(identities), content)
    storage.write_bytes(f"{folder}/{_POOL_IDENTITIES}", content.getvalue())


def _as_npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    return content.getvalue()


def read_reference(storage: Storage, folder: str) -> Reference:
    """The reference in a folder, or in the folder ``reference`` in it.

    Raises
    ------
    InputError
        If there is none, it is damaged, or it is of another version.
    """
    inner = f"{folder.rstrip('/')}/{FOLDER}"
    place = next((each for each in (inner, folder) if storage.exists(f"{each}/{_FACTS}")), None)
    if place is None:
        raise InputError("no reference there", setting="reference", path=folder, remedy=_REMEDY)
    facts = _parsed(_facts_in, storage, place, _FACTS)
    if facts.get("version") != _VERSION:
        text = f"the reference is of version {facts.get('version')!r}, and this program knows version {_VERSION}"
        raise InputError(text, setting="reference", path=folder, remedy="use the program that wrote it, or learn anew")
    embeddings = _parsed(_array_in, storage, place, _POOL)
    coefficients = _parsed(_array_in, storage, place, _COEFFICIENTS)
    table = _parsed(_table_in, storage, place, _POOL_IDENTITIES)
    try:
        identities = tuple(table[schemas.IDENTITY].to_pylist())
        pool = Pool(embeddings, identities, table[schemas.IDENTITY_HASH].to_numpy())
        reference = Reference(facts["method"], facts["settings"], facts["numbers"], pool, coefficients)
        is_whole = reference.fingerprint == facts[_FINGERPRINT]
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise _damaged(f"{place}/{_FACTS}", f"{type(error).__name__}: {error}") from None
    if not is_whole:
        raise _damaged(place, "the files do not have the content of the fingerprint")
    return reference


def _parsed(parse: Callable[[bytes], Any], storage: Storage, place: str, name: str) -> Any:
    """What a file of a reference holds."""
    path = f"{place}/{name}"
    if not storage.exists(path) or storage.is_folder(path):
        raise _damaged(path, "no such file")
    try:
        return parse(storage.head(path, _BYTES_AT_MOST))
    except (ValueError, EOFError, SyntaxError, pa.ArrowException, OSError, MemoryError) as error:
        raise _damaged(path, " ".join(str(error).split())[:200]) from None


def _facts_in(content: bytes) -> dict[str, Any]:
    facts = json.loads(content.decode("utf-8"))
    if not isinstance(facts, dict):
        raise ValueError("no JSON object")
    return facts


def _array_in(content: bytes) -> np.ndarray:
    array = npy_format.read_array(io.BytesIO(content), allow_pickle=False)
    if array.ndim != 2:
        raise ValueError("no matrix")
    return array


def _table_in(content: bytes) -> pa.Table:
    return pq.read_table(pa.BufferReader(content))


def _damaged(path: str, reason: str) -> InputError:
    return InputError(
        f"the reference is damaged: {reason}", setting="reference", path=path, remedy="learn it anew: leave it out"
    )


def check_model(features: Features, reference: Reference) -> None:
    """Compare the first vectors of a run with the pool of a reference.

    Parameters
    ----------
    features : Features
    reference : Reference

    Raises
    ------
    InputError
        If they have another length, or are less like the pool than the embeddings of any people of its model.
    """
    embeddings = first_vectors(features)
    if embeddings is None:
        return
    remedy = "give the reference of the model that the features come from, or learn one: leave it out"
    dimension, common = reference.pool.dimension, embeddings.shape[1]
    if common != dimension:
        text = f"the reference has {dimension} values, and the features have {common}"
        raise InputError(text, setting="reference", remedy=remedy)
    shared, least = _shared_and_least(embeddings, reference)
    if shared < least:
        raise InputError(
            f"the features are of another model than the reference: they share {max(shared, 0):.0%} of the spread of "
            f"its images, where others of the model share {least:.0%} or more",
            setting="reference",
            remedy=remedy,
        )


def first_vectors(features: Features) -> np.ndarray | None:
    """Some embeddings of a run, those of the commonest length.

    Parameters
    ----------
    features : Features

    Returns
    -------
    ndarray of float32, shape (n, dimension), or None
        Unit embeddings; None where none can be used.
    """
    vectors = features.table.select(schemas.FEATURE)
    found = collected(vectors.where(vectors[schemas.FEATURE].isNotNull()).limit(_COMPARED))
    lengths = vector_lengths(found[schemas.FEATURE])
    if not (lengths > 0).any():
        return None
    common = int(np.bincount(lengths[lengths > 0]).argmax())
    embeddings, usable = unit_embeddings(stack_vectors(found[schemas.FEATURE], common))
    return embeddings[usable] if usable.any() else None


def are_of_model(embeddings: np.ndarray, reference: Reference) -> bool:
    """Whether embeddings come from the model of a reference, as far as dimension and strangers of the pool tell."""
    if embeddings.shape[1] != reference.pool.dimension:
        return False
    shared, least = _shared_and_least(embeddings, reference)
    return shared >= least


def _shared_and_least(embeddings: np.ndarray, reference: Reference) -> tuple[float, float]:
    """What embeddings share of the spread of the pool, and what those of its model share at least."""
    pool = reference.pool
    least = _OF_SMALL_POOLS if len(pool.embeddings) < _SMALL_POOL else _LEAST_SHARED_SPREAD
    return shared_spread(embeddings, pool.embeddings, pool.identity_hashes), least
