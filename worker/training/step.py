"""One optimizer step. Axes: N samples, C channels, H height, W width, M outputs."""

import torch
from torch import Tensor

from worker.training.clipping import clip
from worker.training.device_split import Batches
from worker.training.epoch_sums import StepResult
from worker.training.experiment import Experiment, Stage
from worker.training.freezing import freeze
from worker.training.objective import Objective
from worker.training.penalties import Penalties
from worker.training.ranks import ALONE, Part, Ranks
from worker.training.replay import Replay
from worker.training.seed import reseed, reseed_rank
from worker.training.step_graph import (
    Compute,
    LearningRate,
    StepGraph,
    StepTensors,
    make_capturable,
)
from worker.training.synchronized_norm import synchronized
from worker.training.tensor_norms import euclidean_norms


class Stepper:
    """Takes the steps of one stage. Nothing in it waits for the device."""

    def __init__(
        self, experiment: Experiment, stage: Stage, train: Batches, ranks: Ranks = ALONE
    ) -> None:
        self.experiment = experiment
        self.stage = stage
        self.train = train
        self.ranks = ranks
        #: Whether each rank prepares whole batches, so that the images of all are the same as with
        #: one rank, whatever random numbers or partners they take.
        self._prepares_all = experiment.augment is not None or any(
            part.on_batch for part in experiment.regularizers
        )
        #: Modules that stay in evaluation mode.
        self.frozen = freeze(experiment.model, stage.first, keeps_statistics=stage.keeps_statistics)
        self.parameters = [
            parameter for parameter in experiment.model.parameters() if parameter.requires_grad
        ]
        self.optimizer = stage.optimizer(self.parameters, stage.learning_rate)
        self.scaler = experiment.arithmetic.scaler()
        self.penalties = Penalties(experiment.model, experiment.regularizers)
        self._stage_updates = stage.epochs * experiment.steps_of_epoch(stage)
        self._loss = experiment.training_loss or experiment.loss
        regularizers = experiment.regularizers
        self._on_batch = [part.on_batch for part in regularizers if part.on_batch]
        self._on_forward = [part.on_forward for part in regularizers if part.on_forward]
        self._compute: Compute = self._compute_step
        is_captured = self._can_be_captured()
        if is_captured:
            self._compute = StepGraph(self._compute_step, experiment.device)
        self._learning_rate = LearningRate(
            self.optimizer, experiment.device if is_captured else None
        )

    def _can_be_captured(self) -> bool:
        """Return whether the steps can become a CUDA graph; prepares the optimizer for it."""
        # A term of `on_forward` restores the states of generators, which a graph cannot repeat
        return (
            self.experiment.device.type == "cuda"
            and self.ranks.is_alone
            and not self._on_forward
            and make_capturable(self.optimizer, skips_overflow=self.scaler.is_enabled())
        )

    def read(self, samples_N: Tensor) -> Tensor:
        """Return the samples of a batch whose images this rank reads."""
        if self._prepares_all:
            return samples_N
        return samples_N[self.ranks.part_of_batch(len(samples_N)).samples]

    def step(
        self, samples_N: Tensor, *, step: int, updates: int, plateau_factor: float = 1.0
    ) -> StepResult:
        """Train on some samples, in the order that the head of `fit` gives.

        Args:
            samples_N: the indices of the samples in the training split, int64 on the device.
            step: the number of this step in the whole job, from 1.
            updates: the steps of this stage so far.
            plateau_factor: multiplies the learning rate of the schedule.
        """
        stage = self.stage
        # 1-2. Seed, learning rate
        reseed(self.experiment.seed, step, self.experiment.device)
        schedule_factor = stage.schedule(updates, self._stage_updates)
        learning_rate = stage.learning_rate * schedule_factor * plateau_factor
        self._learning_rate.set(learning_rate)
        pixels_NHWC, targets_N = self.train.stored(self.read(samples_N))
        if len(targets_N) != len(samples_N):
            targets_N = self.train.labels_N.index_select(0, samples_N)
        tensors = self._compute(pixels_NHWC, targets_N)
        return StepResult(step=step, learning_rate=learning_rate, **tensors._asdict())

    def _compute_step(self, pixels_NHWC: Tensor, targets_N: Tensor) -> StepTensors:
        """Train on stored pixels and their targets: all that happens on the device.

        Args:
            pixels_NHWC: of the batch, or of this rank's part if it does not prepare whole batches.
            targets_N: of the whole batch.
        """
        experiment, ranks = self.experiment, self.ranks
        # 3-4. Batch, on_batch
        images_NCHW = self.train.images(pixels_NHWC, experiment.augment)
        targets = targets_N
        for on_batch in self._on_batch:
            images_NCHW, targets = on_batch(images_NCHW, targets, experiment.classes)
        if experiment.is_mixed:
            targets_N = targets.argmax(1)  # the class with the largest share
        part = ranks.part_of_batch(len(targets_N))
        if not ranks.is_alone:
            images_NCHW = images_NCHW[part.samples] if self._prepares_all else images_NCHW
            reseed_rank(ranks.rank, experiment.device)
        # 5-6. Forward, objective
        replay = Replay(experiment) if self._on_forward else None
        further_terms = None
        with synchronized(ranks, part.repeats):
            with experiment.arithmetic.autocast():
                outputs_NM = experiment.model(images_NCHW)
            outputs_NM = outputs_NM.float()
            data_loss = self._loss(outputs_NM, targets[part.samples])
            if replay is not None:
                terms = [term(replay, images_NCHW, outputs_NM) for term in self._on_forward]
                further_terms = torch.stack(terms).sum()
        objective = Objective(data_loss, further_terms)
        if not ranks.is_alone:
            objective = objective.of_part(part, targets, experiment.class_weights)
        # 7-8. Backward, unscale
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(objective.total).backward()
        if not ranks.is_alone:
            outputs_NM = self._add_up(objective, outputs_NM, part, len(targets_N))
        self.scaler.unscale_(self.optimizer)
        # 9. Penalties
        penalty = self.penalties.value()
        if objective.further_terms is not None:
            detached = objective.further_terms.detach()
            penalty = detached if penalty is None else penalty + detached
        self.penalties.add_gradients()
        # 10-11. Norms, clip
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        norms = euclidean_norms(gradients)
        clipping = self.stage.clipping
        was_clipped = None if clipping is None else clip(gradients, norms, clipping)
        # 12-13. Optimizer, scale
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return StepTensors(
            outputs_NM=outputs_NM.detach(),
            targets_N=targets_N,
            data_loss=objective.data_loss.detach(),
            penalty=penalty,
            gradient_norm=norms.norm(),
            gradient_norms=norms,
            was_clipped=was_clipped,
        )

    def _add_up(self, objective: Objective, outputs_NM: Tensor, part: Part, samples: int) -> Tensor:
        """Add the gradients and terms of all ranks, in place; return the outputs of all samples."""
        all_outputs_NM = outputs_NM.new_zeros(samples, outputs_NM.shape[1])
        if part.is_counted:
            all_outputs_NM[part.samples] = outputs_NM.detach()
        terms = [objective.data_loss, objective.further_terms]
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        self.ranks.sum([*gradients, *(t for t in terms if t is not None), all_outputs_NM])
        return all_outputs_NM
