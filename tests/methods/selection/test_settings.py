"""Options that contradict one another are refused before Spark has anything to do."""

import pytest

from fiqa_spark.errors import SettingsError
from fiqa_spark.pipelines.jobs import SelectImagesSettings
from fiqa_spark.runtime.settings import resolve

GIVEN = {"labels": "labels", "dst": "chosen"}
AUDIT, SCORES = {"audit": "audit"}, {"recognizability": "scores"}


@pytest.mark.parametrize(
    "flags",
    [
        {},
        {**AUDIT, "drop": ["other", "unlike"], "merge_identities": "True"},
        {**AUDIT, "drop": ["unlike"], "move_suggested": "True", "per_identity_most": "3", "per_identity_least": "3"},
        {**SCORES, "least_ers": "0.6", "least_label": "0", "most": "1"},
    ],
)
def test_options_that_go_together_are_taken(flags):
    assert resolve(SelectImagesSettings, {**GIVEN, **flags}, {}, []).labels == "labels"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"drop": ["other"]}, "drop 'other': needs `audit`"),
        ({"move_suggested": "True"}, "move_suggested 'True': needs `audit`"),
        ({"merge_identities": "True"}, "merge_identities 'True': needs `audit`"),
        ({"least_ers": "0"}, "least_ers '0.0': needs `recognizability`"),
        (AUDIT, "audit: plays no part; add `drop`, `move_suggested` or `merge_identities`, or leave it out"),
        (SCORES, "recognizability: plays no part; add `least_ers`, or leave it out"),
        (
            {**AUDIT, "drop": ["other"], "move_suggested": "True"},
            "move_suggested: would keep the images that `drop` other",
        ),
        ({"per_identity_most": "2", "per_identity_least": "3"}, "per_identity_least 3: is above `per_identity_most` 2"),
        ({**AUDIT, "drop": ["others"]}, "drop 'others': choose one of other, unlike, alone, own"),
        ({**AUDIT, "drop": ["own", "own"]}, "drop: own is given twice"),
        ({"most": "0"}, "most 0: must be at least 1"),
        ({"least_label": "101"}, "least_label 101.0: must be at most 100"),
        ({"least_label": "nan"}, "least_label nan: must be at least 0"),
        ({**SCORES, "least_ers": "60"}, "least_ers 60.0: must be at most 2"),
    ],
)
def test_options_that_contradict_one_another_are_refused(flags, said):
    with pytest.raises(SettingsError) as refused:
        resolve(SelectImagesSettings, {**GIVEN, **flags}, {}, [])
    assert str(refused.value).startswith(said)
