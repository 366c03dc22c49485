"""A vector as bytes of every type that features may be."""

import io

import numpy as np


def saved(vector):
    content = io.BytesIO()
    np.save(content, vector)
    return content.getvalue()


AS_BYTES = {
    "float32": lambda vector: vector.astype("<f4").tobytes(),
    "float64": lambda vector: vector.astype("<f8").tobytes(),
    "float16": lambda vector: vector.astype("<f2").tobytes(),
    "npy": saved,
}
