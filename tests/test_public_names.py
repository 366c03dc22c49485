"""What `import fiqa_spark` offers: complete, documented, and loaded only when it is asked for."""

import ast
import dataclasses
import importlib
import inspect
import pathlib
import re
import subprocess
import sys

import pytest

import fiqa_spark
from fiqa_spark import errors
from fiqa_spark.errors import FiqaError
from fiqa_spark.runtime.settings import Settings, checked, fields_of

ROOT = pathlib.Path(__file__).resolve().parents[1]
OBJECTS = {name: getattr(fiqa_spark, name) for name in fiqa_spark.__all__ if name != "__version__"}
FUNCTIONS = {name: item for name, item in OBJECTS.items() if inspect.isfunction(item)}
CLASSES = {name: item for name, item in OBJECTS.items() if inspect.isclass(item)}
SETTINGS = {name: item for name, item in CLASSES.items() if issubclass(item, Settings)}


def names_for_type_checkers():
    """Name to module, as the module of the package imports them for type checkers."""
    tree = ast.parse(pathlib.Path(fiqa_spark.__file__).read_text(encoding="utf-8"))
    [block] = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    return {alias.name: node.module.removeprefix("fiqa_spark.") for node in block.body for alias in node.names}


def test_all_names_are_listed_in_order_for_people_and_for_type_checkers():
    assert fiqa_spark.__all__ == sorted({*fiqa_spark._MODULES, "__version__"})
    assert names_for_type_checkers() == fiqa_spark._MODULES


@pytest.mark.parametrize("name", OBJECTS)
def test_a_name_is_that_of_the_module_that_defines_it(name):
    module = importlib.import_module(f"fiqa_spark.{fiqa_spark._MODULES[name]}")
    assert OBJECTS[name] is getattr(module, name)
    assert OBJECTS[name].__module__ == module.__name__
    assert OBJECTS[name].__name__ == name


def test_a_name_that_does_not_exist_is_told():
    with pytest.raises(AttributeError, match="module 'fiqa_spark' has no attribute 'generate_label'"):
        _ = fiqa_spark.generate_label


def test_the_package_is_imported_without_spark_until_a_name_is_asked_for():
    code = "import sys, fiqa_spark, fiqa_spark.kernels.edc, fiqa_spark.runtime.machine; print('pyspark' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True) == "False\n"


def test_everything_is_a_function_or_a_class():
    assert FUNCTIONS.keys() | CLASSES.keys() == OBJECTS.keys()
    assert SETTINGS


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_has_a_text_of_its_own(name):
    text = vars(CLASSES[name])["__doc__"]
    # What dataclasses make up begins with the name.
    assert text
    assert not text.startswith(f"{name}(")
    assert re.match(r"[A-Z][^\n]+\.(\n|$)", text)


def sections(function):
    """Heading to lines of a docstring's sections; that before the first heading by the name of none."""
    found, heading = {"": []}, ""
    lines = inspect.getdoc(function).splitlines()
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if below and set(below) == {"-"}:
            heading = line
            found[heading] = []
        elif set(line) != {"-"}:
            found[heading].append(line)
    return found


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_tells_what_goes_in_what_comes_out_and_what_it_raises(name):
    function = FUNCTIONS[name]
    text = sections(function)
    assert re.fullmatch(r"[A-Z].+\.", text[""][0])
    assert {"Parameters", "Returns", "Raises"} <= text.keys()
    documented = [word for line in text["Parameters"] if line[:1].isalpha() for word in line.split(" :")[0].split(", ")]
    parameters = list(inspect.signature(function).parameters)
    assert [parameter for parameter in parameters if parameter in documented] == documented
    assert documented
    raised = [line for line in text["Raises"] if line[:1].isalpha()]
    assert all(issubclass(getattr(errors, line), FiqaError) for line in raised)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_types(name):
    signature = inspect.signature(FUNCTIONS[name])
    kinds = [signature.return_annotation, *(parameter.annotation for parameter in signature.parameters.values())]
    assert inspect.Signature.empty not in kinds


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_have_a_help_for_every_field_and_stand_by_their_own_rules(name):
    settings_class = SETTINGS[name]
    fields = {item.name for item in dataclasses.fields(settings_class)}
    assert {item.name for item in fields_of(settings_class)} == fields - {"origins"}
    for item in fields_of(settings_class):
        assert len(item.metadata["help"].split()) > 1, item.name
    settings = settings_class()
    assert checked(settings) == settings
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.seed = 1


def test_every_error_says_when_it_is_raised():
    kinds = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, FiqaError)]
    assert len(kinds) > 1
    for kind in kinds:
        assert kind is FiqaError or vars(kind)["__doc__"].startswith("Raised when "), kind
