"""Files and folders on whatever file system Spark sees: local, HDFS, object stores."""

import os
import re

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from fiqa_spark.errors import InputError

_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*:(//[^/]*)?(?=/)")


class Storage:
    """Access to files through Hadoop's FileSystem interface.

    Parameters
    ----------
    spark : SparkSession
        Its Hadoop configuration decides what a path without a scheme means.
    """

    def __init__(self, spark):
        self._gateway = spark.sparkContext._gateway
        self._jvm = spark._jvm
        self._configuration = spark._jsc.hadoopConfiguration()

    def encoding_of_names(self) -> str:
        """How Java writes the names of files on this machine, such as ``UTF-8``."""
        return self._jvm.System.getProperty("sun.jnu.encoding")

    def qualified(self, path):
        """Absolute form of a path with its scheme, such as ``file:/data/list.txt``."""
        file_system, place = self._locate(path)
        return file_system.makeQualified(place).toString()

    def local(self, path):
        """Path as Python's own file functions want it, or None if it is not on a local file system."""
        uri = self._locate(self.qualified(path))[1].toUri()
        return uri.getPath() if uri.getScheme() == "file" else None

    def parent_and_name(self, path):
        """Qualified parent folder and last part of a path."""
        place = self._locate(self.qualified(path))[1]
        if place.getParent() is None:
            raise InputError("is the root of a file system", path=path, remedy="give a folder below it")
        return place.getParent().toString(), place.getName()

    def exists(self, path):
        """True if there is a file or folder."""
        file_system, place = self._locate(path)
        return file_system.exists(place)

    def is_folder(self, path):
        """True if there is a folder."""
        file_system, place = self._locate(path)
        return file_system.exists(place) and file_system.getFileStatus(place).isDirectory()

    def entries(self, folder):
        """Yield (name, qualified path, is_folder) of a folder's entries without listing all of them at once."""
        file_system, place = self._locate(folder)
        iterator = file_system.listStatusIterator(place)
        while iterator.hasNext():
            status = iterator.next()
            yield status.getPath().getName(), status.getPath().toString(), status.isDirectory()

    def first_file(self, folder, suffixes):
        """Some file below a folder whose name ends with one of the suffixes, or None; hidden ones do not count."""
        folders = [folder]
        while folders:
            for name, path, is_folder in self.entries(folders.pop()):
                if name.startswith((".", "_")):
                    continue
                if is_folder:
                    folders.append(path)
                elif name.endswith(suffixes):
                    return path
        return None

    def check_no_pipe(self, path):
        """Raise InputError for a local pipe or device: reading it could wait for ever, and once read it is gone."""
        local = self.local(path)
        # Asked of the process that reads: a shell's <(...) is there for Java, and not for every child of it.
        place = self._jvm.java.io.File(local) if local else None
        if local and place.exists() and not (place.isFile() or place.isDirectory()):
            raise InputError("is a pipe or a device", path=path, remedy="write what it gives to a file first")

    def head(self, path, count):
        """The first bytes of a file, fewer if it is shorter; InputError if it is a pipe or a device."""
        self.check_no_pipe(path)
        file_system, place = self._locate(path)
        stream = file_system.open(place)
        try:
            return bytes(stream.readNBytes(count))
        finally:
            stream.close()

    def make_folder(self, path):
        """Create a folder and its parents; False or a Java error where that is not possible."""
        file_system, place = self._locate(path)
        return file_system.mkdirs(place)

    def modified(self, path):
        """Time of the last change in milliseconds by the clock of the file system, or None if there is no such file."""
        file_system, place = self._locate(path)
        try:
            return file_system.getFileStatus(place).getModificationTime()
        except Py4JJavaError as error:
            if error.java_exception.getClass().getSimpleName() != "FileNotFoundException":
                raise
            return None

    def rename(self, source, target):
        """Move a file or folder in one step; a Java error if the target exists, where it would else end up inside."""
        files = self._jvm.org.apache.hadoop.fs
        place = files.Path(source)
        no_options = self._gateway.new_array(getattr(files, "Options$Rename"), 0)
        context = files.FileContext.getFileContext(place.toUri(), self._configuration)
        context.rename(place, files.Path(target), no_options)

    def delete(self, path):
        """Remove a file or folder with all that it holds; nothing happens if there is none."""
        file_system, place = self._locate(path)
        file_system.delete(place, True)

    def write_text(self, path, text):
        """Write a small UTF-8 file."""
        self.write_bytes(path, text.encode("utf-8"))

    def write_bytes(self, path, content):
        """Write a small file."""
        file_system, place = self._locate(path)
        stream = file_system.create(place, True)
        try:
            stream.write(bytearray(content))
        finally:
            stream.close()

    def read_text(self, path):
        """Text of a small UTF-8 file."""
        file_system, place = self._locate(path)
        stream = file_system.open(place)
        try:
            return self._jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8")
        finally:
            stream.close()

    def concatenate(self, parts, target):
        """Write the bytes of several files, in order, into one."""
        file_system, place = self._locate(target)
        stream = file_system.create(place, True)
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

    def _locate(self, path):
        """File system and Java path; the local one leaves no checksum files beside those it writes."""
        try:
            place = self._jvm.org.apache.hadoop.fs.Path(path)
            file_system = place.getFileSystem(self._configuration)
        except Py4JJavaError as error:
            raise InputError(f"no such file system ({error.java_exception.getMessage()})", path=path) from None
        except PySparkException as error:
            raise InputError(f"not a path ({error})", path=path) from None
        if file_system.getScheme() == "file":
            file_system.setWriteChecksum(False)
        return file_system, place


def literal(path):
    """Path for Spark's readers with the characters of file patterns taken literally."""
    return "".join("\\" + character if character in "{}[]*?\\" else character for character in path)


def is_below(path, place):
    """Whether a path is a place or below it, however either is written: relative, absolute, with or without scheme."""
    path = _SCHEME.sub("", path)
    forms = _SCHEME.sub("", place).rstrip("/"), os.path.abspath(place)
    return any(path.rstrip("/") == form or path.startswith(f"{form}/") for form in forms)
