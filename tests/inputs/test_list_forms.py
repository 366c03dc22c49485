"""Forms of lists, recognised from their first lines."""

import pytest

from fiqa_spark.errors import InputError
from fiqa_spark.inputs.list_forms import path_in, recognised

pytestmark = pytest.mark.lowest_versions

READ = {
    "a path each": (["anna/0.jpg", "ben maria/0 1.jpg"], "", ["anna/0.jpg", "ben maria/0 1.jpg"]),
    "path TAB class": (["anna/0.jpg\t0", "ben/0.jpg\t1"], "", ["anna/0.jpg", "ben/0.jpg"]),
    "insightface": (["1\t/d/anna/0.jpg\t0", "1\t/d/b 1/0.jpg\t7"], "insightface's .lst: path in column 2", None),
    "insightface, with a box": (["1\t/d/anna/0.jpg\t0\t1.5\t-2"], "insightface's .lst: path in column 2", None),
    "MXNet": (["0\t0.000000\tanna/0.jpg", "1\t1\tb/0.jpg"], "MXNet's .lst: path in the last column", None),
    "MXNet, several labels": (["0\t0\t1e-3\tanna/0.jpg", "1\t1\tb/0.jpg"], "MXNet's .lst: path in the last", None),
    "number TAB path": (["0\tanna/0.jpg"], "numbers and a path, separated by TABs: path in column 2", None),
    "path label": (["anna/0.jpg 0", "b/1 2.JPG 1"], "separated by blanks", ["anna/0.jpg", "b/1 2.JPG"]),
    "path score": (["anna/0.jpg 87.5"], "separated by blanks", ["anna/0.jpg"]),
    "path,label": (["anna/0.jpg,0", "b, c/1.jpg,1"], "separated by commas", ["anna/0.jpg", "b, c/1.jpg"]),
    "path,name": (["a/0.jpg,anna,f", "b/0.jpg, ben lee,"], "separated by commas", ["a/0.jpg", "b/0.jpg"]),
    "two paths": (["a/0.jpg,b/0.jpg", "c/0.jpg,d/0.jpg"], "", ["a/0.jpg,b/0.jpg", "c/0.jpg,d/0.jpg"]),
    "path;label": (['"anna/0;1.jpg";0', "b/1.jpg;1"], "separated by semicolons", ["anna/0;1.jpg", "b/1.jpg"]),
    "number,path,label": (["0,anna/0.jpg,3", "1,b/1.jpg,4"], "path in column 2", ["anna/0.jpg", "b/1.jpg"]),
    "number path label": (["1 /d/anna/0 1.jpg 0", "1 /d/b.jpg 3"], "blanks", ["/d/anna/0 1.jpg", "/d/b.jpg"]),
    "CSV": (["path,label", "anna/0.jpg,0", '"b, ""c""/1.jpg",1'], "column 'path'", ["anna/0.jpg", 'b, "c"/1.jpg']),
    "CSV of semicolons": (["Label; File Name", "0; a/0.jpg", '1; "b;/1.jpg"'], "'File Name'", ["a/0.jpg", "b;/1.jpg"]),
    "CSV of TABs": (["image_path\tage", "a/0.jpg\told", "b/0.jpg\t3"], "'image_path'", ["a/0.jpg", "b/0.jpg"]),
    "CSV with row names": (['"","path"', '"1","a/0.jpg"'], "'path'", ["a/0.jpg"]),
    "CSV of one column": (["Filename", "a, b/0.jpg", '"c/0.jpg"'], "'Filename'", ["a, b/0.jpg", "c/0.jpg"]),
    "CSV of a name and a path": (["filename,path", "0.jpg,a/0.jpg"], "'path'", ["a/0.jpg"]),
    "names between blanks": (["path label", "a/0.jpg 0", "b/0.jpg 1"], "separated by blanks", ["a/0.jpg", "b/0.jpg"]),
    "quotes": (['"a/0.jpg"', '"b ""x""/0.jpg"'], "quoted paths", ["a/0.jpg", 'b "x"/0.jpg']),
    "single quotes": (["'a/0.jpg'", "'b/0.jpg'"], "quoted paths", ["a/0.jpg", "b/0.jpg"]),
    "brackets": (["[a]/0.jpg", "{b}/0.jpg"], "", ["[a]/0.jpg", "{b}/0.jpg"]),
    "numbers as names of folders": (["0042/1.jpg\t3", "1/2.jpg\t4"], "", ["0042/1.jpg", "1/2.jpg"]),
    "keys that are numbers": (["000001\tanna", "000002\tben"], "", ["000001", "000002"]),
    "names that look like a header": (["image 1", "image 2"], "", ["image 1", "image 2"]),
    "a name that looks like a header": (["image", "image2"], "", ["image", "image2"]),
    "a folder that looks like a header": (["images, new/0.jpg", "path, b/1.jpg"], "", None),
    "no line": ([], "", []),
}


@pytest.mark.parametrize("name", READ)
def test_a_form_of_one_meaning_is_recognised(name):
    lines, told, paths = READ[name]
    form = recognised(lines, "list.txt")
    assert told in form.told
    assert bool(told) == bool(form.told)
    assert not form.has_backslashes
    found = [path_in(line, form) for line in lines if line != form.header]
    if paths is None:
        paths = [next(cell for cell in line.split("\t") if "/" in cell) for line in lines]
    assert found == paths


@pytest.mark.parametrize(
    ("lines", "has_backslashes"),
    [
        ([r"D:\faces\anna\0.jpg", r"d:\faces\ben\0.jpg"], True),
        ([r"\\server\faces\anna\0.jpg"], True),
        ([r"anna\0.jpg", "0.jpg"], True),
        ([r"faces/anna\0.jpg", r"faces/ben\0.jpg"], True),
        ([r"1" "\t" r"D:\faces\anna\0.jpg" "\t0"], True),
        (["D:/faces/anna/0.jpg"], False),
        ([r"/data/odd\name/anna/0.jpg"], False),
        ([r"file:/data/odd\0.jpg"], False),
        ([r"a\b/0.jpg", r"c\d/0.jpg"], False),
        ([r"anna/0.jpg", r"ben/1\2.jpg"], False),
    ],
)
def test_backslashes_are_windows_where_they_stand_between_folder_and_name_in_every_path(lines, has_backslashes):
    form = recognised(lines, "list.txt")
    assert form.has_backslashes == has_backslashes
    assert ("Windows' backslashes as '/'" in form.told) == has_backslashes


def test_a_column_of_identities_is_known_by_its_name_alone():
    assert recognised(["path,label", "a/0.jpg,3"], "list.csv").identity_group is None
    form = recognised(["Identity,name,path", "0042,x,a/0.jpg"], "list.csv")
    assert (form.identity_group, form.path_group) == (1, 2)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["0\t0", "1\t5432", "2\t10864"], "is MXNet's .idx, which holds no paths; give the .lst"),
        (["10\t300", "Ann_Lee\t1\t4", "Ann_Lee\t1\tBo_Li\t2"], "is LFW's list of pairs; give the list of images"),
        (["a/0.jpg b/1.jpg 1", "a/0.jpg a/1.jpg 0"], "line 'a/0.jpg b/1.jpg 1' names two images"),
        (["a/0.jpg" + " 0.125" * 128], "ends in 128 numbers, as a list of features does"),
        (["filename,image", "0.jpg,1.jpg"], "columns 'filename' and 'image' may be the path of the image; keep one"),
        (["path,label", "a, b/0.jpg,1"], "line 'a, b/0.jpg,1' does not fit the others, CSV with a header"),
        (["path,label", ",1"], "line ',1' does not fit the others"),
        (["a/0.jpg 1", "a/1.jpg 1", "# ben"], "line '# ben' does not fit the others, path and label"),
        (["0\t1\ta/0.jpg", "1\t1\ta/1.jpg", "2"], "line '2' does not fit the others, MXNet's .lst"),
        (["path,Identity,IDENTITY", "a/0.jpg,1,1"], "columns 'Identity' and 'IDENTITY' have one name"),
    ],
)
def test_what_has_no_one_meaning_is_refused(lines, said):
    with pytest.raises(InputError) as refused:
        recognised(lines, "/data/list")
    assert str(refused.value).startswith("/data/list: ")
    assert said in str(refused.value)
