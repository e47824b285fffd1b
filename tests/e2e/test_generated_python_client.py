"""A client that is generated from the box's own document, and the program in its documentation."""

import re
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import EmbeddedBox
from tests.generators import PYTHON, ROOT, generate_python, needs_python_client, run

pytestmark = [pytest.mark.e2e, needs_python_client]


def test_generated_client_submits_waits_and_reads_the_top_k(
    box: EmbeddedBox, tmp_path: Path
) -> None:
    document = tmp_path / "openapi.json"
    address = f"http://127.0.0.1:{box.port}"
    document.write_text(httpx.get(f"{address}/openapi.json").text)
    generate_python(document, tmp_path / "trainshed_api")
    page = (ROOT / "docs" / "generated-clients.md").read_text()
    [program] = re.findall("```python\n(.*?)```", page, re.DOTALL)
    key = (box.home / "key").read_text().strip()
    settings = f"URL, KEY = {address!r}, {key!r}\n"
    printed = run([str(PYTHON), "-c", settings + program], PYTHONPATH=str(tmp_path))
    assert re.search(r"best_val_loss \{'1': 0\.\d+, '5': [01]\.\d+\}", printed)
    refused = (settings + program).replace('"epochs": 2', '"epochs": -2')
    with pytest.raises(AssertionError, match="/training/epochs is -2; it must be at least 1"):
        run([str(PYTHON), "-c", refused], PYTHONPATH=str(tmp_path))
