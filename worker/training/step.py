"""One optimizer step. Axes: N samples, C channels, H height, W width, M outputs."""

import torch
from torch import Tensor

from worker.training.clipping import clip, tensor_norms
from worker.training.device_split import DeviceSplit
from worker.training.epoch_sums import StepResult
from worker.training.experiment import Experiment, Stage
from worker.training.freezing import freeze
from worker.training.penalties import Penalties
from worker.training.replay import Replay
from worker.training.seed import reseed


class Stepper:
    """Takes the steps of one stage. Nothing in it waits for the device."""

    def __init__(self, experiment: Experiment, stage: Stage, train: DeviceSplit) -> None:
        self.experiment = experiment
        self.stage = stage
        self.train = train
        #: Modules that stay in evaluation mode.
        self.frozen = freeze(experiment.model, stage.first)
        self.parameters = [
            parameter for parameter in experiment.model.parameters() if parameter.requires_grad
        ]
        self.optimizer = stage.optimizer(self.parameters, stage.learning_rate)
        self.scaler = experiment.arithmetic.scaler()
        self.penalties = Penalties(experiment)
        self.updates = stage.epochs * experiment.steps_of_epoch(stage)
        self._on_batch = [
            regularizer.on_batch for regularizer in experiment.regularizers if regularizer.on_batch
        ]
        self._on_forward = [
            regularizer.on_forward
            for regularizer in experiment.regularizers
            if regularizer.on_forward
        ]

    def learning_rate(self, updates: int) -> float:
        """The learning rate after so many updates of the stage."""
        return self.stage.learning_rate * self.stage.schedule(updates, self.updates)

    def step(
        self, chosen_N: Tensor, *, step: int, updates: int, reduction: float = 1.0
    ) -> StepResult:
        """Train on some samples.

        Args:
            chosen_N: which samples of the training split, int64 on the device.
            step: this step's number in the whole job, from 1.
            updates: steps taken in this stage before this one.
            reduction: what multiplies the learning rate beside the schedule.
        """
        experiment = self.experiment
        reseed(experiment.seed, step, experiment.device)
        learning_rate = self.learning_rate(updates) * reduction
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        images_NCHW, targets_N = self.train.batch(chosen_N, experiment.augment)
        targets = targets_N
        for on_batch in self._on_batch:
            images_NCHW, targets = on_batch(images_NCHW, targets, experiment.classes)
        if experiment.is_mixed:
            targets_N = targets.argmax(1)  # the class with the largest share
        replay = Replay(experiment) if self._on_forward else None
        with experiment.arithmetic.autocast():
            outputs_NM = experiment.model(images_NCHW)
        outputs_NM = outputs_NM.float()
        data_loss = experiment.loss(outputs_NM, targets)
        objective, term = data_loss, None
        if replay is not None:
            terms = [further(replay, images_NCHW, outputs_NM) for further in self._on_forward]
            term = torch.stack(terms).sum()
            objective = data_loss + term
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(objective).backward()
        self.scaler.unscale_(self.optimizer)
        penalty = self.penalties.value()
        if term is not None:
            penalty = term.detach() if penalty is None else penalty + term.detach()
        self.penalties.add_gradients()
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        norms = tensor_norms(gradients)
        clipping = self.stage.clipping
        was_clipped = None if clipping is None else clip(gradients, norms, clipping)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return StepResult(
            step=step,
            outputs_NM=outputs_NM.detach(),
            targets_N=targets_N,
            data_loss=data_loss.detach(),
            penalty=penalty,
            gradient_norm=norms.norm(),
            was_clipped=was_clipped,
            learning_rate=learning_rate,
        )
