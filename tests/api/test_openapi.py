"""The OpenAPI document agrees with what the service accepts and returns."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from api.presets.presets import presets
from shared import catalog
from shared.errors import InvalidSpec
from tests.api.service import SPEC, Service, checkpoint_row, metric_row
from tests.fakes.admission import filled

#: Keywords of JSON Schema. Validators ignore all others, and so would ignore a misspelled bound.
KEYWORDS = {
    *("$ref", "anyOf", "type", "enum", "const", "format", "title", "description", "default"),
    *("properties", "required", "additionalProperties", "propertyNames", "maxProperties"),
    *("items", "minItems", "maxItems", "minLength", "maxLength", "pattern"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
}
PRESETS = {name: preset.spec for name, preset in presets().items()}
VALID: dict[str, dict[str, Any]] = {
    "short forms": {
        "regularizers": {"l2": 0.01, "dropout": True, "mixup": False},
        "augmentation": {"rotation": 10, "horizontal_flip": True, "fill_mode": "nearest"},
        "loss": "cross_entropy",
        "initializer": {"name": "he_normal", "overrides": {"head.*": "zeros"}},
        "optimizer": {"name": "sgd", "schedule": "cosine", "gradient_clipping": {"norm": 1}},
        "tracking": {"tensorboard": True},
    },
    "stages": {
        "fine_tuning": {
            "stages": [
                {"name": "a", "train": "head", "epochs": 1, "optimizer": "adam"},
                {"name": "b", "train": {"from": "hidden2"}, "epochs": 1},
            ]
        }
    },
    "nulls": {"tracking": None, "fine_tuning": None, "metrics": {"top_k": None}},
}
INVALID: dict[str, dict[str, Any]] = {
    "epochs": {"training": {"epochs": -5}},
    "seed": {"seed": -1},
    "a large seed": {"seed": 2**53},
    "learning_rate": {"optimizer": {"name": "sgd", "learning_rate": 0}},
    "momentum": {"optimizer": {"name": "sgd", "momentum": 1}},
    "name": {"name": "x" * 201},
    "gpus": {"resources": {"gpus": 65}},
    "clipping": {"optimizer": {"name": "sgd", "gradient_clipping": {"value": 0}}},
    "top_k": {"metrics": {"top_k": [0]}},
    "a data set": {"dataset": "Digits"},
    "an architecture": {"architecture": "mpl"},
    "a parameter": {"architecture": {"name": "mlp", "hidden_unit": [1]}},
    "a parameter's value": {"regularizers": {"l2": -1}},
    "a regularizer": {"regularizers": {"l3": True}},
    "a schedule": {"optimizer": {"name": "sgd", "schedule": {"name": "cosin"}}},
    "a field": {"epochs": 3},
    "a number as text": {"seed": "7"},
}


@pytest.fixture
def document(service: Service) -> dict[str, Any]:
    return service.client.get("/openapi.json").json()


def errors(document: dict[str, Any], schema: dict[str, Any], value: Any) -> list[str]:
    """Return the errors of a value against a schema of the document."""
    whole = {**schema, "components": document["components"]}
    return [
        f"{error.json_path}: {error.message[:200]}"
        for error in Draft202012Validator(whole).iter_errors(value)
    ]


def model_errors(document: dict[str, Any], model: str, value: Any) -> list[str]:
    return errors(document, {"$ref": f"#/components/schemas/{model}"}, value)


def response_schema(
    document: dict[str, Any], method: str, path: str, status: int = 200
) -> dict[str, Any]:
    """Return the schema of a JSON response."""
    content = document["paths"][path][method]["responses"][str(status)]["content"]
    return content["application/json"]["schema"]


def subschemas(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield a schema and every schema inside it."""
    yield schema
    for name, inner in schema.items():
        if name in {"properties", "$defs"}:
            for part in inner.values():
                yield from subschemas(part)
        elif name in {"anyOf", "allOf", "oneOf", "prefixItems"}:
            for part in inner:
                yield from subschemas(part)
        elif name in {"items", "additionalProperties", "propertyNames"} and isinstance(inner, dict):
            yield from subschemas(inner)


class TestSpecification:
    def test_document_is_openapi_3_1_with_the_specification(self, document: dict[str, Any]) -> None:
        assert document["openapi"].startswith("3.1")
        body = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]
        assert body["schema"] == {"$ref": "#/components/schemas/JobSpec"}
        job = document["components"]["schemas"]["JobSpec"]
        assert job["required"] == ["dataset", "architecture"]

    def test_every_metric_has_a_sentence(self, service: Service, document: dict[str, Any]) -> None:
        declared = service.client.get("/v1/catalog").json()["metrics"]
        text = document["components"]["schemas"]["Job"]["properties"]["metrics"]["description"]
        for name, metric in declared.items():
            line = next(line for line in text.splitlines() if line.startswith(f"* `{name}`"))
            assert metric["summary"].endswith(".")
            assert line.endswith(metric["summary"])

    def test_every_reference_leads_to_a_component(self, document: dict[str, Any]) -> None:
        for name in re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)):
            assert name in document["components"]["schemas"]

    def test_every_component_is_referenced(self, document: dict[str, Any]) -> None:
        text = json.dumps(document)
        for name in document["components"]["schemas"]:
            assert f'"#/components/schemas/{name}"' in text, name

    def test_schemas_use_only_keywords_of_json_schema(self, document: dict[str, Any]) -> None:
        for name, model in document["components"]["schemas"].items():
            Draft202012Validator.check_schema(model)
            for schema in subschemas(model):
                assert set(schema) <= KEYWORDS, name

    def test_example_is_valid(self, document: dict[str, Any]) -> None:
        body = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]
        assert errors(document, body["schema"], body["example"]) == []

    @pytest.mark.parametrize("spec", PRESETS.values(), ids=PRESETS)
    def test_presets_are_valid(self, document: dict[str, Any], spec: dict[str, Any]) -> None:
        assert model_errors(document, "JobSpec", spec) == []

    @pytest.mark.parametrize("changes", VALID.values(), ids=VALID)
    def test_accepted_specification_is_valid_as_written_and_filled_in(
        self, document: dict[str, Any], changes: dict[str, Any]
    ) -> None:
        spec = {**SPEC, **changes}
        assert model_errors(document, "JobSpec", spec) == []
        assert model_errors(document, "JobSpec", filled(spec)) == []

    @pytest.mark.parametrize("changes", INVALID.values(), ids=INVALID)
    def test_refused_specification_is_invalid(
        self, document: dict[str, Any], changes: dict[str, Any]
    ) -> None:
        with pytest.raises(InvalidSpec):
            filled({**SPEC, **changes})
        assert model_errors(document, "JobSpec", {**SPEC, **changes}) != []

    def test_every_method_has_a_component(self, document: dict[str, Any]) -> None:
        components = document["components"]["schemas"]
        for name in catalog.load()["architectures"]:
            assert model_errors(document, "Architecture", {"name": name}) == []
            assert components[f"architectures.{name}"]["description"]
        for name in catalog.load()["augmentations"]:
            assert model_errors(document, "Augmentation", {name: {}}) == []


class TestResponses:
    def test_every_route_declares_a_response_with_a_schema(self, document: dict[str, Any]) -> None:
        for path, operations in document["paths"].items():
            for verb, operation in operations.items():
                successes = [
                    response
                    for status, response in operation["responses"].items()
                    if status.startswith("2")
                ]
                assert successes, (verb, path)
                for response in successes:
                    schemas = [part.get("schema") for part in response["content"].values()]
                    assert all(schemas), (verb, path)

    def test_location_and_etag_headers_are_declared(self, document: dict[str, Any]) -> None:
        declared = {
            (verb, path): {*response["headers"]}
            for path, operations in document["paths"].items()
            for verb, operation in operations.items()
            for status, response in operation["responses"].items()
            if status in {"200", "201", "202"} and "headers" in response
        }
        job = "/v1/jobs/{job_id}"
        creating = [
            ("post", path)
            for path in (
                *("/v1/jobs", f"{job}/retry", f"{job}/fork", f"{job}/analyses"),
                *("/v1/weights", "/v1/datasets", "/v1/users", "/v1/findings/{finding_id}/verify"),
            )
        ]
        with_etag = [
            ("get", job),
            ("patch", job),
            ("get", f"{job}/checkpoints/{{checkpoint}}/download"),
            ("get", f"{job}/checkpoints/{{checkpoint}}/export"),
            ("get", f"{job}/artifacts/{{artifact}}/download"),
            ("get", "/v1/analyses/{analysis_id}/artifacts/{artifact}/download"),
            ("get", f"{job}/top-k/mistakes"),
            ("get", f"{job}/top-k/samples/{{index}}.png"),
            ("get", f"{job}/confusion/{{true}}/{{predicted}}"),
            ("get", "/v1/queue"),
            ("get", "/v1/devices"),
        ]
        expected = {route: {"Location"} for route in creating}
        assert declared == expected | {route: {"ETag"} for route in with_etag}

    def test_responses_have_the_declared_media_type_and_schema(
        self, service: Service, document: dict[str, Any]
    ) -> None:
        lease = service.start_job(tags={"a": "b"})
        service.record(
            lease, metrics=[metric_row("val_loss", 10, 0.5)], checkpoints=[checkpoint_row("last")]
        )
        service.submit()
        paths = {
            re.sub(r"\{job_id\}", lease.job_id, path): path
            for path, operations in document["paths"].items()
            if "get" in operations and set(re.findall(r"\{\w+\}", path)) <= {"{job_id}"}
        }
        paths |= {"/v1/datasets/digits": "/v1/datasets/{name}"}
        json_responses = 0
        for address, path in paths.items():
            response = service.client.get(address)
            if response.status_code >= 400:
                assert model_errors(document, "Problem", response.json()) == []
                continue
            content = document["paths"][path]["get"]["responses"]["200"]["content"]
            media_type = response.headers["content-type"].partition(";")[0]
            assert media_type in content, path
            if media_type == "application/json":
                assert errors(document, content[media_type]["schema"], response.json()) == [], path
                json_responses += 1
        assert json_responses >= 9

    def test_job_in_every_state_is_valid(self, service: Service, document: dict[str, Any]) -> None:
        schema = response_schema(document, "get", "/v1/jobs/{job_id}")
        fields = document["components"]["schemas"]["Job"]["properties"]
        service.submit()
        service.succeed(service.claim(), epochs=1)
        service.stop(service.start_job())
        service.post(f"/v1/jobs/{service.submit()}/cancel")
        service.submit(fine_tuning={"stages": [{"name": "a", "epochs": 1}]})
        service.start_job(training={"early_stopping": {}}, metrics={"top_k": [1]})
        jobs = service.client.get("/v1/jobs").json()
        assert errors(document, response_schema(document, "get", "/v1/jobs"), jobs) == []
        assert len({job["state"] for job in jobs["data"]}) >= 4
        for listed in jobs["data"]:
            job = service.job(listed["id"])
            assert errors(document, schema, job) == [], job["state"]
            assert set(job) - {"attempts"} == set(fields) - {"attempts"}

    def test_responses_to_post_are_valid(self, service: Service, document: dict[str, Any]) -> None:
        job = service.post("/v1/jobs", SPEC).json()
        assert errors(document, response_schema(document, "post", "/v1/jobs", 202), job) == []
        validation = service.post("/v1/jobs/validate", SPEC).json()
        schema = response_schema(document, "post", "/v1/jobs/validate")
        assert errors(document, schema, validation) == []
        fields = document["components"]["schemas"]["Validation"]["properties"]
        assert set(validation) == set(fields)
        problem = service.post("/v1/jobs", {}).json()
        assert model_errors(document, "Problem", problem) == []

    @pytest.mark.parametrize(
        ("path", "status", "media_type"),
        [
            ("/v1/jobs/{job_id}", "304", None),
            ("/v1/jobs/{job_id}/events", "200", "text/event-stream"),
            ("/v1/jobs/{job_id}/metrics", "200", "text/csv"),
            ("/v1/jobs/{job_id}/logs", "200", "text/plain"),
            ("/v1/jobs/{job_id}/tensorboard", "200", "application/zip"),
            *(
                (f"/v1/jobs/{{job_id}}/{part}/download", status, "application/octet-stream")
                for part in ("checkpoints/{checkpoint}", "artifacts/{artifact}")
                for status in ("200", "206")
            ),
            ("/v1/jobs/{job_id}/checkpoints/{checkpoint}/download", "304", None),
            ("/metrics", "200", "text/plain"),
        ],
    )
    def test_other_media_types_are_declared(
        self, document: dict[str, Any], path: str, status: str, media_type: str | None
    ) -> None:
        declared = document["paths"][path]["get"]["responses"][status]
        assert (media_type in declared["content"]) if media_type else ("content" not in declared)
