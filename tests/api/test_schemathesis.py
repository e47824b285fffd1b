"""Random requests made from the OpenAPI document receive the responses that it declares."""

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.api.service import KEY, TIMEOUT_SECONDS, Service

#: `/readyz` responds 503 without a broker, as here; a stream of events may never end.
EXCLUDED = {"/readyz", "/v1/jobs/{job_id}/events"}
EXAMPLES = 12


def test_every_response_to_a_random_request_is_declared(service: Service) -> None:
    schema = schemathesis.openapi.from_url(f"{service.client.base_url}/openapi.json")
    operations = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path in EXCLUDED:
            continue
        operations += 1
        declared = frozenset(operation.definition.raw["responses"])

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=(Phase.explicit, Phase.generate),  # shrinking takes minutes
            suppress_health_check=list(HealthCheck),
        )
        @given(
            data=st.data(), strategy=st.just(operation.as_strategy()), declared=st.just(declared)
        )
        def send(
            data: st.DataObject, strategy: st.SearchStrategy, declared: frozenset[str]
        ) -> None:
            case = data.draw(strategy)
            headers = {"Authorization": f"Bearer {KEY}"}
            response = case.call(headers=headers, timeout=TIMEOUT_SECONDS)
            status = response.status_code
            request = (case.method, case.formatted_path, status, response.text)
            assert status < 500, request
            assert str(status) in declared, request
            if status >= 400:
                assert response.headers["content-type"] == ["application/problem+json"]

        send()
    assert operations >= 18
