"""Requests made from the OpenAPI document, valid and invalid, pass every check of schemathesis.

`schemathesis.toml` says what is not expected, and why. This is a sample: `make test-schema` makes
many more requests.
"""

from tests.api.schemathesis_run import run
from tests.api.service import Service

EXAMPLES = 6


def test_service_behaves_as_its_document_says(service: Service) -> None:
    service.start_job()
    code, output = run(service, "--phases=fuzzing,stateful", f"--max-examples={EXAMPLES}")
    assert code == 0, output
