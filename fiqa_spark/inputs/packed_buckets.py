"""Buckets of packs beside the listed identities, as if they were those of a store."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from fiqa_spark import schemas
from fiqa_spark.inputs.row_images import RowImages, no_images
from fiqa_spark.inputs.vector_packs import PackedBucket, VectorPacks

# Images whose vectors are put together at once; an identity of more is met in parts.
_IMAGES_AT_ONCE = 4096


class PackedBuckets(NamedTuple):
    """Buckets, see `bucket_files.Buckets`; frames have the `key_hash` of each listed image, in arrays."""

    packs: VectorPacks

    @property
    def precision(self) -> str:
        """As of `Buckets`."""
        return self.packs.precision

    def opened(self, number: int, columns: Sequence[str]) -> "_OpenBucket | None":
        """A bucket; None if it has no vectors. All is read of them, whatever the columns."""
        bucket = self.packs.of_bucket(number)
        return None if bucket is None else _OpenBucket(bucket)


class _OpenBucket:
    def __init__(self, bucket: PackedBucket) -> None:
        self._bucket = bucket

    def beside(self, frame: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, RowImages]]:
        """The rows of a frame as `bucket_files.beside_stored` yields them, some thousand images at once."""
        wanted = frame[schemas.IDENTITY_KEY].to_numpy()
        firsts, ends = (np.searchsorted(self._bucket.identity_keys, wanted, side) for side in ("left", "right"))
        if (ends - firsts > _IMAGES_AT_ONCE).any():
            frame, firsts, ends = self._in_parts(frame, firsts, ends)
        before = np.cumsum(ends - firsts) - 1
        borders = np.flatnonzero(np.diff(before // _IMAGES_AT_ONCE, prepend=-2)).tolist()
        for first, end in itertools.pairwise([*borders, len(frame)]):
            here = slice(first, end)
            yield frame.iloc[here], self._images(firsts[here], ends[here])

    def _in_parts(
        self, frame: pd.DataFrame, firsts: npt.NDArray[np.intp], ends: npt.NDArray[np.intp]
    ) -> tuple[pd.DataFrame, npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """The same, each large identity in several rows, which are of neighbouring hashes on both sides."""
        rows: list[dict[str, Any]] = []
        parts: list[tuple[int, int]] = []
        for row, first, end in zip(frame.to_dict("records"), firsts.tolist(), ends.tolist(), strict=True):
            hashes = self._bucket.key_hashes[first:end]
            # Images of one hash stay together.
            begins = np.unique(np.searchsorted(hashes, hashes[::_IMAGES_AT_ONCE])) if first < end else np.zeros(1, int)
            of_image = np.searchsorted(hashes[begins[1:]], row[schemas.KEY_HASH], side="right")
            for number, (begin, stop) in enumerate(itertools.pairwise([*begins.tolist(), end - first])):
                chosen = of_image == number
                if chosen.any():
                    rows.append({name: _some(value, chosen) for name, value in row.items()})
                    parts.append((first + begin, first + stop))
        cut = pd.DataFrame(rows, columns=frame.columns).astype(frame.dtypes)
        return cut, *np.array(parts, np.intp).T

    def _images(self, firsts: npt.NDArray[np.intp], ends: npt.NDArray[np.intp]) -> RowImages:
        """Images between such numbers, of a row each."""
        sizes, bucket = ends - firsts, self._bucket
        places = np.repeat(ends - np.cumsum(sizes), sizes) + np.arange(sizes.sum())
        if not len(places):
            return no_images(bucket.precision)
        norms = None if bucket.norms is None else bucket.norms[places]
        owners, vectors = np.repeat(np.arange(len(sizes)), sizes), bucket.vectors(places)
        return RowImages(owners, bucket.key_hashes[places], vectors, bucket.lengths[places], norms)


def _some(value: Any, chosen: npt.NDArray[np.bool_]) -> Any:
    """Of an array the chosen values."""
    return value[chosen] if isinstance(value, np.ndarray) else value
