"""The words of code, messages and documents: CONTRIBUTING, «Language»."""

from pathlib import Path

import pytest

from tests.architecture.files import repository_files
from tests.architecture.language import ROOT, offences

SUFFIXES = {".py", ".md", ".yml", ".toml", ".json"}
FOLDERS = ("api", "benchmarks", "box", "docs", "shared", "tests", "trainshed", "worker", ".")
#: They quote the refused words.
EXEMPT = {
    "CONTRIBUTING.md",
    "tests/architecture/language.py",
    "tests/architecture/test_language.py",
}


def _files() -> list[Path]:
    paths = [ROOT / name for name in repository_files() if name not in EXEMPT]
    return [path for path in paths if path.suffix in SUFFIXES]


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_file_has_a_refused_word(folder: str) -> None:
    files = [
        path
        for path in _files()
        if (path.relative_to(ROOT).parts[0] == folder) or (folder == "." and path.parent == ROOT)
    ]
    assert files
    assert [offence for path in files for offence in offences(path)] == []


def test_refused_words_are_found_in_names_comments_and_strings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.architecture.language.ROOT", tmp_path)
    file = tmp_path / "module.py"
    file.write_text('"""The job is started anew."""\n\none = 1  # what is asked for\n')
    assert len(offences(file)) == 3
