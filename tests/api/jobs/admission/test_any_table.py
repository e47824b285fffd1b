"""Every table that is accepted can be trained on; every other is refused with its faults."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from tests.api.jobs.admission.acceptance import checked, is_accepted
from tests.api.jobs.admission.table_files import specification, table_file

#: More than by default are drawn at random, so that each time they differ.
REQUESTED = os.environ.get("TRAINSHED_TEST_EXAMPLES")
EXAMPLES = int(REQUESTED or 250)
TEXT = st.text('a,b"\n\r;\t1.é\0', max_size=40)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("home")
    (directory / "data" / "table").mkdir(parents=True)
    return directory


@pytest.fixture(autouse=True)
def _settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINSHED_HOME", str(home))


def _settings_of(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=REQUESTED is None,
        database=None,
        phases=(Phase.explicit, Phase.generate),  # shrinking takes minutes
        suppress_health_check=list(HealthCheck),
    )


def test_random_table_is_refused_or_can_be_trained_on(home: Path) -> None:
    counts = {True: 0, False: 0}

    @_settings_of(EXAMPLES)
    @given(data=st.data(), table=table_file())
    def check(data: st.DataObject, table: tuple[str, list[str], bytes]) -> None:
        suffix, names, content = table
        note(repr(content))
        path = home / "data" / "table" / f"any.{suffix}"
        path.write_bytes(content)
        raw = data.draw(specification(path.name, names))
        counts[is_accepted(raw, home)] += 1

    check()
    assert min(counts.values()) > EXAMPLES / 10, counts


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_any_bytes_are_refused(home: Path, suffix: str) -> None:
    dataset = {"name": "table", "file": f"bytes.{suffix}", "target": "a"}

    @_settings_of(EXAMPLES)
    @given(
        content=st.binary(max_size=40) | st.text('a,b"\n\r;\t1.é\0', max_size=40).map(str.encode)
    )
    def check(content: bytes) -> None:
        (home / "data" / "table" / f"bytes.{suffix}").write_bytes(content)
        for loss in ("cross_entropy", "l2"):
            spec = {"dataset": dataset, "architecture": "linear", "loss": loss}
            filled, faults = checked(spec)
            assert bool(filled) != bool(faults)

    check()
