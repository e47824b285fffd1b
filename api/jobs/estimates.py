"""How long an epoch will take, by what the newest finished job of the same work took."""

from typing import Any

from api.services import Services
from shared.jobs import queries

#: Finished jobs that are looked through for one like this.
LOOKED_THROUGH = 50
#: Parts of a specification that decide what an image costs.
PARTS = ("architecture", "regularizers", "augmentation", "fine_tuning")
OF_TRAINING = ("batch_size", "precision")
OF_DATA = ("image_size", "channels", "features")
#: An image that is trained on costs about three passes, one that is evaluated one.
PASSES_OF_TRAINING = 3


def seconds_per_epoch(services: Services, spec: dict[str, Any]) -> float | None:
    """The last epoch of that job in proportion to how many images there are; None without one.

    Args:
        services: what the application works with.
        spec: filled in.
    """
    with services.database.read() as connection:
        rows = queries.page(connection, limit=LOOKED_THROUGH, state="succeeded")
    wanted = _work(spec)
    for row in rows:
        seconds = row.metrics.get("seconds")
        if isinstance(seconds, float) and _work(row.spec) == wanted:
            share = _passes(spec["dataset"]) / _passes(row.spec["dataset"])
            return round(seconds * share, 3)
    return None


def _work(spec: dict[str, Any]) -> list[Any]:
    """What has to be the same, for an image to cost the same."""
    return [
        *(spec[part] for part in PARTS),
        *(spec["training"][field] for field in OF_TRAINING),
        *(spec["dataset"].get(field) for field in OF_DATA),
    ]


def _passes(dataset: dict[str, Any]) -> int:
    """Passes of an epoch: training, validation, and as many training images for the gap."""
    train, validation = dataset["train"], dataset["validation"]
    return PASSES_OF_TRAINING * train + validation + min(train, validation)
