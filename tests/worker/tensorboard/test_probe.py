import pytest
import torch

from tests.worker.experiments import data, experiment, vgg
from worker.tensorboard.probe import MOST_SAMPLES, Probe
from worker.training.freezing import set_modes


def test_gradients_are_of_the_data_loss_of_the_whole_sample_in_evaluation_mode() -> None:
    """Though it goes through in parts, here of 8, 8, 8 and 3 samples."""
    regularizers = {"l2": {"weight": 0.1}}
    training = experiment(bundle=data(train=27), architecture=vgg(), regularizers=regularizers)
    probe, model = Probe(training), training.model
    model.train()
    found = probe.gradients()
    model.eval()
    images_NCHW = training.splits.train.images.float()
    mean = images_NCHW.div(255).mean((0, 2, 3), keepdim=True)
    deviation = images_NCHW.div(255).std((0, 2, 3), keepdim=True, correction=0)
    outputs_NM = model((images_NCHW / 255 - mean) / deviation)
    torch.nn.functional.cross_entropy(outputs_NM, training.splits.train.labels).backward()
    assert set(found) == {name for name, _ in model.named_parameters()}
    for name, parameter in model.named_parameters():
        assert torch.allclose(found[name], parameter.grad, atol=1e-5, rtol=1e-3), name


@pytest.mark.parametrize(
    ("precision", "batch_size", "largest"),
    [("float32", 8, 8), ("float16", 8, 4), ("bfloat16", 1, 1), ("float32", 512, MOST_SAMPLES)],
)
def test_no_part_takes_more_memory_than_a_step(
    precision: str, batch_size: int, largest: int
) -> None:
    training = experiment(
        bundle=data(train=2 * MOST_SAMPLES),
        training={"batch_size": batch_size, "precision": precision},
    )
    seen: list[int] = []
    training.model.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    Probe(training).gradients()
    assert max(seen) == largest
    assert sum(seen) == MOST_SAMPLES


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_gradients_are_in_float32_whatever_the_training_computes_in(precision: str) -> None:
    """So that none is 0 because half precision knows nothing so small."""
    exact = Probe(experiment(architecture=vgg())).gradients()
    found = Probe(experiment(architecture=vgg(), training={"precision": precision})).gradients()
    for name, gradient in exact.items():
        assert torch.allclose(found[name], gradient, atol=1e-6, rtol=1e-4), name


def test_nothing_of_the_training_is_touched() -> None:
    training = experiment(architecture=vgg())
    model = training.model.train()
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    drawn = torch.get_rng_state()
    Probe(training).gradients()
    assert all(torch.equal(p.grad, torch.ones_like(p)) for p in model.parameters())
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(module.training for module in model.modules())


def test_frozen_weights_have_none() -> None:
    training = experiment(architecture=vgg())
    for name, parameter in training.model.named_parameters():
        parameter.requires_grad_(name.startswith("head."))
    set_modes(training.model, ())
    assert all(name.startswith("head.") for name in Probe(training).gradients())


def test_the_sample_is_the_same_whenever_it_is_drawn_and_small() -> None:
    training = experiment(bundle=data(train=MOST_SAMPLES * 2))
    one, another = Probe(training), Probe(training)
    assert torch.equal(one._sample.labels_N, another._sample.labels_N)
    assert len(one._sample) == MOST_SAMPLES
