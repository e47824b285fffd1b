"""The files of a backup, kept by hard links, so that a deletion during the copy loses nothing."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import sqlalchemy as sa

from api.backup.archive import STORAGE, UPLOADS
from shared import uploaded_datasets
from shared.regular_files import NotRegular, open_regular
from shared.settings import Settings
from shared.storage import Storage

#: The directories of the links, below the storage and next to the uploads.
DIRECTORY = ".backup"
CHECKPOINT = "step-"


class KeptFiles:
    """Links to the files that the rows of one state of the database refer to."""

    def __init__(self, settings: Settings) -> None:
        self.storage = Storage(settings.storage)
        uploads = uploaded_datasets.directory(settings.home)
        #: By the beginning of the names in the backup: where the files are, and the links.
        self._roots = {
            STORAGE: (self.storage.root, self.storage.root / DIRECTORY),
            UPLOADS: (uploads, uploads.parent / DIRECTORY),
        }

    def link(self, connection: sa.Connection) -> list[str]:
        """Link every file that is not linked yet; return the names of missing files.

        Args:
            connection: of the state of the database.
        """
        missing = list[str]()
        for root, relative, is_needed in self._wanted(connection):
            is_linked = self._link(root, relative)
            if is_needed and not is_linked:
                missing.append(f"{root}/{relative}")
        return missing

    def open_all(self) -> Iterator[tuple[str, BinaryIO]]:
        """Yield the name in the backup and the open file of each link; the caller closes it."""
        for name, (_, links) in self._roots.items():
            for parent, directories, files in os.walk(links):
                directories.sort()
                for file in sorted(files):
                    path = Path(parent) / file
                    yield f"{name}/{path.relative_to(links).as_posix()}", path.open("rb")

    def delete_links(self) -> None:
        """Delete the links, also of a backup that was killed."""
        for _, links in self._roots.values():
            shutil.rmtree(links, ignore_errors=True)

    def _wanted(self, connection: sa.Connection) -> Iterator[tuple[str, str, bool]]:
        """Yield where each file is, its path there, and whether the rows say that it exists."""
        checkpoints = set(connection.exec_driver_sql("SELECT directory FROM checkpoints").scalars())
        for directory in sorted(filter(None, checkpoints)):
            files = [*_files(self.storage.root, self.storage.root / str(directory))]
            yield from ((STORAGE, file, True) for file in files)
            if not files:
                yield STORAGE, f"{directory}/manifest.json", True
        for (job_id,) in connection.exec_driver_sql("SELECT id FROM jobs").all():
            for file in _files(self.storage.root, self.storage.root / str(job_id)):
                # Of a step without a row, the checkpoint is being written or deleted.
                if not any(part.startswith(CHECKPOINT) for part in Path(file).parts):
                    yield STORAGE, file, False
        for query in ("SELECT path FROM artifacts", "SELECT predictions FROM evaluations"):
            for path in filter(None, connection.exec_driver_sql(query).scalars()):
                yield STORAGE, str(path), True
        for (weights_id,) in connection.exec_driver_sql("SELECT id FROM weights").all():
            file = self.storage.weights(str(weights_id))
            yield STORAGE, self.storage.relative(file), True
        query = "SELECT name, version FROM datasets WHERE path IS NULL"
        for name, version in connection.exec_driver_sql(query):
            reference = f"{name}@{version}"
            yield UPLOADS, reference, True
            yield UPLOADS, f"{reference}{uploaded_datasets.FACTS_SUFFIX}", False

    def _link(self, root: str, relative: str) -> bool:
        """Link a file; return whether it is linked now."""
        source, links = self._roots[root]
        link = links / relative
        if ".." in Path(relative).parts or not link.is_relative_to(links):
            return False  # a damaged row
        if link.exists():
            return True
        try:
            with open_regular(source, relative) as file:
                link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _link_or_copy(source / relative, link, file)
        except (FileNotFoundError, NotRegular, ValueError):
            return False
        return True


def _link_or_copy(path: Path, link: Path, file: BinaryIO) -> None:
    try:
        os.link(path, link, follow_symlinks=False)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without hard links, or a file with too many
        with link.open("xb") as copy:
            shutil.copyfileobj(file, copy)


def _files(root: Path, directory: Path) -> Iterator[str]:
    """Yield the paths, below the root, of the files in a directory."""
    for parent, _, names in os.walk(directory):
        for name in names:
            with suppress(ValueError):
                yield (Path(parent) / name).relative_to(root).as_posix()
