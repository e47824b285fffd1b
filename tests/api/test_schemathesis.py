"""Requests made from the OpenAPI document, at random, are answered with what it declares."""

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.api.service import KEY, TIMEOUT_SECONDS, Service

#: `/readyz` answers 503 where there is no broker, as here; a stream of events does not end.
LEFT_OUT = {"/readyz", "/v1/jobs/{job_id}/events"}
EXAMPLES = 12


def test_no_request_is_a_mistake_of_the_service(service: Service) -> None:
    schema = schemathesis.openapi.from_url(f"{service.client.base_url}/openapi.json")
    walked = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path in LEFT_OUT:
            continue
        walked += 1
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
        def request(
            data: st.DataObject, strategy: st.SearchStrategy, declared: frozenset[str]
        ) -> None:
            case = data.draw(strategy)
            given = {"Authorization": f"Bearer {KEY}"}
            answer = case.call(headers=given, timeout=TIMEOUT_SECONDS)
            told = (case.method, case.formatted_path, answer.status_code, answer.text)
            assert answer.status_code < 500, told
            assert str(answer.status_code) in declared, told
            if answer.status_code >= 400:
                assert answer.headers["content-type"] == ["application/problem+json"]

        request()
    assert walked >= 18
