"""Labels, an audit and scores as their jobs write them, with any values, for jobs that go on with them."""

import json

import pyarrow as pa
import pyarrow.parquet as pq

from fiqa_spark import schemas

AUDIT_TABLES = {
    "images": schemas.AUDITED_IMAGES,
    "identities": schemas.AUDITED_IDENTITIES,
    "identity_pairs": schemas.IDENTITY_PAIRS,
}
_TYPES = {"string": pa.string(), "double": pa.float64(), "int": pa.int32(), "boolean": pa.bool_()}


def write_rows(folder, schema, rows):
    """Rows as a result has them: tuples of its first columns, of which the others are null or 0."""
    columns = {}
    for number, item in enumerate(schema):
        values = [row[number] if number < len(row) else None for row in rows]
        kind = _TYPES.get(item.dataType.simpleString(), pa.list_(pa.float32()))
        nothing = 0 if kind == pa.int32() else "ok" if item.name == schemas.STATUS else 0.0
        if not item.nullable:
            values = [nothing if value is None else value for value in values]
        columns[item.name] = pa.array(values, kind)
    folder.mkdir(parents=True)
    pq.write_table(pa.table(columns), folder / "part-0.parquet")


def write_labels(folder, rows, image_list, **settings):
    """A result of `generate_labels`: path, identity, label and status; `settings` are as the summary has them."""
    write_rows(folder / "labels", schemas.LABELS, rows)
    told = {"image_list_file": str(image_list), "id_key_index": -2, **settings}
    summary = {"settings": {name: {"value": value, "origin": "flag"} for name, value in told.items()}}
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")


def write_scores(folder, rows):
    """A result of `score_recognizability`: path, identity and ERS."""
    write_rows(folder / "recognizability", schemas.RECOGNIZABILITY, rows)


def write_audit(folder, images, identities=(), pairs=()):
    """A result of `audit_identities`: rows of its three tables."""
    for (name, schema), rows in zip(AUDIT_TABLES.items(), (images, identities, pairs), strict=True):
        write_rows(folder / name, schema, rows)
