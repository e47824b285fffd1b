"""The files of an analysis: an `.npz` of arrays, and each picture as SVG and PNG.

matplotlib is imported here and only when there is a picture: the import takes over a second.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from shared.clock import now
from shared.ids import new_id
from shared.jobs.recording import NewArtifact
from shared.storage import Storage, publish, sha256_of_file
from worker.analyses.outcome import Outcome, Picture

ARRAYS = "application/x-npz"
MEDIA_TYPES = {"svg": "image/svg+xml", "png": "image/png"}
#: 960×720 pixels.
INCHES, DOTS_PER_INCH = (9.6, 7.2), 100


def write_files(
    storage: Storage, analysis_id: str, kind: str, outcome: Outcome
) -> list[NewArtifact]:
    """Write the arrays and pictures of an outcome; return what to record of them.

    Args:
        storage: where files are written.
        analysis_id: of the analysis.
        kind: names the file of arrays.
        outcome: of the analysis.
    """
    directory = storage.results(analysis_id)
    directory.mkdir(parents=True, exist_ok=True)
    artifacts: list[NewArtifact] = []
    if outcome.arrays:
        path = directory / f"{kind}.npz"
        temporary = path.with_suffix(".tmp")
        arrays = {name: tensor.cpu().numpy() for name, tensor in outcome.arrays.items()}
        with temporary.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        artifacts.append(_published(storage, temporary, path, ARRAYS))
    for picture in outcome.pictures:
        for temporary, path in _drawn(directory, picture):
            media_type = MEDIA_TYPES[path.suffix[1:]]
            artifacts.append(_published(storage, temporary, path, media_type))
    return artifacts


def _drawn(directory: Path, picture: Picture) -> Iterator[tuple[Path, Path]]:
    """Draw a picture; yield the temporary and the final path of each format."""
    import matplotlib as mpl  # noqa: PLC0415 - over a second, for few processes
    from matplotlib.figure import Figure  # noqa: PLC0415

    # Text as paths needs no fonts where it is shown; a fixed salt makes equal pictures equal files.
    with mpl.rc_context({"svg.hashsalt": picture.name}):
        drawing = Figure(figsize=INCHES, dpi=DOTS_PER_INCH, layout="constrained")
        picture.draw(drawing)
        for suffix in MEDIA_TYPES:
            path = directory / f"{picture.name}.{suffix}"
            temporary = path.with_suffix(f".{suffix}.tmp")
            metadata = {"Date": None} if suffix == "svg" else {"Software": None}
            drawing.savefig(temporary, format=suffix, metadata=metadata)
            yield temporary, path


def _published(storage: Storage, temporary: Path, path: Path, media_type: str) -> NewArtifact:
    publish(temporary, path)
    return NewArtifact(
        id=new_id("artifact"),
        name=path.name,
        path=storage.relative(path),
        media_type=media_type,
        bytes=path.stat().st_size,
        sha256=sha256_of_file(path),
        created_at=now(),
    )
