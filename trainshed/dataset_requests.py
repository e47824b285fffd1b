"""Requests about data sets: list, upload, wait for the check, delete."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

from trainshed.connection import Connection, Json
from trainshed.downloads import CHUNK_BYTES
from trainshed.errors import WrongUsage
from trainshed.zip_stream import size_of, zip_chunks

POLL_SECONDS = 0.5


class DatasetRequests(Connection):
    """The methods of the client for data sets."""

    def datasets(self) -> list[Json]:
        """Return the built-in data sets, and the newest version of each upload."""
        return [*self._pages("/v1/datasets")]

    def dataset(self, name: str) -> Json:
        """Return a data set; of an upload the newest version, or `name@version`."""
        return self._json("GET", f"/v1/datasets/{quote(name, safe='')}")

    def dataset_samples(self, name: str, *, per_class: int = 8) -> bytes:
        """Return a PNG with a row of images for each of the first classes."""
        path = f"/v1/datasets/{quote(name, safe='')}/samples"
        return self._send("GET", path, params={"per_class": per_class}).content

    def add_dataset(
        self,
        name: str,
        path: Path,
        *,
        skip_bad: bool = False,
        target: str | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Json:
        """Upload a data set and return its new version, which is then checked.

        Args:
            name: of the data set.
            path: a file, or a folder of class folders, which is zipped on the way.
            skip_bad: leave out files that cannot be read, instead of rejecting the upload.
            target: of a table: the column to predict; by default the last.
            progress: called with the bytes so far and the total.

        Raises:
            WrongUsage: the folder has no files.
        """
        total = size_of(path) if path.is_dir() else path.stat().st_size
        if not total:
            raise WrongUsage(f"{path} is empty. Name a file, or a folder of class folders.")
        headers = {"Content-Type": "application/octet-stream"}
        if path.is_dir():
            chunks = zip_chunks(path, lambda done: progress and progress(done, total))
        else:
            chunks = _chunks(path, lambda done: progress and progress(done, total))
            headers["Content-Length"] = str(total)
        query = {"name": name, "skip_bad": "true" if skip_bad else "false"}
        query |= {} if target is None else {"target": target}
        return self._json("POST", "/v1/datasets", params=query, content=chunks, headers=headers)

    def register_directory(self, name: str, path: str, *, skip_bad: bool = False) -> Json:
        """Register a directory of the box, below TRAINSHED_DATA_ROOTS, as a new version."""
        query = {"name": name, "skip_bad": "true" if skip_bad else "false"}
        return self._json("POST", "/v1/datasets", params=query, json={"path": path})

    def wait_for_dataset(self, reference: str) -> Json:
        """Return a version, `name@version`, once it is checked."""
        while True:
            found = self.dataset(reference)
            if found["state"] != "checking":
                return found
            time.sleep(POLL_SECONDS)

    def delete_dataset(self, name: str) -> int:
        """Delete all versions of an upload, or `name@version`; return the bytes freed."""
        return self._json("DELETE", f"/v1/datasets/{quote(name, safe='')}")["freed_bytes"]


def _chunks(path: Path, progress: Callable[[int], object]) -> Iterator[bytes]:
    done = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
            done += len(chunk)
            progress(done)
