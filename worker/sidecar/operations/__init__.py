"""The operations that the sidecar offers, one file each."""

from worker.sidecar.operations.describe import DESCRIBE
from worker.sidecar.operations.preview import PREVIEW
from worker.sidecar.operations.table import TABLE
from worker.sidecar.request import Operation

OPERATIONS: dict[str, Operation] = {
    "describe": DESCRIBE,
    "ping": Operation(lambda _: {}),
    "preview": PREVIEW,
    "table": TABLE,
}
