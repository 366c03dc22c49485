"""Files and folders on whatever file system Spark sees: local, HDFS, object stores."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from py4j.java_gateway import JavaObject
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from fiqa_spark.errors import InputError
from fiqa_spark.runtime.local_folders import list_folder

_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*:(//[^/]*)?(?=/)")
# What tells the file system, in the eyes of Hadoop.
_FILE_SYSTEM = re.compile(r"[^/:]+:(//[^/]*)?")
# What no name holds; two of it, as Java has another way to join by one character.
_BETWEEN = "\0\0"


class Storage:
    """Access to files through Hadoop's FileSystem interface.

    Parameters
    ----------
    spark : SparkSession
        Its Hadoop configuration decides what a path without a scheme means.
    """

    def __init__(self, spark: SparkSession) -> None:
        self._gateway: Any = spark.sparkContext._gateway
        self._jvm: Any = spark._jvm
        self._configuration = spark._jsc.hadoopConfiguration()
        self._is_on_one_machine = re.fullmatch(r"local(\[.*\])?", str(spark.sparkContext.master)) is not None
        # Kept, as finding a class by the parts of its name takes a call of Java each.
        self._path_class: Any = getattr(self._jvm, "org.apache.hadoop.fs.Path")
        # By scheme and host, as paths begin with them.
        self._file_systems: dict[str, JavaObject] = {}

    def encoding_of_names(self) -> str:
        """How Java writes the names of files on this machine, such as ``UTF-8``."""
        return self._jvm.System.getProperty("sun.jnu.encoding")

    def umask(self) -> int:
        """Permissions that Hadoop withholds from what it writes."""
        permissions = getattr(self._jvm, "org.apache.hadoop.fs.permission.FsPermission")
        return permissions.getUMask(self._configuration).toShort()

    def qualified(self, path: str) -> str:
        """Absolute form of a path with its scheme, such as ``file:/data/list.txt``."""
        file_system, java_path = self._locate(path)
        return file_system.makeQualified(java_path).toString()

    def local(self, path: str) -> str | None:
        """Path as Python's own file functions want it, or None if it is not on a local file system."""
        uri = self._locate(self.qualified(path))[1].toUri()
        return uri.getPath() if uri.getScheme() == "file" else None

    def seen_by_workers(self, path: str) -> str | None:
        """The same where the workers see the same disk, as they do in local mode; None elsewhere."""
        return self.local(path) if self._is_on_one_machine else None

    def parent_and_name(self, path: str) -> tuple[str, str]:
        """Qualified parent folder and last part of a path."""
        java_path = self._locate(self.qualified(path))[1]
        if java_path.getParent() is None:
            raise InputError("is the root of a file system", path=path, remedy="give a folder below it")
        return java_path.getParent().toString(), java_path.getName()

    def exists(self, path: str) -> bool:
        """True if there is a file or folder."""
        file_system, java_path = self._locate(path)
        return file_system.exists(java_path)

    def is_folder(self, path: str) -> bool:
        """True if there is a folder."""
        file_system, java_path = self._locate(path)
        return file_system.exists(java_path) and file_system.getFileStatus(java_path).isDirectory()

    def entries(self, folder: str) -> Iterator[tuple[str, str, bool]]:
        """Yield (name, qualified path, is_folder) of a folder's entries without listing all of them at once."""
        file_system, java_path = self._locate(folder)
        iterator = file_system.listStatusIterator(java_path)
        while iterator.hasNext():
            status = iterator.next()
            yield status.getPath().getName(), status.getPath().toString(), status.isDirectory()

    def listing(self, folder: str) -> list[tuple[str, str, bool]]:
        """(name, qualified path, is_folder) of a folder's entries, by name; a few calls of Java for all of them."""
        local = self.local(folder)
        if local is not None:
            # What Java writes of a file there may take a process of its own.
            root = self.qualified(folder).rstrip("/")
            return sorted((name, f"{root}/{name}", is_folder) for name, is_folder in list_folder(local))
        file_system, java_path = self._locate(folder)
        statuses = file_system.listStatus(java_path)
        if not len(statuses):
            return []
        paths = self._texts_of(self._jvm.org.apache.hadoop.fs.FileUtil.stat2Paths(statuses))
        shown = self._texts_of(statuses)
        entries = []
        for number, (path, text) in enumerate(zip(paths, shown, strict=True)):
            # As Hadoop writes a status; a file system that writes it in another way is asked.
            found = re.match(rf"\w*\{{\s*(?:\w*\{{)?path={re.escape(path)}; isDirectory=(true|false)", text)
            is_folder = found[1] == "true" if found else statuses[number].isDirectory()
            entries.append((path.rsplit("/", 1)[1], path, is_folder))
        return sorted(entries)

    def _texts_of(self, array: Any) -> list[str]:
        """Every object of a Java array as Java writes it."""
        objects = self._gateway.new_array(self._jvm.java.lang.Object, len(array))
        self._jvm.java.lang.System.arraycopy(array, 0, objects, 0, len(array))
        return self._jvm.org.apache.commons.lang3.StringUtils.join(objects, _BETWEEN).split(_BETWEEN)

    def walk(self, root: str, enters: Callable[[str], bool] = lambda name: True) -> Iterator[tuple[str, str, bool]]:
        """Yield (folder below the root, name, is_folder) of everything below a folder, as `local_folders.walk`."""
        pending = [""]
        while pending:
            below = pending.pop()
            entries = self.listing(f"{root.rstrip('/')}/{below}")
            for name, _, is_folder in entries:
                yield below, name, is_folder
            folders = [f"{below}{name}/" for name, _, is_folder in entries if is_folder and enters(name)]
            pending.extend(reversed(folders))

    def first_file(self, folder: str, suffixes: tuple[str, ...]) -> str | None:
        """The first file below a folder whose name ends with one of the suffixes, or None; hidden ones do not count.

        First come the files of the folder by name, then those of its folders.
        """
        for below, name, is_folder in self.walk(folder, lambda name: not name.startswith((".", "_"))):
            if not is_folder and name.endswith(suffixes) and not name.startswith((".", "_")):
                return f"{self.qualified(folder).rstrip('/')}/{below}{name}"
        return None

    def check_no_pipe(self, path: str) -> None:
        """Raise InputError for a local pipe or device: reading it could wait for ever, and once read it is gone."""
        local = self.local(path)
        if local is None:
            return
        # Asked of the process that reads: a shell's <(...) is there for Java, and not for every child of it.
        file = self._jvm.java.io.File(local)
        if file.exists() and not (file.isFile() or file.isDirectory()):
            raise InputError("is a pipe or a device", path=path, remedy="write what it gives to a file first")

    def head(self, path: str, count: int) -> bytes:
        """The first bytes of a file, fewer if it is shorter; InputError if it is a pipe or a device."""
        self.check_no_pipe(path)
        local = self.local(path)
        # Hadoop opens no local file whose name holds a colon, which the workers read all the same.
        stream = self._jvm.java.io.FileInputStream(local) if local else self._open(path)
        try:
            return bytes(stream.readNBytes(count))
        finally:
            stream.close()

    def tail(self, path: str, count: int) -> bytes:
        """The last bytes of a file, fewer if it is shorter; InputError if it is a pipe or a device."""
        self.check_no_pipe(path)
        file_system, java_path = self._locate(path)
        stream = file_system.open(java_path)
        try:
            stream.seek(max(0, file_system.getFileStatus(java_path).getLen() - count))
            return bytes(stream.readNBytes(count))
        finally:
            stream.close()

    def make_folder(self, path: str) -> bool:
        """Create a folder and its parents; False or a Java error where that is not possible."""
        file_system, java_path = self._locate(path)
        return file_system.mkdirs(java_path)

    def size(self, path: str) -> int:
        """Bytes of a file, or of all files below a folder."""
        file_system, java_path = self._locate(path)
        return file_system.getContentSummary(java_path).getLength()

    def modified(self, path: str) -> int | None:
        """Time of the last change in milliseconds by the clock of the file system, or None if there is no such file."""
        file_system, java_path = self._locate(path)
        try:
            return file_system.getFileStatus(java_path).getModificationTime()
        except Py4JJavaError as error:
            if error.java_exception.getClass().getSimpleName() != "FileNotFoundException":
                raise
            return None

    def rename(self, source: str, target: str) -> None:
        """Move a file or folder in one step; a Java error if the target exists, where it would else end up inside."""
        files = self._jvm.org.apache.hadoop.fs
        source_path = self._path_class(source)
        no_options = self._gateway.new_array(getattr(files, "Options$Rename"), 0)
        context = files.FileContext.getFileContext(source_path.toUri(), self._configuration)
        context.rename(source_path, self._path_class(target), no_options)

    def delete(self, path: str) -> None:
        """Remove a file or folder with all that it holds; nothing happens if there is none."""
        file_system, java_path = self._locate(path)
        file_system.delete(java_path, True)

    def write_text(self, path: str, text: str) -> None:
        """Write a small UTF-8 file."""
        self.write_bytes(path, text.encode("utf-8"))

    def write_bytes(self, path: str, content: bytes) -> None:
        """Write a small file."""
        file_system, java_path = self._locate(path)
        stream = file_system.create(java_path, True)
        try:
            stream.write(bytearray(content))
        finally:
            stream.close()

    def read_text(self, path: str) -> str:
        """Text of a small UTF-8 file."""
        stream = self._open(path)
        try:
            return self._jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8")
        finally:
            stream.close()

    def concatenate(self, parts: Iterable[str], target: str) -> None:
        """Write the bytes of several files, in order, into one."""
        file_system, java_path = self._locate(target)
        stream = file_system.create(java_path, True)
        try:
            for part in parts:
                source_system, source = self._locate(part)
                source_stream = source_system.open(source)
                try:
                    self._jvm.org.apache.hadoop.io.IOUtils.copyBytes(source_stream, stream, 1 << 20, False)
                finally:
                    source_stream.close()
        finally:
            stream.close()

    def _open(self, path: str) -> JavaObject:
        file_system, java_path = self._locate(path)
        return file_system.open(java_path)

    def _locate(self, path: str) -> tuple[JavaObject, JavaObject]:
        """File system and Java path; the local one leaves no checksum files beside those it writes."""
        check_name(path)
        try:
            java_path = self._path_class(path)
        except PySparkException as error:
            remedy = "rename it: what stands before a colon is taken for a scheme" if ":" in path else None
            raise InputError(f"not a path ({error})", path=path, remedy=remedy) from None
        found = _FILE_SYSTEM.match(path)
        begin = found.group() if found else ""
        if begin not in self._file_systems:
            self._file_systems[begin] = self._file_system_of(path, java_path)
        return self._file_systems[begin], java_path

    def _file_system_of(self, path: str, java_path: JavaObject) -> JavaObject:
        try:
            file_system = java_path.getFileSystem(self._configuration)
        except (Py4JJavaError, PySparkException) as error:
            reason = error.java_exception.getMessage() if isinstance(error, Py4JJavaError) else error
            remedy = "check the scheme and the host of the path"
            raise InputError(f"no such file system ({reason})", path=path, remedy=remedy) from None
        if file_system.getScheme() == "file":
            file_system.setWriteChecksum(False)
        return file_system


def check_name(path: str) -> None:
    """Raise InputError for a path that would not even reach Java: one that is not UTF-8, or holds NUL."""
    try:
        path.encode()
    except UnicodeEncodeError:
        raise InputError("not UTF-8", path=ascii(path), remedy="rename it, for example with convmv") from None
    if "\0" in path:
        raise InputError("holds a NUL character", path=ascii(path), remedy="remove it")


def literal(path: str) -> str:
    """Path for Spark's readers with the characters of file patterns taken literally."""
    return "".join("\\" + character if character in "{}[]*?\\" else character for character in path)


def is_below(path: str, folder: str) -> bool:
    """Whether a path is a folder or below it, however either is written: relative, absolute, with or without scheme."""
    path = _SCHEME.sub("", path)
    forms = _SCHEME.sub("", folder).rstrip("/"), os.path.abspath(folder)
    return any(path.rstrip("/") == form or path.startswith(f"{form}/") for form in forms)
