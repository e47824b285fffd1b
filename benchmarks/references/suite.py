"""`make bench ONLY=references`: the largest difference between Trainshed's numbers and Keras's."""

import json
import subprocess
from collections.abc import Iterator

from benchmarks.boxes import ROOT
from benchmarks.measurement import Measurement, against_limit
from benchmarks.references.our_values import our_values
from benchmarks.training import KERAS, prepare_keras

#: The largest difference by kind. Keras keeps β, μ and rates in float32, whatever the weights have.
TOLERANCES = {
    "optimizer": 5e-6,
    "schedule": 1e-8,
    "reduce_on_plateau": 1e-9,
    "early_stopping": 1e-12,
    "loss": 1e-12,
    "penalty": 1e-8,
    "metric": 1e-12,
    "activation": 1e-8,
    "initializer": 1e-5,
    "batch norm": 1e-12,
    "training": 1e-8,
}
#: What was converted first, as the catalogue documents it.
CONVERTED = {
    "optimizer: adagrad": "Keras's accumulator starts at 0",
    "optimizer: adam, ε of the first update": "our ε is ε̂/√(1−β₂)",
    "optimizer: momentum under a falling rate": "Keras's rule as documented, not ours",
    "loss: class weights": "ours divides by the sum of the weights",
    "activation: leaky_relu": "Keras's slope is set to ours",
    "batch norm: running variance": "ours is unbiased",
}


def measure() -> Iterator[Measurement]:
    """Yield the largest difference of each behaviour, as a fraction of its tolerance."""
    prepare_keras()
    command = [str(KERAS / "bin/python"), "-m", "benchmarks.references.keras_values"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    keras = json.loads(run.stdout.splitlines()[-1])
    for name, ours in our_values().items():
        theirs, kind = keras["values"].pop(name), name.partition(":")[0]
        difference = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
        note = f" ({CONVERTED[name]})" if name in CONVERTED else ""
        yield against_limit(
            name + note,
            [difference],
            TOLERANCES[kind],
            ratio_of=f"largest difference to {keras['version']} / tolerance, {len(ours)} values",
            unit="absolute",
        )
    assert not keras["values"], keras["values"].keys()
