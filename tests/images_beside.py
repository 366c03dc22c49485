"""Rows beside the images that a store has of them, a row each, so that tests can look at them."""

import numpy as np
import pandas as pd


def as_rows(met):
    """The frames of `beside_stored` as one; columns are the fields of `RowImages`, None where a row has no images."""
    return pd.concat([_of_part(frame, images) for frame, images in met], ignore_index=True)


def _of_part(frame, images):
    assert (np.diff(images.owners) >= 0).all()
    assert images.owners.max(initial=-1) < len(frame)
    each = images.vectors
    if each.ndim == 1:
        assert len(np.unique(images.lengths)) != 1 or not images.lengths[0]
        each = np.split(each, np.cumsum(images.lengths)[:-1]) if len(images.lengths) else []
    rows = []
    for number in range(len(frame)):
        here = np.flatnonzero(images.owners == number)
        of_row = {"key_hashes": images.hashes[here], "lengths": images.lengths[here]}
        of_row["vectors"] = [np.array(each[image]) for image in here]
        of_row["norms"] = None if images.norms is None else images.norms[here]
        of_row["problems"] = None if images.problems is None else images.problems[here]
        rows.append(of_row if len(here) else dict.fromkeys(of_row))
    told = pd.DataFrame(rows, columns=["key_hashes", "lengths", "vectors", "norms", "problems"], dtype=object)
    return pd.concat([frame.reset_index(drop=True), told], axis=1)
