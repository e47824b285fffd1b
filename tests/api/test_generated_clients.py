"""The OpenAPI document has the shapes that generators of clients take."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from api.app import create_app
from shared.settings import Settings
from tests.api.service import KEY, Service
from tests.generators import (
    check_typescript,
    generate_python,
    generate_typescript,
    needs_python_client,
    needs_typescript,
)

#: A program that uses the types, and an error that they must find.
PROGRAM = """
import type { components, operations } from "./trainshed";
type Schemas = components["schemas"];
const spec: Schemas["JobSpec"] = { dataset: "digits", architecture: { name: "mlp" } };
const waited: operations["get_job"]["parameters"]["query"] = { wait: 30 };
export const state = (job: Schemas["Job"]): "queued" | "failed" | string => job.state;
// @ts-expect-error
export const wrong: Schemas["JobSpec"] = { dataset: "digits" };
export default [spec, waited];
"""


@pytest.fixture
def document(tmp_path: Path) -> Path:
    app = create_app(Settings(home=tmp_path / "home", admin_key=SecretStr(KEY)))
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(app.openapi()))
    return path


@needs_python_client
def test_python_client_is_generated_whole_and_without_a_warning(
    document: Path, tmp_path: Path
) -> None:
    printed = generate_python(document, tmp_path / "client")
    assert printed.split() == ["Generating", str(tmp_path / "client")]
    modules = {path.stem for path in (tmp_path / "client" / "api").rglob("*.py")}
    paths = json.loads(document.read_text())["paths"].values()
    assert {operation["operationId"] for path in paths for operation in path.values()} <= modules


@needs_typescript
def test_typescript_types_are_generated_without_a_warning_and_find_errors(
    document: Path, tmp_path: Path
) -> None:
    printed = generate_typescript(document, tmp_path / "trainshed.d.ts")
    assert "warn" not in printed.lower()
    (tmp_path / "program.ts").write_text(PROGRAM)
    check_typescript(tmp_path / "program.ts")


def test_operations_and_schemas_have_short_names(service: Service) -> None:
    """Generators of clients make the names of functions and classes from them."""
    document = service.app.openapi()
    operations = [
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
    ]
    assert len({*operations}) == len(operations) > 25
    assert {"submit_job", "cancel_job", "list_jobs", "get_top_k"} <= {*operations}
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in operations)
    assert "ListOfJob" in document["components"]["schemas"]
    assert not [name for name in document["components"]["schemas"] if name.endswith("_")]


def test_no_default_is_an_object(service: Service) -> None:
    """openapi-python-client leaves a model out that has such a default under `anyOf`."""

    def defaults(part: Any) -> Iterator[Any]:
        if isinstance(part, list):
            for entry in part:
                yield from defaults(entry)
        elif isinstance(part, dict):
            if isinstance(part.get("default"), dict) and ("anyOf" in part or "$ref" in part):
                yield part
            for entry in part.values():
                yield from defaults(entry)

    assert not [*defaults(service.app.openapi())]
