"""`dataset` and `pretrained`: whether a job can get its data and its weights on this machine."""

from typing import Any

from shared.settings import Settings
from worker.data import availability
from worker.registry import architectures
from worker.runner import hub
from worker.sidecar.request import Operation, RequestRefused, fault


def dataset(request: dict[str, Any]) -> dict[str, Any]:
    """Return nothing where a job can read a data set.

    Args:
        request: name, of a built-in data set with files.

    Raises:
        RequestRefused: with how to bring the data set.
    """
    missing = availability.why_missing(request["name"], Settings())
    if missing is not None:
        raise RequestRefused(fault("/dataset/name", missing))
    return {}


def pretrained(request: dict[str, Any]) -> dict[str, Any]:
    """Return nothing where a job can start from the model library's weights of a network.

    Args:
        request: name, of a network whose weights the library has.

    Raises:
        RequestRefused: with how to bring the weights.
    """
    name = request["name"]
    if architectures.get(name).facts["pretrained"] == "package":
        return {}
    missing = hub.why_missing(name, Settings())
    if missing is not None:
        raise RequestRefused(fault("/fine_tuning/weights/pretrained", missing))
    return {}


DATASET = Operation(dataset)
PRETRAINED = Operation(pretrained)
