"""All measurements of robustness, each over a service of its own."""

import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measurement import Measurement
from benchmarks.robustness import connections, followers, tables
from benchmarks.robustness.service import target


def measure() -> Iterator[Measurement]:
    """Yield the measurements."""
    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
    for part in (connections, followers, tables):
        with (
            tempfile.TemporaryDirectory(prefix="trainshed-bench-") as name,
            target(Path(name)) as running,
        ):
            yield from part.measure(running)
