"""What is not a specification: a clear 4xx, every fault at once, and nothing written."""

import json
from typing import Any

import pytest

from tests.api.service import SPEC, Service

FASHION = {"dataset": "fashion-mnist", "architecture": "mlp"}


class TestBodies:
    @pytest.mark.parametrize(
        ("body", "says"),
        [
            (b"", "not JSON"),
            (b"{", "line 1, column 2"),
            (b'{"a": 1} x', "not JSON"),
            (b"\xff\xfe{}", "UTF-8"),
            (b'{"seed": NaN}', "NaN"),
            (b'{"seed": Infinity}', "Infinity"),
            (b'{"seed": -Infinity}', "Infinity"),
            (b'{"seed": 1e999}', "too large"),
            (b'{"seed": ' + b"9" * 5000 + b"}", "digits"),
            (b'{"seed": 1, "seed": 2}', "'seed' twice"),
            (b'{"name": "\\ud800"}', "surrogate"),
            (b'{"name": "a\\u0000"}', "NUL"),
            (b"[" * 10_000 + b"]" * 10_000, "levels"),
            (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "levels"),
            (b'{"a": "' + b"[" * 40 + b'"', "not JSON"),
            # Read once, and not once for each quotation mark, which would take an hour.
            pytest.param(b'"' + b'\\"' * 450_000, "not JSON", id="no end"),
            pytest.param(b'"' + b'\\"' * 450_000 + b"\\", "not JSON", id="no end at all"),
        ],
    )
    def test_what_is_not_json(self, service: Service, body: bytes, says: str) -> None:
        for path in ("/v1/jobs", "/v1/jobs/validate"):
            answer = service.post(path, body)
            assert answer.status_code == 400, answer.text
            assert says in answer.json()["detail"]
        assert service.rows()["jobs"] == 0

    @pytest.mark.parametrize("body", [b"null", b"[]", b"3", b'"digits"', b"true"])
    def test_json_that_is_no_object(self, service: Service, body: bytes) -> None:
        answer = service.post("/v1/jobs", body)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == ""

    def test_a_million_elements(self, service: Service) -> None:
        body = json.dumps({**SPEC, "metrics": {"top_k": [1] * 300_000}}).encode()
        assert len(body) < 1_000_000
        faults = service.faults(body)
        assert "/metrics/top_k" in faults
        assert len(faults["/metrics/top_k"]) < 500

    def test_too_large(self, service: Service) -> None:
        ten = b'{"name": "' + b"x" * 10_000_000 + b'"}'
        answer = service.post("/v1/jobs", ten)
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"

        def chunks() -> Any:
            for _ in range(40):
                yield b" " * 100_000

        endless = service.client.post(
            "/v1/jobs", content=chunks(), headers={"Content-Type": "application/json"}
        )
        assert endless.status_code == 413
        assert service.rows()["jobs"] == 0

    @pytest.mark.parametrize("media_type", ["", "text/plain", "application/x-yaml"])
    def test_another_media_type(self, service: Service, media_type: str) -> None:
        headers = {"Content-Type": media_type}
        answer = service.client.post("/v1/jobs", content=json.dumps(SPEC), headers=headers)
        assert answer.status_code == 415
        assert "application/json" in answer.json()["detail"]


class TestLargeNumbers:
    """No field needs an integer beyond 64 bits; none may reach a writer of JSON."""

    @pytest.mark.parametrize(
        ("changes", "at"),
        [
            (
                {"optimizer": {"name": "sgd", "gradient_clipping": {"norm": 10**30}}},
                ("optimizer", "gradient_clipping", "norm"),
            ),
            (
                {
                    "optimizer": {
                        "name": "sgd",
                        "schedule": {"name": "reduce_on_plateau", "min_delta": 10**30},
                    }
                },
                ("optimizer", "schedule", "min_delta"),
            ),
            (
                {"training": {"early_stopping": {"min_delta": 10**30}}},
                ("training", "early_stopping", "min_delta"),
            ),
        ],
    )
    def test_where_a_number_is_asked_for_it_is_one(
        self, service: Service, changes: dict[str, Any], at: tuple[str, ...]
    ) -> None:
        for path, headers in (
            ("/v1/jobs/validate", {}),
            ("/v1/jobs", {}),
            ("/v1/jobs", {"Idempotency-Key": "k"}),
        ):
            answer = service.post(path, {**SPEC, **changes}, **headers)
            assert answer.status_code in {200, 202}, answer.text
            found = answer.json()["spec"]
            for part in at:
                found = found[part]
            assert found == 1e30

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"seed": 10**30}, "/seed"),
            ({"seed": -(10**30)}, "/seed"),
            ({"dataset": {"name": "digits", "train": 10**30}}, "/dataset/train"),
            ({"metrics": {"top_k": [2**63]}}, "/metrics/top_k/0"),
            ({"training": {"epochs": 10**400}}, None),
            ({"architecture": {"name": "mlp", "hidden_units": [10**30]}}, None),
            ({"regularizers": {"l2": 10**30}}, "/regularizers/l2/weight"),
            ({10**30: 10**30}, f"/{10**30}"),
            ({"tags": {"a": 10**30}}, "/tags/a"),
        ],
    )
    def test_elsewhere_it_is_a_fault_with_its_pointer(
        self, service: Service, changes: dict[str, Any], pointer: str | None
    ) -> None:
        for path in ("/v1/jobs/validate", "/v1/jobs"):
            answer = service.post(path, {**SPEC, **changes}, **{"Idempotency-Key": "k"})
            assert answer.status_code in {400, 422}, answer.text
            if pointer is not None:
                assert [one["pointer"] for one in answer.json()["errors"]] == [pointer]


class TestFaults:
    def test_every_one_at_once_each_with_what_is_allowed(self, service: Service) -> None:
        faults = service.faults(
            {
                "dataset": {"name": "fashon-mnist", "image_size": 4, "chanels": 3},
                "architecture": {"name": "mlp", "hidden_units": [0, "x"], "activatoin": "relu"},
                "initializer": {"name": "he_norml", "overrides": {"head.*": "lecun"}},
                "regularizers": {"l2": {"weight": -1}, "dropot": True, "dropout": "x"},
                "optimizer": {
                    "name": "sgd",
                    "learning_rate": 0,
                    "momentum": 1,
                    "schedule": "cosin",
                    "gradient_clipping": {"value": 1, "norm": 1},
                },
                "loss": "cross_entropi",
                "training": {"epochs": 0, "batch_size": 65_537, "precision": "float8"},
                "checkpoints": [{"monitor": "val_loss"}, {"epoch": 1}],
                "metrics": {"top_k": [0]},
                "resources": {"gpus": 65},
                "learning_rate": 0.1,
                "seed": 2**53,
            }
        )
        assert "Did you mean `fashion-mnist`?" in faults["/dataset/name"]
        assert "Did you mean `channels`?" in faults["/dataset/chanels"]
        assert "must be at least 8" in faults["/dataset/image_size"]
        assert "at least 1" in faults["/architecture/hidden_units/0"]
        assert "Did you mean `activation`?" in faults["/architecture/activatoin"]
        assert "Did you mean `he_normal`?" in faults["/initializer/name"]
        assert "Did you mean `lecun_" in faults["/initializer/overrides/head.*/name"]
        assert "at least 0" in faults["/regularizers/l2/weight"]
        assert "Did you mean `dropout`?" in faults["/regularizers/dropot"]
        assert "/regularizers/dropout/rate" in faults
        assert "must be greater than 0" in faults["/optimizer/learning_rate"]
        assert "less than 1" in faults["/optimizer/momentum"]
        assert "Did you mean `cosine`?" in faults["/optimizer/schedule/name"]
        assert "exactly one" in faults["/optimizer/gradient_clipping"]
        assert "Did you mean `cross_entropy`?" in faults["/loss/name"]
        assert {"/training/epochs", "/training/batch_size", "/training/precision"} <= set(faults)
        assert {"/checkpoints/0", "/checkpoints/1/epoch", "/metrics/top_k/0"} <= set(faults)
        assert {"/resources/gpus", "/learning_rate", "/seed"} <= set(faults)

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"dataset": None}, "/dataset"),
            ({"architecture": 3}, "/architecture"),
            ({"dataset": ""}, "/dataset/name"),
            ({"dataset": "../../etc/passwd"}, "/dataset/name"),
            ({"architecture": "os.system"}, "/architecture/name"),
            ({"architecture": "__class__"}, "/architecture/name"),
            ({"seed": -1}, "/seed"),
            ({"seed": 2**64}, "/seed"),
            ({"seed": "7"}, "/seed"),
            ({"seed": True}, "/seed"),
            ({"seed": 1.5}, "/seed"),
            ({"name": "x" * 201}, "/name"),
            ({"name": "a\u202eb"}, "/name"),
            ({"name": "a\u200bb"}, "/name"),
            ({"name": "a\nb"}, "/name"),
            ({"tags": {"k" * 65: "v"}}, f"/tags/{'k' * 65}"),
            ({"tags": {"k": "v" * 513}}, "/tags/k"),
            ({"tags": {"a/b~c": 1}}, "/tags/a~1b~0c"),
            ({"tags": {str(n): "" for n in range(65)}}, "/tags"),
            ({"priority": "urgent"}, "/priority"),
            ({"owner": "somebody"}, "/owner"),
            ({"state": "succeeded"}, "/state"),
            ({"__proto__": {}}, "/__proto__"),
            ({"dataset": {"name": "digits", "train": 1, "split": 2}}, "/dataset/split"),
            ({"dataset": {"name": "digits", "image_size": 1025}}, "/dataset/image_size"),
            ({"dataset": {"name": "digits", "channels": 2}}, "/dataset/channels"),
            ({"dataset": {"name": "digits", "validation": 1798}}, "/dataset/validation"),
            ({"dataset": {"name": "digits", "train": 1797, "test": 1}}, "/dataset/test"),
            ({"dataset": {"name": "fashion-mnist", "test": 10_001}}, "/dataset/test"),
            ({"dataset": {"name": "synthetic", "train": 100_000}}, "/dataset/train"),
            ({"architecture": {"name": "mlp", "hidden_units": []}}, "/architecture/hidden_units"),
            (
                {"architecture": {"name": "mlp", "hidden_units": [65_537]}},
                "/architecture/hidden_units/0",
            ),
            (
                {"architecture": {"name": "mlp", "hidden_units": [1] * 33}},
                "/architecture/hidden_units",
            ),
            (
                {"architecture": {"name": "mlp", "hidden_units": [0] * 33}},
                "/architecture/hidden_units",
            ),
            ({"optimizer": {"name": "sgd", "learning_rate": 1001}}, "/optimizer/learning_rate"),
            ({"optimizer": {"name": "sgd", "learning_rate": -1}}, "/optimizer/learning_rate"),
            ({"optimizer": {"name": "sgd", "learning_rate": 1e308}}, "/optimizer/learning_rate"),
            ({"optimizer": {"name": "sgd", "decay": 1}}, "/optimizer/decay"),
            (
                {"optimizer": {"name": "sgd", "gradient_clipping": {"norm": 0}}},
                "/optimizer/gradient_clipping/norm",
            ),
            ({"training": {"epochs": 100_001}}, "/training/epochs"),
            ({"training": {"epochs": 10**9}}, "/training/epochs"),
            ({"training": {"batch_size": -1}}, "/training/batch_size"),
            (
                {"training": {"early_stopping": {"patience": 0}}},
                "/training/early_stopping/patience",
            ),
            (
                {"training": {"early_stopping": {"monitor": "val_los"}}},
                "/training/early_stopping/monitor",
            ),
            ({"checkpoints": [{"monitor": "f1", "mode": "max"}]}, "/checkpoints/0/monitor"),
            (
                {"checkpoints": [{"monitor": "val_loss", "mode": m} for m in ("min", "max")]},
                "/checkpoints/1/monitor",
            ),
            ({"metrics": {"top_k": [11]}}, "/metrics/top_k/0"),
            ({"resources": {"gpus": 2}}, "/resources/gpus"),
            ({"resources": {"max_runtime_seconds": 0}}, "/resources/max_runtime_seconds"),
            ({"regularizers": {"l2": None}}, "/regularizers/l2"),
            ({"regularizers": {"dropout": 1.0}}, "/regularizers/dropout/rate"),
            (
                {"architecture": "linear", "regularizers": {"dropout": 0.5}},
                "/regularizers/dropout",
            ),
            (
                {"architecture": "vgg_small", "training": {"batch_size": 1}},
                "/training/batch_size",
            ),
            ({"augmentation": {"rotate": 10}}, "/augmentation/rotate"),
        ],
    )
    def test_one(self, service: Service, changes: dict[str, Any], pointer: str) -> None:
        faults = service.faults({**SPEC, **changes})
        assert list(faults) == [pointer], faults
        assert len(faults[pointer]) > 8

    @pytest.mark.parametrize(
        ("changes", "pointers"),
        [
            (
                {"architecture": {"name": "mlp", "foo": 1, "bar": 2}},
                ["/architecture/bar", "/architecture/foo"],
            ),
            (
                {
                    "optimizer": {
                        "name": "sgd",
                        "foo": 1,
                        "bar": 2,
                        "schedule": {"name": "step", "foo": 1, "bar": 2},
                    }
                },
                [
                    *("/optimizer/bar", "/optimizer/foo"),
                    *("/optimizer/schedule/bar", "/optimizer/schedule/foo"),
                ],
            ),
            (
                {"augmentation": {"rotation": {"a": 1, "b/c": 2}}},
                ["/augmentation/rotation/a", "/augmentation/rotation/b~1c"],
            ),
            ({"checkpoints": [{"epoch": 1}, {"monitor": "f1", "mode": "max"}]}, None),
            ({"metrics": {"top_k": [0, 3, 11]}}, ["/metrics/top_k/0", "/metrics/top_k/2"]),
            ({"tags": {"k" * 65: "v"}, "metrics": {"top_k": [11]}}, None),
        ],
    )
    def test_several_of_a_kind(
        self, service: Service, changes: dict[str, Any], pointers: list[str] | None
    ) -> None:
        faults = service.faults({**SPEC, **changes})
        if pointers is None:
            assert len(faults) == 2, faults
        else:
            assert list(faults) == pointers

    def test_they_keep_their_places_beside_others(self, service: Service) -> None:
        checkpoints = [{"epoch": 1}, {"monitor": "f1", "mode": "max"}]
        faults = service.faults({**SPEC, "checkpoints": checkpoints})
        assert list(faults) == ["/checkpoints/0/epoch", "/checkpoints/1/monitor"]

    @pytest.mark.parametrize(
        ("changes", "pointer", "says"),
        [
            (
                {"tracking": {"tensorbord": True}},
                "/tracking/tensorbord",
                "Did you mean `tensorboard`?",
            ),
            (
                {"tracking": {"tensorboard": {"histogram": True}}},
                "/tracking/tensorboard/histogram",
                "Did you mean `histograms`?",
            ),
            ({"metrics": {"top_k": 5}}, "/metrics/top_k", "is 5; it must be a list"),
            ({"checkpoints": {}}, "/checkpoints", "is {}; it must be a list"),
            (
                {"fine_tuning": {"stages": []}},
                "/fine_tuning/stages",
                "is []; it must have a length of at least 1",
            ),
            ({"training": 3}, "/training", "is 3; it must be an object"),
            ({"name": 3}, "/name", "is 3; it must be a string"),
            ({"seed": -1}, "/seed", "is -1; it must be at least 0"),
            ({"seed": 1.5}, "/seed", "is 1.5; it must be an integer"),
            ({"seed": True}, "/seed", "is true; it must be a number"),
            (
                {"optimizer": {"name": "sgd", "learning_rate": 1001}},
                "/optimizer/learning_rate",
                "is 1001; it must be at most 1000",
            ),
            (
                {"training": {"deterministic": 1}},
                "/training/deterministic",
                "is 1; it must be true or false",
            ),
            (
                {"priority": "urgent"},
                "/priority",
                'it must be "low", "normal" or "high"',
            ),
            ({"name": "x" * 201}, "/name", "has 201 characters; at most 200 are allowed"),
            (
                {"checkpoints": [{"epoch": 0}] * 17},
                "/checkpoints",
                "has 17 entries; at most 16 are allowed",
            ),
            ({"dataset": ""}, "/dataset/name", 'is ""; it must have a length of at least 1'),
        ],
    )
    def test_a_fault_says_what_is_allowed(
        self, service: Service, changes: dict[str, Any], pointer: str, says: str
    ) -> None:
        assert says in service.faults({**SPEC, **changes})[pointer]

    def test_what_is_missing(self, service: Service) -> None:
        assert service.faults({}) == {"/dataset": "is required", "/architecture": "is required"}

    @pytest.mark.parametrize(
        "text", ["${jndi:ldap://x}", "%s%n", "{0.__class__}", "'; DROP TABLE jobs; --", "日本", "é"]
    )
    def test_a_text_is_a_text(self, service: Service, text: str) -> None:
        job = service.job(service.submit(name=text, tags={text: text}))
        assert (job["name"], job["tags"]) == (text, {text: text})
