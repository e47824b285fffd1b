"""The facts of the built-in data sets, and whether their files are available."""

from pathlib import Path

import pytest

from shared.datasets import FACTS, is_available, list_tables

#: A table has the facts of its file.
IMAGES = sorted(set(FACTS) - {"table"})


def test_data_set_that_needs_no_file_is_always_available(tmp_path: Path) -> None:
    assert is_available("digits", tmp_path)
    assert is_available("synthetic", tmp_path)


def test_data_set_is_available_once_its_file_is_in_the_home_directory(tmp_path: Path) -> None:
    assert not is_available("cifar10", tmp_path)
    (tmp_path / "data/cifar10").mkdir(parents=True)
    (tmp_path / "data/cifar10/cifar-10-binary.tar.gz").touch()
    assert is_available("cifar10", tmp_path)


def test_cached_data_set_is_available_without_its_files(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/cifar10-32x3.json").touch()
    assert is_available("cifar10", tmp_path)


def test_tables_are_available_once_the_home_directory_has_one(tmp_path: Path) -> None:
    assert not is_available("table", tmp_path)
    (tmp_path / "data/table").mkdir(parents=True)
    for name in ("b.csv", "a.parquet", "notes.txt"):
        (tmp_path / "data/table" / name).touch()
    assert is_available("table", tmp_path)
    assert list_tables(tmp_path) == ["a.parquet", "b.csv"]


@pytest.mark.parametrize("name", IMAGES)
def test_no_fact_is_missing(name: str) -> None:
    facts = FACTS[name].as_json()
    assert facts["name"] == name
    assert len(set(facts["classes"])) == len(facts["classes"]) == 10
    assert all(facts[field] for field in ("title", "summary", "licence", "source", "ways"))
    assert facts["synthetic"] == (name == "synthetic")
