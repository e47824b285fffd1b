"""Training of a copy of the network that changes nothing in the job's.

It draws from streams of its own and puts every generator back.
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from worker.training.experiment import Experiment, Split, Stage
from worker.training.seed import derive, generator_states, restore_generators
from worker.training.step import Stepper


def losses_of_steps(
    experiment: Experiment,
    stage: Stage,
    weights: Mapping[str, Tensor],
    purpose: str,
    steps: int,
    *,
    has_one_batch: bool = False,
    model: nn.Module | None = None,
) -> Iterator[float]:
    """Train a copy of the network and yield the data loss of each step.

    Args:
        experiment: the job's, or one with other data.
        stage: its optimizer, batch size and first layer are used.
        weights: the weights and buffers to start from.
        purpose: the name of the stream of random numbers.
        steps: the number of steps.
        has_one_batch: whether all steps train on the same batch, without dropout.
        model: the copy to train; by default it is made here.
    """
    train = experiment.splits.train
    order_N = sample_of(experiment, purpose, stage.batch_size * (1 if has_one_batch else steps))
    sample = Split(train.images[order_N], train.labels[order_N], train.indices[order_N])
    with unchanged_generators(experiment.device):
        model = copy.deepcopy(experiment.model) if model is None else model
        model.load_state_dict(dict(weights))
        trial = replace(
            experiment,
            model=model,
            splits=replace(experiment.splits, train=sample),
            seed=derive(experiment.seed, "diagnostics", purpose, "steps") % 2**53,
            stages=(stage,),
        )
        stepper = Stepper(trial, stage, trial.on_device(sample))
        model.train()
        if has_one_batch:
            _switch_off_dropout(model)
        for module in stepper.frozen:
            module.training = False
        indices = torch.arange(len(order_N), device=experiment.device).split(stage.batch_size)
        full = [part for part in indices if len(part) > 1] or list(indices)
        for step in range(steps):
            result = stepper.step(full[step % len(full)], step=step + 1, updates=step)
            yield result.data_loss.item()


def sample_of(experiment: Experiment, purpose: str, size: int) -> Tensor:
    """Return training samples at random, int64 [N], from a stream of their own."""
    generator = torch.Generator().manual_seed(derive(experiment.seed, "diagnostics", purpose))
    return torch.randperm(len(experiment.splits.train.labels), generator=generator)[:size]


def _switch_off_dropout(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, torch.nn.modules.dropout._DropoutNd):  # noqa: SLF001 - the only base class
            module.training = False


@contextmanager
def unchanged_generators(device: torch.device) -> Iterator[None]:
    """Put the states of the generators back at the end."""
    states = generator_states(device)
    try:
        yield
    finally:
        restore_generators(states, device)
