"""A small data set with planted quality on disk, and what the job makes of it."""

import pytest

from fiqa_spark import read_labels
from tests.jobs.running import options
from tests.planted_data import write_planted_data

FLAGS = {"id_key_index": -2, "rounds": 4, "pool_size": 200}


class Planted:
    """A small data set on disk, and the job run on it."""

    def __init__(self, folder, **size):
        self.folder = folder
        self.counts = write_planted_data(folder, **{"identities": 30, "dimension": 16, **size})

    def arguments(self, destination, **changes):
        places = {
            "image_list_file": self.folder / "images.txt",
            "feature_root": self.folder / "features",
            "score_dst": self.folder / destination,
        }
        return options(**{**places, **FLAGS, **changes})

    def labels(self, spark, destination):
        return {row.path: row for row in read_labels(spark, str(self.folder / destination)).collect()}


def assert_same_labels(found, reference):
    assert found.keys() == reference.keys()
    for path, row in found.items():
        assert row.status == reference[path].status
        assert row.label == pytest.approx(reference[path].label, abs=1e-3)
