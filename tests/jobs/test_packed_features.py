"""What comes of plain Parquet that workers put together is what comes of it when Spark joins it."""

import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fiqa_spark import read_recognizability
from fiqa_spark.inputs import open_features
from tests.jobs.inputs import Inputs, refused
from tests.jobs.planted_job import assert_same_labels
from tests.jobs.recognizing import Recognizing
from tests.jobs.running import options

STEP = "putting features together"


@pytest.fixture
def together(monkeypatch):
    monkeypatch.setattr(open_features, "_SCATTERED_BYTES", 0)


def summary(folder, name):
    return json.loads((folder / name / "summary.json").read_text(encoding="utf-8"))


def assert_same_facts(folder, name, other):
    """Of two results, but for what tells them apart."""
    own, others = summary(folder, name), summary(folder, other)
    assert STEP in own["seconds"]
    assert STEP not in others["seconds"]
    for key in ("images", "list_rows", "identities", "statuses", "partitioned_by"):
        assert own.get(key) == others.get(key)


@pytest.mark.lowest_versions
def test_labels(spark, planted, reference, run_job, together):
    labels, _ = reference
    result = run_job("generate_labels", *planted.arguments("together"))
    assert result.returncode == 0, result.stderr
    assert STEP in result.stderr
    assert_same_labels(planted.labels(spark, "together"), labels)
    assert_same_facts(planted.folder, "together", "reference")
    assert not [name for name in os.listdir(planted.folder) if "incomplete" in name]


def test_margin_labels(spark, planted, run_job, monkeypatch):
    def labelled(name):
        places = {"image_list_file": planted.folder / "images.txt", "feature_root": planted.folder / "features"}
        flags = {"method": "margin", "id_key_index": -2, "pool_size": 300, "score_dst": planted.folder / name}
        result = run_job("generate_labels", *options(**places, **flags))
        assert result.returncode == 0, result.stderr
        return planted.labels(spark, name)

    joined = labelled("margins")
    monkeypatch.setattr(open_features, "_SCATTERED_BYTES", 0)
    assert_same_labels(labelled("margins-together"), joined)
    assert_same_facts(planted.folder, "margins-together", "margins")


def test_scores(spark, run_job, tmp_path, monkeypatch):
    job = Recognizing(tmp_path)

    def scored(name):
        result = run_job("score_recognizability", *job.arguments(name))
        assert result.returncode == 0, result.stderr
        return {row.path: row for row in read_recognizability(spark, str(tmp_path / name)).collect()}

    joined = scored("joined")
    monkeypatch.setattr(open_features, "_SCATTERED_BYTES", 0)
    found = scored("together")
    assert found.keys() == joined.keys()
    for path, row in found.items():
        assert (row.status, row.identity) == (joined[path].status, joined[path].identity)
        assert row.ers == pytest.approx(joined[path].ers, abs=1e-5)
    assert_same_facts(tmp_path, "together", "joined")


def test_audit(planted, run_job, monkeypatch):
    def audited(name):
        places = {"image_list_file": planted.folder / "images.txt", "feature_root": planted.folder / "features"}
        flags = {"id_key_index": -2, "pool_size": 200, "dst": planted.folder / name}
        result = run_job("audit_identities", *options(**places, **flags))
        assert result.returncode == 0, result.stderr
        table = pq.read_table(planted.folder / name / "images").sort_by("path")
        return table.select(["path", "identity", "status", "membership"]).to_pylist()

    joined = audited("audit")
    monkeypatch.setattr(open_features, "_SCATTERED_BYTES", 0)
    for row, other in zip(audited("audit-together"), joined, strict=True):
        assert row == {**other, "membership": pytest.approx(other["membership"], abs=1e-5)}
    assert_same_facts(planted.folder, "audit-together", "audit")


def test_identities_of_a_column_are_left_to_spark(planted, run_job, together):
    """Where keys do not tell identities, vectors have to move to them."""
    paths = (planted.folder / "images.txt").read_text(encoding="utf-8").split()
    table = pa.table({"path": paths, "identity": [path.split("/")[0][::-1] for path in paths]})
    pq.write_table(table, planted.folder / "identities.parquet")
    arguments = planted.arguments("by-column", image_list_file=planted.folder / "identities.parquet")
    result = run_job("generate_labels", *arguments)
    assert result.returncode == 0, result.stderr
    assert STEP not in result.stderr


def test_a_damaged_file_is_told_and_nothing_is_left(inputs, together):
    part = inputs.features / "part-0.parquet"
    content = bytearray(part.read_bytes())
    column = pq.ParquetFile(part).metadata.row_group(0).column(1)
    content[column.data_page_offset : column.data_page_offset + 40] = os.urandom(40)
    part.write_bytes(bytes(content))
    refused(inputs, "part-0.parquet")


def test_files_without_anything_are_told_once(inputs, together):
    (inputs.features / "part-1.parquet").write_bytes(b"")
    result = inputs.run()
    assert result.returncode == 0, result.stderr
    assert STEP in result.stderr
    assert result.stderr.count("hold nothing at all") == 1


def test_several_features_of_a_key_are_refused(inputs: Inputs, together):
    table = pq.read_table(inputs.features / "part-0.parquet")
    pq.write_table(pa.concat_tables([table, table.slice(2, 1)]), inputs.features / "part-0.parquet")
    refused(inputs, "2 features have the key")


def test_vectors_of_other_lengths_and_none_are_no_use(spark, inputs, run_job, together):
    table = pq.read_table(inputs.features / "part-0.parquet").to_pylist()
    table[0]["feature"], table[1]["feature"], table[5]["feature"] = None, [1.0, 2.0], [np.nan] * 24
    kinds = pa.schema([("path", pa.string()), ("feature", pa.list_(pa.float32()))])
    pq.write_table(pa.Table.from_pylist(table, kinds), inputs.features / "part-0.parquet")
    result = inputs.run()
    assert result.returncode == 0, result.stderr
    assert STEP in result.stderr
    assert summary(inputs.destination.parent, inputs.destination.name)["statuses"]["invalid_feature"] == 3
