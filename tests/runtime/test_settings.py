import pytest

from fiqa_spark.cli import error_line, parse_flags
from fiqa_spark.errors import SettingsError
from fiqa_spark.methods.sdd_fiqa.settings import LabelSettings
from fiqa_spark.pipelines.jobs import JOBS, GenerateLabelsSettings, ScoreRecognizabilitySettings
from fiqa_spark.runtime.settings import checked, fields_of, resolve

REQUIRED = {"image_list_file": "a", "feature_root": "b", "score_dst": "c"}
KNOWN = {item.name for job in JOBS.values() for item in fields_of(job)}


def resolved(flags=(), configuration=(), job=GenerateLabelsSettings):
    return resolve(job, {**REQUIRED, **dict(flags)}, dict(configuration), KNOWN)


def test_defaults_are_those_of_the_method():
    settings = resolved()
    assert (settings.fix_num, settings.rounds, settings.id_key_index, settings.min_images) == (24, 12, -3, 2)
    assert (settings.estimator, settings.normalize, settings.partition_by) == ("sampled", "per-round", "auto")
    assert settings.origins == dict.fromkeys(REQUIRED, "flag")


def test_a_flag_wins_over_the_configuration():
    settings = resolved({"rounds": "3"}, {"spark.fiqa.rounds": "5", "spark.fiqa.seed": "7", "spark.ui": "x"})
    assert (settings.rounds, settings.seed) == (3, 7)
    assert (settings.origins["rounds"], settings.origins["seed"]) == ("flag", "configuration")


def test_settings_of_other_jobs_may_stand_in_the_same_configuration():
    assert resolved((), {"spark.fiqa.format": "csv"}).rounds == 12


@pytest.mark.parametrize(
    ("flags", "configuration", "said"),
    [
        ({"fix_num": "0"}, {}, "--fix-num 0: must be at least 1"),
        ({"fix_num": "two"}, {}, "--fix-num 'two': not a whole number"),
        ({"min_images": "1"}, {}, "--min-images 1: must be at least 2"),
        ({"seed": str(2**63)}, {}, "--seed 9223372036854775808: must be at most 9223372036854775807"),
        ({"id_key_index": "99999999999"}, {}, "--id-key-index 99999999999: must be at most"),
        ({"pool_size": "3000000000"}, {}, "--pool-size 3000000000: must be at most"),
        ({"process_num": "99999"}, {}, "--process-num 99999: must be at most"),
        ({"estimator": "best"}, {}, "--estimator 'best': choose one of sampled, exact"),
        ({"overwrite": "perhaps"}, {}, "--overwrite 'perhaps': use True or False"),
        ({"score_dst": ""}, {}, "--score-dst: is empty; give the folder to write"),
        (
            {},
            {"spark.fiqa.gama": "0.5"},
            "spark.fiqa.gama '0.5': no job has such a setting; did you mean spark.fiqa.gamma",
        ),
        ({}, {"spark.fiqa.rounds": "-1"}, "spark.fiqa.rounds -1: must be at least 1"),
        ({}, {"spark.fiqa.round": "1"}, "did you mean spark.fiqa.rounds"),
        ({}, {"spark.fiqa.score-dst": ""}, "spark.fiqa.score-dst: is empty; give the folder to write"),
        ({"rounds": "0"}, {"spark.fiqa.rounds": "3"}, "--rounds 0: must be at least 1"),
    ],
)
def test_a_bad_value_is_told_with_its_place(flags, configuration, said):
    required = {
        name: text for name, text in REQUIRED.items() if f"spark.fiqa.{name.replace('_', '-')}" not in configuration
    }
    with pytest.raises(SettingsError) as caught:
        resolve(GenerateLabelsSettings, {**required, **flags}, configuration, KNOWN)
    assert error_line("generate_labels", caught.value, None).startswith("generate_labels: error: ")
    assert said in error_line("generate_labels", caught.value, None)


def test_a_missing_setting_is_named():
    with pytest.raises(SettingsError) as caught:
        resolve(GenerateLabelsSettings, {"image_list_file": "a", "score_dst": "c"}, {}, KNOWN)
    assert error_line("job", caught.value, None).startswith(
        "job: error: --feature-root: is missing; give the Parquet data set"
    )


@pytest.mark.parametrize(
    ("flags", "configuration", "said"),
    [
        (("ui_list_file", "ui_centroid"), (), "--ui-list-file a: --ui-centroid is given too; give the one that"),
        (
            ("ui_centroid",),
            ("ui_list_file",),
            "spark.fiqa.ui-list-file a: --ui-centroid is given too; give the one that",
        ),
    ],
)
def test_settings_that_exclude_each_other_are_told_with_their_places(flags, configuration, said):
    keys = {f"spark.fiqa.{name.replace('_', '-')}": "a" for name in configuration}
    with pytest.raises(SettingsError) as caught:
        resolved(dict.fromkeys(flags, "a"), keys, ScoreRecognizabilitySettings)
    assert said in error_line("job", caught.value, None)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"pool_size": 0}, "pool_size 0: must be at least 1"),
        ({"rounds": 2.5}, "rounds 2.5: not a whole number"),
        ({"rounds": None}, "rounds: not a whole number"),
        ({"fix_num": ""}, "fix_num '': not a whole number"),
        ({"estimator": "best"}, "estimator 'best': choose one of sampled, exact"),
        ({"load_feature": "perhaps"}, "load_feature 'perhaps': use True or False"),
    ],
)
def test_a_notebook_is_told_the_name_of_the_setting(settings, said):
    with pytest.raises(SettingsError) as caught:
        checked(LabelSettings(**settings))
    assert str(caught.value) == said


def test_a_notebook_may_give_numbers_as_text():
    assert checked(LabelSettings(fix_num="7")).fix_num == 7


def test_every_default_obeys_its_rules():
    settings = LabelSettings()
    assert checked(settings) == settings


@pytest.mark.parametrize("words", [[], ["-load-feature"], ["--load-feature", "True"], ["--load-feature", "False"]])
def test_load_feature_has_three_forms(words):
    flags = parse_flags("generate_labels", ["--id-key-index", "-3", *words])
    assert flags["id_key_index"] == "-3"
    assert flags.get("load_feature", "False") == ("False" if words[-1:] in ([], ["False"]) else "True")


@pytest.mark.parametrize("job", JOBS)
def test_help_names_every_setting(job, capsys):
    with pytest.raises(SystemExit):
        parse_flags(job, ["--help"])
    shown = capsys.readouterr().out
    for item in fields_of(JOBS[job]):
        assert f"--{item.name.replace('_', '-')}" in shown
