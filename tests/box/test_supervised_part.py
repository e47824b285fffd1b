"""What a box says of a part that ends by itself."""

import sys
import time
from pathlib import Path

import pytest

from box import supervised_part
from box.hang_detector import HangDetector
from box.parts import Part
from box.supervised_part import SupervisedPart
from shared.settings import Settings


def test_what_a_part_says_at_its_end_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed: list[str] = []
    monkeypatch.setattr(supervised_part, "print_line", printed.append)
    settings = Settings(home=tmp_path)
    settings.make_directories()
    program = "import sys; print('x' * 5000); sys.exit('The file has no devices.\\n')"
    part = Part("worker", (sys.executable, "-c", program), 1)
    supervised = SupervisedPart(part, settings, HangDetector(settings))
    supervised.begin()
    while not printed:
        supervised.check()
        time.sleep(0.02)
    assert printed[-1] == "worker: The file has no devices."
