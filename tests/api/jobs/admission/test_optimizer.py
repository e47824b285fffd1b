"""The optimizer: its parameters, clipping and warm-up."""

from typing import Any

import pytest

from tests.fakes.admission import SPEC, faults


def pointers(**fields: Any) -> list[str]:
    return list(faults({**SPEC, **fields}))


def test_nesterov_without_momentum_is_refused() -> None:
    optimizer = {"name": "sgd", "momentum": 0, "nesterov": True}
    assert faults({**SPEC, "optimizer": optimizer}) == {
        "/optimizer/nesterov": "is true, which has no effect while momentum is 0.0; "
        "set momentum, or leave it out"
    }
    assert pointers(optimizer={**optimizer, "momentum": 0.5}) == []
    assert pointers(optimizer={**optimizer, "nesterov": False}) == []


def test_nesterov_without_momentum_in_a_stage_is_refused() -> None:
    wrong = {"name": "sgd", "momentum": 0, "nesterov": True}
    stages: list[Any] = [{"name": "a", "epochs": 1}, {"name": "b", "epochs": 1, "optimizer": wrong}]
    at = "/fine_tuning/stages/1/optimizer/nesterov"
    assert pointers(fine_tuning={"stages": stages}) == [at]


def test_fault_that_stages_inherit_is_reported_once() -> None:
    wrong = {"name": "sgd", "momentum": 0, "nesterov": True}
    stages = [{"name": "a", "epochs": 1}, {"name": "b", "epochs": 1}]
    assert pointers(optimizer=wrong, fine_tuning={"stages": stages}) == ["/optimizer/nesterov"]


@pytest.mark.parametrize("kind", ["value", "norm", "global_norm"])
def test_clipping_bound_must_fit_into_float32(kind: str) -> None:
    def clip(bound: float) -> list[str]:
        return pointers(optimizer={"name": "sgd", "gradient_clipping": {kind: bound}})

    assert clip(1e30) == []
    assert clip(1e39) == [f"/optimizer/gradient_clipping/{kind}"]


#: Three updates in each epoch with batches of four.
TEN_IMAGES = {"name": "digits", "train": 10, "validation": 4, "test": 4}


def with_warmup(updates: int) -> dict[str, Any]:
    return {"name": "sgd", "schedule": {"name": "cosine", "warmup": updates}}


class TestWarmUp:
    def test_it_must_end_within_the_job(self) -> None:
        training = {"epochs": 2, "batch_size": 4}
        spec = {**SPEC, "dataset": TEN_IMAGES, "training": training}
        assert faults({**spec, "optimizer": with_warmup(6)}) == {}
        assert faults({**spec, "optimizer": with_warmup(7)}) == {
            "/optimizer/schedule/warmup": "is 7; it must be at most 6, the updates of the job. "
            "For a longer warm-up, train more epochs"
        }

    def test_it_must_end_within_each_stage_that_uses_it(self) -> None:
        def fault_pointers(optimizer_of_stage: Any, warmup_of_job: int) -> list[str]:
            stages = [
                {"name": "a", "epochs": 2, "optimizer": optimizer_of_stage},
                {"name": "b", "epochs": 1},
            ]
            return pointers(
                dataset=TEN_IMAGES,
                optimizer=with_warmup(warmup_of_job),
                training={"batch_size": 4},
                fine_tuning={"stages": stages},
            )

        assert fault_pointers(with_warmup(6), 3) == []
        assert fault_pointers(None, 4) == ["/optimizer/schedule/warmup"]
        assert fault_pointers(with_warmup(7), 3) == [
            "/fine_tuning/stages/0/optimizer/schedule/warmup"
        ]


@pytest.mark.parametrize("name", ["adagrad", "adam", "adamw", "rmsprop"])
def test_epsilon_that_vanishes_in_float32_is_refused(name: str) -> None:
    optimizer = {"name": name, "epsilon": 1e-300}
    assert faults({**SPEC, "optimizer": optimizer}) == {
        "/optimizer/epsilon": "is 1e-300; it must be at least 1e-30"
    }
