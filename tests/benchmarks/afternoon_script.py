"""A script of an afternoon: SDD-FIQA labels by pyarrow, NumPy and a process a core, everything in memory.

python -m tests.benchmarks.afternoon_script LIST FEATURES DST

The benchmark's rival of the job, so it shares no code with it. LIST holds a path a line, FEATURES is a folder of
Parquet files with `path` (without the extension) and `feature` (array<float>), and the parent folder is the identity.
DST becomes one Parquet file, of the images that have features. All vectors have to fit into memory, and there should be
some hundreds; one without a length ends the script.
"""

import os

# Each process has a core for itself; NumPy reads this when it is imported.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import itertools
import mmap
import multiprocessing
import multiprocessing.pool
import pathlib
import sys
import types

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq

ROUNDS, COMPARISONS, POOL = 12, 24, 10_000
ROWS_AT_ONCE, ROWS_READ = 2_048, 256
# What processes inherit when they start, as large as it is, without a copy.
state = types.SimpleNamespace()


def main(image_list, features, destination):
    paths, identities = read_list(image_list)
    files = sorted(pathlib.Path(features).glob("*.parquet"))
    keys = [pq.read_table(file, columns=["path"])["path"].combine_chunks() for file in files]
    where = pc.index_in(before_last(paths, "."), pa.chunked_array(keys))
    paths, identities, where = paths.filter(where.is_valid()), identities.filter(where.is_valid()), where.drop_null()

    # Images of an identity stand together, in random order, and so do identities of one size.
    codes, random = identities.indices.to_numpy(), np.random.default_rng(0)
    sizes, mixed = np.bincount(codes), random.permutation(len(codes))
    order = mixed[np.argsort((sizes[codes] * len(sizes) + codes)[mixed], kind="stable")]
    starts = np.append(np.flatnonzero(np.diff(codes[order], prepend=-1)), len(order))
    row_of_key = np.full(sum(map(len, keys)), -1)
    row_of_key[where.to_numpy()[order]] = np.arange(len(order))
    ends = np.cumsum([len(of_file) for of_file in keys])[:-1]

    state.vectors = np.empty((len(order), dimension(files[0])), np.float32)
    state.distances = shared(len(order), ROUNDS)
    state.starts, state.owner = starts, np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    state.pool = random.permutation(len(order))[:POOL]
    cores = len(os.sched_getaffinity(0))
    # Threads fill large pages, which processes started afterwards see without a copy; those of shared memory are small.
    with multiprocessing.pool.ThreadPool(cores) as threads:
        threads.starmap(read_vectors, zip(files, np.split(row_of_key, ends), strict=True), chunksize=1)
    with multiprocessing.get_context("fork").Pool(cores) as processes:
        processes.starmap(compute_distances, tasks(starts), chunksize=1)

    distances = np.empty((len(order), ROUNDS), np.float32)
    distances[order] = state.distances
    low, high = np.nanmin(distances, axis=0), np.nanmax(distances, axis=0)
    columns = {
        "path": paths,
        "identity": identities,
        "label": pa.array((100 * (distances - low) / (high - low)).mean(axis=1, dtype=np.float64), from_pandas=True),
        "distance": pa.array(distances.mean(axis=1, dtype=np.float64), from_pandas=True),
    }
    pq.write_table(pa.table(columns), destination, use_dictionary=["identity"])


def read_list(image_list):
    """Paths, each once, and their parent folders."""
    read, parse = csv.ReadOptions(column_names=["path"]), csv.ParseOptions(delimiter="\x01", quote_char=False)
    text = csv.ConvertOptions(column_types={"path": pa.string()})
    paths = pc.unique(csv.read_csv(image_list, read, parse, text)["path"])
    folders = before_last(paths, "/").dictionary_encode()
    names = pc.replace_substring_regex(folders.dictionary, "^.*/", "").dictionary_encode()
    return paths, pa.DictionaryArray.from_arrays(names.indices.take(folders.indices), names.dictionary)


def before_last(texts, mark):
    """What stands before the last mark of each text."""
    return pc.list_element(pc.split_pattern(texts, mark, max_splits=1, reverse=True), 0)


def dimension(file):
    return len(next(pq.ParquetFile(file).iter_batches(1, columns=["feature"]))["feature"][0])


def shared(rows, columns):
    """A matrix that processes started from now on have in common."""
    return np.frombuffer(mmap.mmap(-1, max(1, 4 * rows * columns)), np.float32).reshape(rows, columns)


def read_vectors(file, rows):
    """Put the vectors of a file where they belong, scaled to unit length."""
    done = 0
    for batch in pq.ParquetFile(file).iter_batches(ROWS_READ, columns=["feature"], use_threads=False):
        vectors = batch["feature"].flatten().to_numpy().reshape(len(batch), -1)
        places = rows[done : done + len(batch)]
        done += len(batch)
        if (places < 0).any():
            vectors, places = vectors[places >= 0], places[places >= 0]
        norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        if not (np.isfinite(norms) & (norms > 0)).all():
            raise ValueError(f"{file}: a vector has no length, or values that are no numbers")
        state.vectors[places] = vectors * (1 / norms)[:, None]


def tasks(starts):
    """Runs of identities of about as many images each, from one to before another."""
    # Few images stay enough to compare with those of one run.
    images = min(ROWS_AT_ONCE, -(-starts[-1] // 8))
    cuts = np.unique(np.append(np.searchsorted(starts, np.arange(0, starts[-1], images)), len(starts) - 1))
    return list(itertools.pairwise(cuts))


def compute_distances(first, last):
    """Distances of all rounds for the images of some identities, which meet the same others of the pool."""
    random = np.random.default_rng(first)
    begin, end = state.starts[first], state.starts[last]
    vectors, distances = state.vectors[begin:end], state.distances[begin:end]
    owners = state.owner[state.pool]
    others = random.choice(state.pool[(owners < first) | (owners >= last)], ROUNDS * COMPARISONS, replace=False)
    non_mated = (vectors @ state.vectors[others].T).reshape(-1, ROUNDS, COMPARISONS)
    non_mated.sort(axis=2)
    sizes = np.diff(state.starts[first : last + 1])
    for size in np.unique(sizes):
        images = slice(*np.repeat(sizes, sizes).searchsorted([size, size + 1]))
        of_size = vectors[images].reshape(-1, size, vectors.shape[1])
        if size == 1:
            distances[images] = np.nan
        elif size <= COMPARISONS + 1:
            distances[images] = wasserstein(mated_with_all(of_size), non_mated[images])
        else:
            distances[images] = wasserstein(mated_with_drawn(of_size), non_mated[images])


def mated_with_all(identities):
    """Sorted similarities of images with all others of their identity."""
    count, size, _ = identities.shape
    mated = identities @ identities.transpose(0, 2, 1)
    mated[:, np.arange(size), np.arange(size)] = np.inf
    mated.sort(axis=2)
    return mated.reshape(count * size, 1, size)[:, :, :-1]


def mated_with_drawn(identities):
    """Sorted similarities with the next 24 others in every round: of 25, an image drops itself, or else the last."""
    count, size, _ = identities.shape
    drawn = (np.arange(ROUNDS * (COMPARISONS + 1)) % size).reshape(ROUNDS, -1)
    dropped = np.full((size, ROUNDS), COMPARISONS)
    dropped[drawn, np.arange(ROUNDS)[:, None]] = np.arange(COMPARISONS + 1)
    mated = (identities @ identities[:, : drawn.size].transpose(0, 2, 1))[:, :, drawn]
    mated[:, np.arange(size)[:, None], np.arange(ROUNDS), dropped] = np.inf
    mated.sort(axis=3)
    return mated.reshape(count * size, ROUNDS, COMPARISONS + 1)[:, :, :-1]


def wasserstein(first, second):
    """W1 of sorted samples: the area between their quantile functions, which are steps."""
    a, b = first.shape[2], second.shape[2]
    edges = np.union1d(np.arange(a) * b, np.arange(b) * a)
    widths = (np.diff(edges, append=a * b) / (a * b)).astype(np.float32)
    gaps = first - second if a == b else first[:, :, edges // b] - second[:, :, edges // a]
    return np.abs(gaps, out=gaps) @ widths


if __name__ == "__main__":
    main(*sys.argv[1:])
