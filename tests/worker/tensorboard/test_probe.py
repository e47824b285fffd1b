"""The gradients of the probe, and that the training is not changed."""

import pytest
import torch

from tests.worker.experiments import data, experiment, vgg
from worker.tensorboard.probe import MAX_SAMPLES, Probe
from worker.training.freezing import set_modes


def test_gradients_are_those_of_the_data_loss_in_evaluation_mode() -> None:
    """The sample is processed in batches, here of 8, 8, 8 and 3 samples."""
    regularizers = {"l2": {"weight": 0.1}}
    training = experiment(bundle=data(train=27), architecture=vgg(), regularizers=regularizers)
    probe, model = Probe(training), training.model
    model.train()
    gradients = probe.gradients()
    model.eval()
    images_NCHW = training.splits.train.images.float()
    mean = images_NCHW.div(255).mean((0, 2, 3), keepdim=True)
    deviation = images_NCHW.div(255).std((0, 2, 3), keepdim=True, correction=0)
    outputs_NM = model((images_NCHW / 255 - mean) / deviation)
    torch.nn.functional.cross_entropy(outputs_NM, training.splits.train.labels).backward()
    assert set(gradients) == {name for name, _ in model.named_parameters()}
    for name, parameter in model.named_parameters():
        assert torch.allclose(gradients[name], parameter.grad, atol=1e-5, rtol=1e-3), name


@pytest.mark.parametrize(
    ("precision", "batch_size", "largest"),
    [("float32", 8, 8), ("float16", 8, 4), ("bfloat16", 1, 1), ("float32", 512, MAX_SAMPLES)],
)
def test_no_batch_takes_more_memory_than_a_step(
    precision: str, batch_size: int, largest: int
) -> None:
    training = experiment(
        bundle=data(train=2 * MAX_SAMPLES),
        training={"batch_size": batch_size, "precision": precision},
    )
    batch_sizes: list[int] = []
    training.model.register_forward_hook(lambda _, inputs, __: batch_sizes.append(len(inputs[0])))
    Probe(training).gradients()
    assert max(batch_sizes) == largest
    assert sum(batch_sizes) == MAX_SAMPLES


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_gradients_are_computed_in_float32_whatever_the_training_s_precision(
    precision: str,
) -> None:
    """In half precision small gradients would be 0."""
    exact = Probe(experiment(architecture=vgg())).gradients()
    gradients = Probe(experiment(architecture=vgg(), training={"precision": precision})).gradients()
    for name, gradient in exact.items():
        assert torch.allclose(gradients[name], gradient, atol=1e-6, rtol=1e-4), name


def test_the_training_is_not_changed() -> None:
    training = experiment(architecture=vgg())
    model = training.model.train()
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    rng_state = torch.get_rng_state()
    Probe(training).gradients()
    assert all(torch.equal(p.grad, torch.ones_like(p)) for p in model.parameters())
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), rng_state)
    assert all(module.training for module in model.modules())


def test_frozen_parameters_have_no_gradients() -> None:
    training = experiment(architecture=vgg())
    for name, parameter in training.model.named_parameters():
        parameter.requires_grad_(name.startswith("head."))
    set_modes(training.model, ())
    assert all(name.startswith("head.") for name in Probe(training).gradients())


def test_the_sample_is_small_and_depends_only_on_the_seed() -> None:
    training = experiment(bundle=data(train=MAX_SAMPLES * 2))
    first, second = Probe(training), Probe(training)
    assert torch.equal(first._sample.labels_N, second._sample.labels_N)
    assert len(first._sample) == MAX_SAMPLES
