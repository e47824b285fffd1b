"""The facts of the built-in data sets, and whether their files are available."""

from dataclasses import replace
from pathlib import Path

import pytest

from shared.dataset_reports import complete, of_built_in, problem
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
    facts = FACTS[name]
    assert facts.name == name
    assert len(set(facts.classes)) == len(facts.classes) == 10
    assert all((facts.title, facts.summary, facts.licence, facts.source, facts.ways))
    assert facts.synthetic == (name == "synthetic")


@pytest.mark.parametrize("name", IMAGES)
def test_facts_and_report_of_a_built_in_set_say_the_same(name: str) -> None:
    """The report has the form that the check of an upload writes, and jobs get the same facts."""
    facts = FACTS[name]
    report = of_built_in(facts)
    assert problem("ready", report | {"mean": [0.0], "std": [0.0]}) is None
    bare = replace(facts, classes=(), class_sizes={}, train=0, test=0, image_size=1, channels=0)
    assert complete(bare, report) == replace(
        facts, summary=f"{report['images']:,} images, uploaded."
    )
