"""What Spark and Hadoop write when something fails that the user can mend, provoked where that is possible."""

import os
import shutil

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from fiqa_spark.errors import DestinationError, InputError
from fiqa_spark.runtime.spark_failures import as_user_error

pytestmark = pytest.mark.lowest_versions


def told(provoke):
    """The error that tells the user of a failure inside Spark."""
    with pytest.raises((Py4JJavaError, PySparkException)) as caught:
        provoke()
    return as_user_error(caught.value)


@pytest.fixture
def data(spark, tmp_path):
    """A Parquet data set of one file, in a folder whose name has a blank."""
    folder = tmp_path / "my data"
    spark.range(1000).coalesce(1).write.parquet(str(folder))
    return folder


def file_of(folder):
    """The one data file; nothing vouches for what it holds any more."""
    for checksum in folder.glob(".*.crc"):
        checksum.unlink()
    return next(folder.glob("*.parquet"))


DAMAGE = {
    "half": lambda content: content[: len(content) // 2],
    "no Parquet": lambda content: b"path,feature\n" * 100,
    "almost empty": lambda content: b"x",
    "overwritten": lambda content: content[:10] + bytes(range(190)) + content[200:],
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_named(spark, data, damage):
    file = file_of(data)
    file.write_bytes(damage(file.read_bytes()))
    error = told(lambda: spark.read.schema("id long").parquet(str(data)).collect())
    assert isinstance(error, InputError)
    assert error.text == "cannot be read, it is truncated or damaged"
    assert error.remedy == "write it again"
    assert error.path.removeprefix("file:").replace("//", "") == str(file)


def test_a_damaged_file_is_named_when_its_columns_are_asked_for(spark, data):
    file = file_of(data)
    file.write_bytes(file.read_bytes()[:-500])
    error = told(lambda: spark.read.parquet(str(data)))
    assert (error.text, error.path) == ("cannot be read, it is truncated or damaged", f"file:{file}")


def test_a_file_that_is_gone_is_not_damaged(spark, data):
    table = spark.read.parquet(str(data))
    file = file_of(data)
    file.unlink()
    error = told(table.collect)
    assert error.text == "is gone since the run began to read it"
    assert error.path.removeprefix("file:").replace("//", "") == str(file)


def test_a_column_of_another_type_is_told_with_both_types(spark, data):
    error = told(spark.read.schema("id array<float>").parquet(str(data)).collect)
    assert "[id]" in error.text
    assert "array<float>" in error.text
    assert "INT64" in error.text
    assert error.remedy == "write all files with the same types"
    assert error.path.endswith(file_of(data).name)


def test_files_of_several_types_are_told(spark, tmp_path):
    spark.range(3).write.parquet(str(tmp_path / "part=1"))
    spark.range(3).selectExpr("cast(id as string) id").write.parquet(str(tmp_path / "part=2"))
    error = told(lambda: spark.read.option("mergeSchema", "true").parquet(str(tmp_path)))
    assert 'data types "BIGINT" and "STRING"' in error.text
    assert error.path is None


def test_several_data_sets_in_a_folder_are_told_by_one_of_them(spark, data, tmp_path):
    for name in ("first/a=1", "second/b=1"):
        shutil.copytree(data, tmp_path / "both" / name)
    error = told(lambda: spark.read.parquet(str(tmp_path / "both")))
    assert error.text == "is one of several Parquet data sets in its folder"
    assert error.remedy == "name the folder of one of them"
    assert error.path in {f"file:{tmp_path}/both/{name}" for name in ("first", "second")}


def test_an_unknown_host_is_named(spark):
    error = told(lambda: spark.read.parquet("hdfs://nowhere.invalid/x"))
    assert isinstance(error, InputError)
    assert error.text == "UnknownHostException: nowhere.invalid: the file system cannot be reached"
    assert error.remedy == "check the host and port of the path, and that it is up"


def test_a_host_that_does_not_answer_is_named(spark):
    error = told(lambda: spark.read.text("hdfs://127.0.0.1:9/x"))
    assert "to localhost:9 failed on connection exception: the file system cannot be reached" in error.text


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no device that is always full")
def test_a_full_disk_is_told(spark):
    error = told(lambda: spark._jvm.java.io.FileOutputStream("/dev/full").write(1))
    assert isinstance(error, DestinationError)
    assert error.text == "No space left on device"
    assert error.remedy == "make room at the destination and in spark.local.dir, and run again"


@pytest.fixture
def forbidden():
    """Take all rights to files and folders away; they come back afterwards, so that they can be removed."""
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    taken = []

    def take(path):
        taken.append((path, path.stat().st_mode))
        path.chmod(0)

    yield take
    for path, mode in taken:
        path.chmod(mode)


@pytest.mark.parametrize("of_folder", [False, True], ids=["file", "folder"])
def test_what_may_not_be_read_is_not_damaged(spark, data, forbidden, of_folder):
    path = data if of_folder else file_of(data)
    forbidden(path)
    error = told(lambda: spark.read.schema("id long").parquet(str(data)).collect())
    assert (error.text, error.path) == ("permission denied", str(path))


RIGHT = "give the user of this job the right to it, or choose another place"
ROOM = "make room at the destination or have the quota raised, and run again"


@pytest.mark.parametrize(
    ("failure", "kind", "shown"),
    [
        pytest.param(
            "org.apache.spark.SparkException: [FAILED_READ_FILE.FILE_NOT_EXIST] Encountered error while reading file "
            "file:///data/my%20list/l.txt. File does not exist. It is possible the underlying files have been "
            "updated.\n"
            "Caused by: java.io.FileNotFoundException: /data/my list/l.txt (Permission denied)\n\t... 1 more",
            InputError,
            f"/data/my list/l.txt: permission denied; {RIGHT}",
            id="Spark 4 and a local file without the right to it",
        ),
        pytest.param(
            "Lost task 0.0 in stage 0.0 (TID 0) (192.0.2.2 executor driver): "
            "org.apache.spark.SparkFileNotFoundException: "
            "/data/a.parquet (Permission denied)\nIt is possible the underlying files have been updated.",
            InputError,
            f"/data/a.parquet: permission denied; {RIGHT}",
            id="Spark 3.5 and a local file without the right to it",
        ),
        pytest.param(
            "An error occurred while calling o61.text.\n"
            ": java.nio.file.AccessDeniedException: /data/shut: Permission denied\n\tat java.base/sun.nio",
            InputError,
            f"/data/shut: permission denied; {RIGHT}",
            id="a local folder without the right to it",
        ),
        pytest.param(
            "PermissionError: [Errno 13] Permission denied: '/data/f.npy'\n",
            InputError,
            f"/data/f.npy: permission denied; {RIGHT}",
            id="a file that Python may not read",
        ),
        pytest.param(
            "org.apache.hadoop.security.AccessControlException: Permission denied: user=alice, access=READ_EXECUTE, "
            'inode="/user/bob/f":bob:supergroup:drwx------\n\tat org.apache.hadoop.hdfs',
            InputError,
            "/user/bob/f: Permission denied: user=alice, access=READ_EXECUTE, "
            'inode="/user/bob/f":bob:supergroup:drwx------'
            f"; {RIGHT}",
            id="HDFS without the right to it",
        ),
        pytest.param(
            "Access failed: Permission denied (403)\n\tat com.amazonaws",
            InputError,
            f"Permission denied (403); {RIGHT}",
            id="another file system without the right to it",
        ),
        pytest.param(
            "Caused by: org.apache.hadoop.hdfs.protocol.DSQuotaExceededException: The DiskSpace quota of "
            "/user/alice/small is "
            "exceeded: quota = 5242880 B = 5 MB but diskspace consumed = 8388608 B = 8 MB\n\tat org.apache",
            DestinationError,
            "The DiskSpace quota of /user/alice/small is exceeded: quota = 5242880 B = 5 MB but diskspace "
            "consumed = 8388608 "
            f"B = 8 MB; {ROOM}",
            id="a quota of space",
        ),
        pytest.param(
            "org.apache.hadoop.hdfs.protocol.NSQuotaExceededException: The NameSpace quota (directories and files) of "
            "directory /user/alice is exceeded: quota=10 file count=11",
            DestinationError,
            "The NameSpace quota (directories and files) of directory /user/alice is exceeded: quota=10 file count=11"
            f"; {ROOM}",
            id="a quota of files",
        ),
        pytest.param(
            "Job aborted due to stage failure: Task 1 in stage 3.0 failed 1 times, most recent failure: Lost "
            "task 1.0 in "
            "stage 3.0 (TID 4) (node7 executor 1): java.io.IOException: No space left on device\n\tat "
            "java.base/java.io",
            DestinationError,
            "No space left on device; make room at the destination and in spark.local.dir, and run again",
            id="a full disk of an executor",
        ),
        pytest.param(
            "An exception was thrown from the Python worker:\nOSError: [Errno 28] No space left on device\n",
            DestinationError,
            "No space left on device; make room at the destination and in spark.local.dir, and run again",
            id="a full disk in Python",
        ),
        pytest.param(
            "An error occurred while calling o62.load.\n: java.lang.IllegalArgumentException: "
            "java.net.UnknownHostException: nowhere\n\tat org.apache.hadoop.security",
            InputError,
            "UnknownHostException: nowhere: the file system cannot be reached; check the host and port of the "
            "path, and "
            "that it is up",
            id="an unknown host",
        ),
        pytest.param(
            "Caused by: org.apache.spark.SparkException: [CANNOT_READ_FILE_FOOTER] Could not read footer for file: "
            "hdfs://n1:8020/f/a.parquet. Please ensure that the file is in either ORC or Parquet format.",
            InputError,
            "hdfs://n1:8020/f/a.parquet: cannot be read, it is truncated or damaged; write it again",
            id="Spark 3.5 and a damaged file",
        ),
        pytest.param(
            "org.apache.spark.SparkException: [FAILED_READ_FILE.NO_HINT] Encountered error while reading file "
            "s3a://bucket/my%20f/a.parquet.  SQLSTATE: KD001\nCaused by: java.lang.RuntimeException: "
            "s3a://bucket/my f/a.parquet "
            "is not a Parquet file. Expected magic number at tail, but found [0, 40, 13, 8]",
            InputError,
            "s3a://bucket/my f/a.parquet: cannot be read, it is truncated or damaged; write it again",
            id="Spark 4 and a damaged file",
        ),
        pytest.param(
            "Encountered error while reading file file:///data/list.txt. Details:",
            InputError,
            "a file cannot be read, it is truncated or damaged; write it again",
            id="a damaged file of another form",
        ),
        pytest.param(
            "org.apache.spark.SparkException: Parquet column cannot be converted in file file:///d/a.parquet. "
            "Column: [id], "
            "Expected: array<float>, Found: INT64.",
            InputError,
            "file:///d/a.parquet: holds another type than expected (Column: [id], Expected: array<float>, "
            "Found: INT64); "
            "write all files with the same types",
            id="Spark 3.5 and another type",
        ),
        pytest.param(
            "[FAILED_READ_FILE.PARQUET_COLUMN_DATA_TYPE_MISMATCH] Encountered error while reading file "
            "file:///d/a.parquet. Data "
            "type mismatches when reading Parquet column [id]. Expected Spark type int, actual Parquet type "
            "INT64. SQLSTATE",
            InputError,
            "file:///d/a.parquet: holds another type than expected (column [id]. Expected Spark type int, "
            "actual Parquet "
            "type INT64); write all files with the same types",
            id="Spark 4 and another type",
        ),
        pytest.param(
            "java.lang.AssertionError: assertion failed: Conflicting directory structures detected. "
            "Suspicious paths:\b\n"
            "\tfile:/data/two sets/x\n\tfile:/data/two sets/y\n\nIf provided paths are",
            InputError,
            "file:/data/two sets/x: is one of several Parquet data sets in its folder; name the folder of one of them",
            id="Spark 3.5 and two data sets",
        ),
        pytest.param(
            "[CONFLICTING_DIRECTORY_STRUCTURES] Conflicting directory structures detected.\nSuspicious paths:\n\n"
            "\tfile:/data/x\n\tfile:/data/y\n\nIf provided paths are",
            InputError,
            "file:/data/x: is one of several Parquet data sets in its folder; name the folder of one of them",
            id="Spark 4 and two data sets",
        ),
    ],
)
def test_a_text_is_put_into_a_sentence_with_the_way_out(failure, kind, shown):
    error = as_user_error(Exception(failure))
    assert type(error) is kind
    assert str(error) == shown


@pytest.mark.parametrize(
    "failure", ["java.lang.NullPointerException: Cannot invoke", "[DIVIDE_BY_ZERO] Division by zero", ""]
)
def test_a_fault_of_ours_is_nothing_that_the_user_can_mend(failure):
    assert as_user_error(Exception(failure)) is None
