"""Patches of the optimizer, its schedule, and the length of the training."""

from worker.diagnostics.patches.patch import Changes, patch
from worker.diagnostics.view import View

MAX_EPOCHS = 100_000
#: Above this, larger batches cost more time than they gain.
MAX_BATCH_SIZE = 1024


def optimizer_at(view: View) -> str:
    """Return the pointer of the stage's optimizer."""
    if view.spec.get("fine_tuning"):
        return f"/fine_tuning/stages/{view.stage.index}/optimizer"
    return "/optimizer"


@patch
def learning_rate(view: View) -> Changes | None:
    """Take a tenth of the rate at which the loss of the range test is lowest."""
    test = view.range_test()
    if test is None or test.suggested is None:
        return None
    rate = float(f"{test.suggested:.2g}")
    expects = f"learning_rate {rate:g}, a tenth of the best rate of the range test"
    return Changes({f"{optimizer_at(view)}/learning_rate": rate}, expects)


@patch
def lower_learning_rate(view: View) -> Changes | None:
    """Take the rate of the range test where it is lower."""
    changes = learning_rate(view)
    if changes is None or min(changes.values.values()) >= view.stage.learning_rate:
        return None
    return changes


@patch
def warm_up(view: View) -> Changes | None:
    """Let the rate rise over a tenth of the updates."""
    warmup = view.stage.epochs * view.stage.steps_per_epoch // 10
    if warmup <= view.stage.warmup:
        return None
    at = f"{optimizer_at(view)}/schedule/warmup"
    return Changes({at: warmup}, f"a warm-up of {warmup} updates")


@patch
def adam(view: View) -> Changes | None:
    """Use Adam, which scales the step of each weight."""
    at = optimizer_at(view)
    stages = (view.spec.get("fine_tuning") or {}).get("stages")
    present = stages[view.stage.index]["optimizer"] if stages else view.spec["optimizer"]
    changed = {"name": "adam", "learning_rate": 0.001, "schedule": present["schedule"]}
    if present["name"] == changed["name"]:
        return None
    return Changes({at: changed}, "Adam at learning_rate 0.001, which scales each step")


@patch
def clipping(view: View) -> Changes | None:
    """Clip the gradient to a norm of 1."""
    if view.stage.is_clipped:
        return None
    at = f"{optimizer_at(view)}/gradient_clipping"
    return Changes({at: {"global_norm": 1.0}}, "gradients clipped to a norm of 1")


@patch
def more_epochs(view: View) -> Changes | None:
    """Train twice as long."""
    epochs = 2 * view.spec["training"]["epochs"]
    if view.spec.get("fine_tuning") or epochs > MAX_EPOCHS:
        return None
    return Changes({"/training/epochs": epochs}, f"{epochs} epochs")


@patch
def smaller_batch(view: View) -> Changes | None:
    """Take batches of 64."""
    size = 64
    if view.spec["training"]["batch_size"] <= size:
        return None
    return Changes({"/training/batch_size": size}, f"batches of {size}, so more steps an epoch")


@patch
def batch_of_all_classes(view: View) -> Changes | None:
    """Take batches of at least two samples for each class."""
    size = min(max(32, 2 * view.classes), view.spec["dataset"]["train"], MAX_BATCH_SIZE)
    if view.spec["training"]["batch_size"] >= size or view.stage.warmup:
        return None
    return Changes({"/training/batch_size": size}, f"batches of {size}, with samples of each class")


@patch
def double_batch(view: View) -> Changes | None:
    """Take batches of twice the size, within the training split."""
    size = 2 * view.spec["training"]["batch_size"]
    # A warm-up might be longer than the fewer updates.
    if size > min(MAX_BATCH_SIZE, view.spec["dataset"]["train"]) or view.stage.warmup:
        return None
    return Changes({"/training/batch_size": size}, f"batches of {size}, with less noise")


@patch
def bfloat16(view: View) -> Changes | None:
    """Use the number format with the range of float32."""
    if view.spec["training"]["precision"] != "float16":
        return None
    return Changes({"/training/precision": "bfloat16"}, "bfloat16, which holds larger numbers")
