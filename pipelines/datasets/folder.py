"""A folder or a zip file of raw data, read alike."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path, PurePosixPath

from pipelines.datasets.textfiles import read_file, unpack
from pipelines.validate import DataError


class DataFolder:
    """Files of a folder, or of a zip file with one data set in it (at any depth), found by name.

    ``find("ratings.csv")`` also finds ``ratings.csv.gz``.

    Args:
        path: folder or zip file.

    Raises:
        DataError: the path does not exist or is neither a folder nor a zip file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._members: dict[str, str] | None = None
        if self.path.is_dir():
            return
        if not self.path.exists():
            raise DataError(f"{self.path}: does not exist; name the folder or zip file with the raw data.")
        try:
            with zipfile.ZipFile(self.path) as archive:
                names = [name for name in archive.namelist() if not name.endswith("/")]
        except (zipfile.BadZipFile, OSError):
            raise DataError(f"{self.path}: is neither a folder nor a readable zip file; download it again.") from None
        names = [name for name in names if not name.startswith("__MACOSX/")]
        names.sort(key=lambda name: (name.count("/"), name))
        self._members = {}
        for name in names:
            self._members.setdefault(PurePosixPath(name).name, name)

    def find(self, name: str) -> str | None:
        """The name under which the file is there (``name`` or ``name.gz``), or None."""
        for candidate in (name, name + ".gz"):
            if self._members is None and (self.path / candidate).is_file():
                return candidate
            if self._members is not None and candidate in self._members:
                return candidate
        return None

    def has(self, *names: str) -> bool:
        """Whether every one of the files is there."""
        return all(self.find(name) for name in names)

    def read(self, name: str) -> bytes:
        """Unpacked bytes of a file.

        Raises:
            DataError: the file is missing, empty or damaged.
        """
        found = self.find(name)
        if found is None:
            raise DataError(f"{self.path}: holds no {name}; name a folder with the complete data set.")
        if self._members is None:
            return read_file(self.path / found)
        try:
            with zipfile.ZipFile(self.path) as archive:
                data = archive.read(self._members[found])
        except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError):
            raise DataError(f"{self.path}: '{found}' in it is damaged; download the zip file again.") from None
        return unpack(data, f"{self.path}/{found}")

    def files(self, *names: str) -> tuple[Path, ...]:
        """Paths of those of the files that are there (of a zip: the zip itself)."""
        if self._members is not None:
            return (self.path,)
        return tuple(self.path / found for found in map(self.find, names) if found)
