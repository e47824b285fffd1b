import torch

from tests.worker.experiments import data, experiment, vgg
from worker.boards.probe import MOST_SAMPLES, Probe
from worker.training.freezing import set_modes


def test_gradients_are_of_the_data_loss_in_evaluation_mode() -> None:
    training = experiment(architecture=vgg(), regularizers={"l2": {"weight": 0.1}})
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
    assert torch.equal(one._labels_N, another._labels_N)
    assert len(one._labels_N) == MOST_SAMPLES
