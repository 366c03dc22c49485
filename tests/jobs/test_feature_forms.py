import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fiqa_spark import LabelSettings
from fiqa_spark.inputs.image_list import identified_images, read_paths
from fiqa_spark.runtime.storage import Storage
from tests.jobs.inputs import stored_vectors
from tests.jobs.running import options
from tests.opened_features import opened, vectors_of


def features_of(planted):
    table = pq.read_table(planted.folder / "features" / "part-0.parquet")
    return table["path"].to_pylist(), table["feature"].to_pylist()


def as_tree(planted, folder):
    for number, (path, feature) in enumerate(zip(*features_of(planted), strict=True)):
        file = folder / f"{path}.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        # float64 and a leading axis of 1 are forms that extractors write.
        np.save(file, np.array(feature, [np.float32, np.float64][number % 2])[None if number % 3 else slice(None)])
    return folder


def as_matrix(planted, folder):
    paths, features = features_of(planted)
    folder.mkdir()
    np.save(folder / "features.npy", np.array(features, np.float32))
    lines = "".join(f"/faces/{path}.jpg\t{number}\n" for number, path in enumerate(paths))
    (folder / "rows.txt").write_text(lines, encoding="utf-8")
    return {"root": folder / "features.npy", "rows_list": str(folder / "rows.txt")}


def imported(run_job, folder, **flags):
    result = run_job("import_features", *options(**flags, dst=folder / "store"))
    assert result.returncode == 0, result.stderr
    assert "features of length 16" in result.stdout


def vectors_of_planted(planted):
    return {path: np.float32(feature).tobytes() for path, feature in zip(*features_of(planted), strict=True)}


def test_parquet_gives_the_store_of_its_vectors(planted, run_job, tmp_path):
    imported(run_job, tmp_path, source=planted.folder / "features")
    assert stored_vectors(tmp_path / "store") == vectors_of_planted(planted)


@pytest.mark.lowest_versions
def test_a_tree_gives_the_same_store(planted, run_job, tmp_path):
    imported(run_job, tmp_path, source=as_tree(planted, tmp_path / "tree"))
    assert stored_vectors(tmp_path / "store") == vectors_of_planted(planted)


def test_a_matrix_and_a_parquet_list_with_absolute_paths_meet(spark, planted, tmp_path):
    paths = (planted.folder / "images.txt").read_text(encoding="utf-8").split()
    table = pa.table({"path": [f"/faces/{path}" for path in paths], "identity": [path.split("/")[0] for path in paths]})
    pq.write_table(table, tmp_path / "list.parquet")
    listed = read_paths(spark, Storage(spark), str(tmp_path / "list.parquet"))
    flags = {"image_root": "/faces/", "id_key_index": 0}
    features = opened(spark, listed, staging=tmp_path / "staging", **flags, **as_matrix(planted, tmp_path / "matrix"))
    assert vectors_of(features) == vectors_of_planted(planted)
    images = identified_images(listed, LabelSettings(**flags), features.id_key_index)
    identities = {(row.key, row.identity_key): row.identity for row in images.collect()}
    meeting = {tuple(row) for row in features.table.select("key", "identity_key").collect()}
    assert {(key, identities[key, identity_key]) for key, identity_key in meeting} == {
        (path, path.split("/")[0]) for path in vectors_of_planted(planted)
    }


@pytest.mark.lowest_versions
def test_a_matrix_whose_list_is_read_in_several_pieces_is_imported_row_by_row(run_job, tmp_path):
    paths = [
        f"a-person-with-a-long-name-{number % 50:04d}/a-photo-with-a-long-name-{number:06d}" for number in range(2500)
    ]
    (tmp_path / "rows.txt").write_text("".join(f"{path}.jpg\n" for path in paths), encoding="utf-8")
    matrix = np.random.default_rng(0).standard_normal((2500, 16)).astype(np.float32)
    np.save(tmp_path / "features.npy", matrix)
    imported(run_job, tmp_path, source=tmp_path / "features.npy", rows_list=tmp_path / "rows.txt", id_key_index=-2)
    assert stored_vectors(tmp_path / "store") == {
        path: vector.tobytes() for path, vector in zip(paths, matrix, strict=True)
    }
