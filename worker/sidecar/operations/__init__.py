"""The operations that the sidecar offers, one file each."""

from worker.sidecar.operations.analysis import ANALYSIS
from worker.sidecar.operations.availability import DATASET, PRETRAINED
from worker.sidecar.operations.describe import DESCRIBE
from worker.sidecar.operations.export import EXPORT
from worker.sidecar.operations.predict import PREDICT
from worker.sidecar.operations.predict_dataset import PREDICT_DATASET
from worker.sidecar.operations.preview import PREVIEW
from worker.sidecar.operations.samples import SAMPLES
from worker.sidecar.operations.speed import SPEED
from worker.sidecar.operations.table import TABLE
from worker.sidecar.operations.tested_samples import TESTED_SAMPLES
from worker.sidecar.request import Operation, Request, Response

OPERATIONS: dict[str, Operation] = {
    "analysis": ANALYSIS,
    "dataset": DATASET,
    "describe": DESCRIBE,
    "export": EXPORT,
    "ping": Operation(lambda _: {}),
    "pretrained": PRETRAINED,
    "predict": PREDICT,
    "predict_dataset": PREDICT_DATASET,
    "preview": PREVIEW,
    "samples": SAMPLES,
    "speed": SPEED,
    "table": TABLE,
    "tested_samples": TESTED_SAMPLES,
}


def respond(request: Request) -> Response:
    """Return the response to a request, in this process and without limits.

    Raises:
        KeyError: there is no such operation.
    """
    return OPERATIONS[request["operation"]].respond(request)
