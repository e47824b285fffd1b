"""The OpenAPI document says what the service does: both are held against each other."""

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

#: What JSON Schema knows; a reader passes over anything else, and so over a bound that is not one.
KEYWORDS = {
    *("$ref", "anyOf", "type", "enum", "const", "format", "title", "description", "default"),
    *("properties", "required", "additionalProperties", "propertyNames", "maxProperties"),
    *("items", "minItems", "maxItems", "minLength", "maxLength", "pattern"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
}
PRESETS = {name: preset.spec for name, preset in presets().items()}
RIGHT: dict[str, dict[str, Any]] = {
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
WRONG: dict[str, dict[str, Any]] = {
    "epochs": {"training": {"epochs": -5}},
    "seed": {"seed": -1},
    "a large seed": {"seed": 2**53},
    "learning_rate": {"optimizer": {"name": "sgd", "learning_rate": 0}},
    "momentum": {"optimizer": {"name": "sgd", "momentum": 1}},
    "name": {"name": "x" * 201},
    "gpus": {"resources": {"gpus": 65}},
    "clipping": {"optimizer": {"name": "sgd", "gradient_clipping": {"value": 0}}},
    "top_k": {"metrics": {"top_k": [0]}},
    "a data set": {"dataset": "digit"},
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


def valid(document: dict[str, Any], schema: dict[str, Any], value: Any) -> list[str]:
    """What the document says is wrong with a value."""
    whole = {**schema, "components": document["components"]}
    return [
        f"{error.json_path}: {error.message[:200]}"
        for error in Draft202012Validator(whole).iter_errors(value)
    ]


def of_model(document: dict[str, Any], model: str, value: Any) -> list[str]:
    return valid(document, {"$ref": f"#/components/schemas/{model}"}, value)


def answer(document: dict[str, Any], method: str, path: str, status: int = 200) -> dict[str, Any]:
    """The schema of a JSON answer."""
    content = document["paths"][path][method]["responses"][str(status)]["content"]
    return content["application/json"]["schema"]


def schemas(part: Any) -> Iterator[dict[str, Any]]:
    """Every schema under a schema, itself first."""
    yield part
    for name, inner in part.items():
        if name in {"properties", "$defs"}:
            for one in inner.values():
                yield from schemas(one)
        elif name in {"anyOf", "allOf", "oneOf", "prefixItems"}:
            for one in inner:
                yield from schemas(one)
        elif name in {"items", "additionalProperties", "propertyNames"} and isinstance(inner, dict):
            yield from schemas(inner)


class TestSpecification:
    def test_every_bound_is_a_keyword_of_json_schema(self, document: dict[str, Any]) -> None:
        for name, model in document["components"]["schemas"].items():
            Draft202012Validator.check_schema(model)
            for schema in schemas(model):
                assert set(schema) <= KEYWORDS, name

    def test_the_document_s_own_example(self, document: dict[str, Any]) -> None:
        body = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]
        assert valid(document, body["schema"], body["example"]) == []

    @pytest.mark.parametrize("spec", PRESETS.values(), ids=PRESETS)
    def test_every_preset(self, document: dict[str, Any], spec: dict[str, Any]) -> None:
        assert of_model(document, "JobSpec", spec) == []

    @pytest.mark.parametrize("changes", RIGHT.values(), ids=RIGHT)
    def test_what_is_right(self, document: dict[str, Any], changes: dict[str, Any]) -> None:
        spec = filled({**SPEC, **changes})
        assert of_model(document, "JobSpec", {**SPEC, **changes}) == []
        assert of_model(document, "JobSpec", spec) == []

    @pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
    def test_what_is_wrong(self, document: dict[str, Any], changes: dict[str, Any]) -> None:
        with pytest.raises(InvalidSpec):
            filled({**SPEC, **changes})
        assert of_model(document, "JobSpec", {**SPEC, **changes}) != []

    def test_every_method_can_be_chosen(self, document: dict[str, Any]) -> None:
        names = document["components"]["schemas"]
        for name in catalog.load()["architectures"]:
            assert of_model(document, "Architecture", {"name": name}) == []
            assert names[f"architectures.{name}"]["description"]
        for name in catalog.load()["augmentations"]:
            assert of_model(document, "Augmentation", {name: {}}) == []

    def test_no_component_is_there_for_nothing(self, document: dict[str, Any]) -> None:
        text = json.dumps(document)
        for name in document["components"]["schemas"]:
            assert f'"#/components/schemas/{name}"' in text, name


class TestAnswers:
    def test_every_route_says_what_it_answers(self, document: dict[str, Any]) -> None:
        for path, verbs in document["paths"].items():
            for verb, operation in verbs.items():
                good = {s: a for s, a in operation["responses"].items() if s.startswith("2")}
                assert good, (verb, path)
                for response in good.values():
                    schemas = [part.get("schema") for part in response["content"].values()]
                    assert all(schemas), (verb, path)

    def test_where_a_new_one_is_and_which_state_is_shown_are_declared(
        self, document: dict[str, Any]
    ) -> None:
        declared = {
            (verb, path): {*answer["headers"]}
            for path, verbs in document["paths"].items()
            for verb, operation in verbs.items()
            for status, answer in operation["responses"].items()
            if status in {"200", "201", "202"} and "headers" in answer
        }
        job = "/v1/jobs/{job_id}"
        new = [("post", path) for path in ("/v1/jobs", f"{job}/retry", "/v1/weights")]
        files = (
            f"{job}/checkpoints/{{checkpoint}}/download",
            f"{job}/artifacts/{{artifact}}/download",
        )
        shown = [("get", path) for path in (job, *files)]
        assert declared == {one: {"Location"} for one in new} | {one: {"ETag"} for one in shown}

    def test_an_answer_has_the_declared_media_type_and_form(
        self, service: Service, document: dict[str, Any]
    ) -> None:
        lease = service.start_job(tags={"a": "b"})
        service.record(
            lease, metrics=[metric_row("val_loss", 10, 0.5)], checkpoints=[checkpoint_row("last")]
        )
        service.submit()
        paths = {
            re.sub(r"\{job_id\}", lease.job_id, path): path
            for path, verbs in document["paths"].items()
            if "get" in verbs and set(re.findall(r"\{\w+\}", path)) <= {"{job_id}"}
        }
        paths |= {"/v1/datasets/digits": "/v1/datasets/{name}"}
        seen = 0
        for address, path in paths.items():
            given = service.client.get(address)
            if given.status_code >= 400:
                assert of_model(document, "Problem", given.json()) == []
                continue
            content = document["paths"][path]["get"]["responses"]["200"]["content"]
            media_type = given.headers["content-type"].partition(";")[0]
            assert media_type in content, path
            if media_type == "application/json":
                assert valid(document, content[media_type]["schema"], given.json()) == [], path
                seen += 1
        assert seen >= 9

    def test_a_job_in_every_state(self, service: Service, document: dict[str, Any]) -> None:
        schema = answer(document, "get", "/v1/jobs/{job_id}")
        fields = document["components"]["schemas"]["Job"]["properties"]
        service.submit()
        service.succeed(service.claim(), epochs=1)
        service.stop(service.start_job())
        service.post(f"/v1/jobs/{service.submit()}/cancel")
        service.submit(fine_tuning={"stages": [{"name": "a", "epochs": 1}]})
        service.start_job(training={"early_stopping": {}}, metrics={"top_k": [1]})
        jobs = service.client.get("/v1/jobs").json()
        assert valid(document, answer(document, "get", "/v1/jobs"), jobs) == []
        assert len({one["state"] for one in jobs["data"]}) >= 4
        for one in jobs["data"]:
            job = service.job(one["id"])
            assert valid(document, schema, job) == [], job["state"]
            assert set(job) - {"attempts"} == set(fields) - {"attempts"}

    def test_what_is_posted(self, service: Service, document: dict[str, Any]) -> None:
        made = service.post("/v1/jobs", SPEC)
        assert valid(document, answer(document, "post", "/v1/jobs", 202), made.json()) == []
        checked = service.post("/v1/jobs/validate", SPEC).json()
        assert valid(document, answer(document, "post", "/v1/jobs/validate"), checked) == []
        fields = document["components"]["schemas"]["Validation"]["properties"]
        assert set(checked) == set(fields)
        refused = service.post("/v1/jobs", {}).json()
        assert of_model(document, "Problem", refused) == []

    @pytest.mark.parametrize(
        ("path", "status", "media_type"),
        [
            ("/v1/jobs/{job_id}", "304", None),
            ("/v1/jobs/{job_id}/events", "200", "text/event-stream"),
            ("/v1/jobs/{job_id}/metrics", "200", "text/csv"),
            ("/v1/jobs/{job_id}/logs", "200", "text/plain"),
            ("/v1/jobs/{job_id}/tensorboard", "200", "application/zip"),
            *(
                (f"/v1/jobs/{{job_id}}/{one}/download", status, "application/octet-stream")
                for one in ("checkpoints/{checkpoint}", "artifacts/{artifact}")
                for status in ("200", "206")
            ),
            ("/v1/jobs/{job_id}/checkpoints/{checkpoint}/download", "304", None),
            ("/metrics", "200", "text/plain"),
        ],
    )
    def test_what_is_not_json(
        self, document: dict[str, Any], path: str, status: str, media_type: str | None
    ) -> None:
        declared = document["paths"][path]["get"]["responses"][status]
        assert (media_type in declared["content"]) if media_type else ("content" not in declared)
