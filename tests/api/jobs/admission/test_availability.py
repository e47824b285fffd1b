"""A data set and pretrained weights that no worker can get are refused at submission."""

from typing import Any

import pytest

from shared.errors import Unavailable
from tests.api.jobs.admission.test_pretrained_weights import AT, tuned
from tests.fakes.admission import SPEC, SidecarInProcess, faults
from tests.fakes.sidecar import accept_everything

POINTERS = {"dataset": "/dataset/name", "pretrained": AT}


def _without_files(request: dict[str, Any]) -> dict[str, Any]:
    """Respond like a sidecar whose machine has neither files nor a network."""
    pointer = POINTERS.get(request["operation"])
    if pointer is None:
        return accept_everything(request)
    return {"ok": False, "faults": [{"pointer": pointer, "detail": f"no {request['name']}"}]}


class SilentAboutFiles(SidecarInProcess):
    """A sidecar that describes networks, which may be cached, and does not respond otherwise."""

    def send(self, operation: str, fields: dict[str, Any], /) -> dict[str, Any]:
        if operation in POINTERS:
            raise Unavailable
        return super().send(operation, fields)


@pytest.mark.parametrize("name", ["cifar10", "fashion-mnist"])
def test_a_data_set_that_is_missing_is_refused(name: str) -> None:
    spec = {"dataset": name, "architecture": "mlp"}
    assert faults(spec, SidecarInProcess(_without_files)) == {"/dataset/name": f"no {name}"}
    assert faults(spec) == {}


def test_weights_that_are_missing_are_refused_with_every_other_fault() -> None:
    spec = tuned("resnet50", "resnet50", name="cifar10", channels=1)
    assert faults(spec, SidecarInProcess(_without_files)) == {
        AT: "no resnet50",
        "/dataset/name": "no cifar10",
        "/dataset/channels": "is 1; it must be 3 for these weights",
    }


@pytest.mark.parametrize(
    "spec",
    [
        SPEC,
        {**SPEC, "dataset": "synthetic"},
        tuned("mlp", "mlp"),
        tuned("mlp", "unknown"),
        {**SPEC, "dataset": "unknown"},
    ],
)
def test_the_sidecar_looks_only_for_what_may_be_missing(spec: dict[str, Any]) -> None:
    sidecar = SidecarInProcess()
    faults(spec, sidecar)
    assert not {request["operation"] for request in sidecar.requests} & {*POINTERS}


def test_a_job_is_accepted_while_the_sidecar_does_not_respond() -> None:
    """It waits in the queue for a worker, which looks for the files itself."""
    spec = tuned("resnet50", "resnet50", name="cifar10", channels=3)
    assert faults(spec, SilentAboutFiles()) == {}
