"""The learning rate over a stage, by the schedule's own code."""

from worker.plots.plot import Line, Plot
from worker.registry import Entry
from worker.schedules.schedule import Schedule
from worker.training.selection import Plateau, PlateauRecord

#: Updates of the stage, and between two points.
TOTAL, EVERY = 10_000, 50
WARMUP = 1_000
EPOCHS = 60
#: The validation loss of the example falls until this epoch.
LAST_IMPROVEMENT = 15


def plot_schedule(entry: Entry) -> list[Plot]:
    """Return the factor on the learning rate during a stage of 10,000 updates."""
    filled = dict(entry.defaults)
    if filled.get("mode", "") is None:
        filled["mode"] = "min"
    plain: Schedule = entry.function(**filled)
    if plain.plateau is not None:
        return [_of_plateau(plain.plateau)]
    warm: Schedule = entry.function(**{**filled, "warmup": WARMUP})
    updates = list(range(0, TOTAL, EVERY))
    lines = [
        Line(label, updates, [schedule.factor(each, TOTAL) for each in updates])
        for label, schedule in (("default", plain), (f"warmup {WARMUP}", warm))
    ]
    return [Plot("Learning rate during a stage", "updates", "factor on lr₀", tuple(lines))]


def _of_plateau(plateau: Plateau) -> Plot:
    record, factors = PlateauRecord(), list[float]()
    losses = [1 / min(epoch, LAST_IMPROVEMENT) for epoch in range(1, EPOCHS + 1)]
    for loss in losses:
        record = plateau.update(record, loss)
        factors.append(record.factor)
    epochs = list(range(1, EPOCHS + 1))
    lines = (
        Line("factor on lr₀", epochs, factors),
        Line("val_loss of the example", epochs, losses),
    )
    title = f"A loss that stops improving after epoch {LAST_IMPROVEMENT}"
    return Plot(title, "epoch", "value", lines, is_y_log=True)
