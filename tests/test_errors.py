"""Errors carry facts: what a notebook shows of them."""

import pickle

import pytest

from fiqa_spark.errors import DestinationError, FiqaError, InputError, MachineError, NothingUsableError, SettingsError


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (MachineError("no Java in PATH"), "no Java in PATH"),
        (MachineError("no Java in PATH", remedy="install one"), "no Java in PATH; install one"),
        (SettingsError("must be at least 1", setting="rounds", value=0), "rounds 0: must be at least 1"),
        (SettingsError("choose one of a, b", setting="mode", value="c"), "mode 'c': choose one of a, b"),
        (SettingsError("is unknown", key="spark.fiqa.colour", value="3"), "spark.fiqa.colour '3': is unknown"),
        (InputError("is no text", path="/data/list.txt"), "/data/list.txt: is no text"),
        (
            InputError("is damaged", setting="labels", path="/a b", remedy="write it"),
            "labels /a b: is damaged; write it",
        ),
        (InputError("no column 'path'", setting="image_list_file"), "images: no column 'path'"),
        (InputError("no column 'path'", setting="feature_root", remedy="add it"), "features: no column 'path'; add it"),
        (
            DestinationError("exists", setting="dst", path="/out", remedy="add `overwrite`"),
            "dst /out: exists; add `overwrite`",
        ),
        (InputError("no spread", setting="rounds", value=""), "rounds '': no spread"),
    ],
)
def test_a_notebook_is_told_the_argument_the_value_and_the_way_out(error, shown):
    assert str(error) == shown


def test_facts_stay_as_they_were_given():
    error = InputError("is damaged", setting="labels", value=3, path="/a", remedy="write it")
    facts = {"text": "is damaged", "setting": "labels", "value": 3, "path": "/a", "remedy": "write it"}
    assert {name: getattr(error, name) for name in facts} == facts


def test_an_error_without_usable_images_shows_a_key_of_either_side_and_keeps_its_facts():
    error = NothingUsableError("none can be used", setting="feature_root", value=1, path="/a", remedy="look")
    shown = error.with_keys("p/0", "q/0")
    assert type(shown) is NothingUsableError
    assert str(shown) == "features /a: none can be used (list key 'p/0', feature key 'q/0'); look"
    assert shown.value == 1


def test_errors_of_every_kind_are_caught_by_their_root_and_survive_another_process():
    for error in (
        SettingsError("text", setting="seed", value=1, key="spark.fiqa.seed"),
        *(kind("text", path="/a", remedy="look") for kind in FiqaError.__subclasses__() if kind is not SettingsError),
        NothingUsableError("text"),
    ):
        assert isinstance(error, FiqaError)
        again = pickle.loads(pickle.dumps(error))  # noqa: S301
        assert type(again) is type(error)
        assert (str(again), vars(again)) == (str(error), vars(error))
