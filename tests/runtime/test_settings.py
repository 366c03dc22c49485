import pytest

from fiqa_spark.cli import parse_flags
from fiqa_spark.errors import MachineError, SettingsError
from fiqa_spark.methods.sdd_fiqa.settings import LabelSettings
from fiqa_spark.pipelines.jobs import JOB_SETTINGS, GenerateLabelsSettings
from fiqa_spark.runtime.machine import check_java_version
from fiqa_spark.runtime.settings import checked, fields_of, resolve, with_flag

REQUIRED = {"image_list_file": "a", "feature_root": "b", "score_dst": "c"}


def resolved(flags=(), configuration=()):
    return resolve(GenerateLabelsSettings, {**REQUIRED, **dict(flags)}, dict(configuration))


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
        ({"score_dst": ""}, {}, "--score-dst is empty"),
        ({}, {"spark.fiqa.gama": "0.5"}, "did you mean spark.fiqa.gamma"),
        ({}, {"spark.fiqa.rounds": "-1"}, "spark.fiqa.rounds -1: must be at least 1"),
        ({}, {"spark.fiqa.round": "1"}, "did you mean spark.fiqa.rounds"),
    ],
)
def test_a_bad_value_is_told_with_its_place(flags, configuration, said):
    with pytest.raises(SettingsError, match=said):
        resolved(flags, configuration)


def test_a_missing_setting_is_named():
    with pytest.raises(SettingsError, match="--feature-root is missing"):
        resolve(GenerateLabelsSettings, {"image_list_file": "a", "score_dst": "c"}, {})


def test_a_notebook_may_give_numbers_as_text_but_not_nonsense():
    assert checked(LabelSettings(fix_num="7")).fix_num == 7
    with pytest.raises(SettingsError, match="pool_size 0"):
        checked(LabelSettings(pool_size=0))


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("--feature-root: no match", "--feature-root /data/features: no match"),
        ("--rows-list: 3 paths", "--rows-list: 3 paths"),
        ("/data/features/a/1.parquet: damaged", "--feature-root /data/features/a/1.parquet: damaged"),
        ("file:///data/features/1.parquet: damaged", "--feature-root file:///data/features/1.parquet: damaged"),
        ("hdfs://name:8020/data/out: full", "--score-dst hdfs://name:8020/data/out: full"),
        ("lists/images.txt: no such file", "--image-list-file lists/images.txt: no such file"),
        ("/data/features2: no such file", "/data/features2: no such file"),
        ("round 1 of 12: no spread", "round 1 of 12: no spread"),
    ],
)
def test_a_message_on_the_command_line_names_the_flag_and_its_value(message, shown):
    places = {"image_list_file": "lists/images.txt", "feature_root": "/data/features", "score_dst": "hdfs:/data/out/"}
    assert with_flag(message, GenerateLabelsSettings(**places)) == shown


@pytest.mark.parametrize("words", [[], ["-load-feature"], ["--load-feature", "True"], ["--load-feature", "False"]])
def test_load_feature_has_three_forms(words):
    flags = parse_flags("job", GenerateLabelsSettings, ["--id-key-index", "-3", *words])
    assert flags["id_key_index"] == "-3"
    assert flags.get("load_feature", "False") == ("False" if words[-1:] in ([], ["False"]) else "True")


@pytest.mark.parametrize("job", JOB_SETTINGS)
def test_help_names_every_setting(job, capsys):
    with pytest.raises(SystemExit):
        parse_flags("job", job, ["--help"])
    shown = capsys.readouterr().out
    for item in fields_of(job):
        assert f"--{item.name.replace('_', '-')}" in shown


@pytest.mark.parametrize(
    ("text", "version"),
    [('openjdk version "17.0.15" 2025-04-15', 17), ("21.0.2", 21), ('java version "25"', 25), ("17", 17)],
)
def test_versions_of_java_are_read(text, version):
    assert check_java_version(text, "java") == version


@pytest.mark.parametrize("text", ['openjdk version "1.8.0_402"', "11.0.22", "no Java at all"])
def test_an_old_java_is_refused(text):
    with pytest.raises(MachineError, match="install Java 17 or newer"):
        check_java_version(text, "java")
