"""The graph of a network: its nodes, and that the network is not changed."""

import pytest
import torch
from torch import nn

from worker.registry import architectures
from worker.tensorboard.graph import graph

SHAPE = (3, 32, 32)


def _model(name: str) -> nn.Module:
    return architectures.get(name).function(SHAPE, 10)


@pytest.mark.parametrize("name", ["vgg_small", "mlp", "linear", "resnet50", "efficientnet_lite0"])
def test_the_output_depends_on_the_input_and_on_every_parameter(name: str) -> None:
    with torch.device("meta"):
        model = _model(name)
    nodes = {node.name: node for node in graph(model, SHAPE).node}
    waiting, reached = ["output"], set()
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting += [source for source in nodes[name].input if source not in reached]
    assert "input" in reached
    parameters = {name.replace(".", "/") for name, _ in model.named_parameters()}
    assert parameters <= reached, "a parameter on which the output does not depend"


@pytest.mark.parametrize("name", ["vgg_small", "resnet50"])
def test_every_node_is_connected(name: str) -> None:
    """In evaluation mode batch norm creates an empty tensor and does not use its counter."""
    with torch.device("meta"):
        model = _model(name)
    nodes = graph(model, SHAPE).node
    read = {source for node in nodes for source in node.input}
    assert not [node.name for node in nodes if not node.input and node.name not in read]


def test_an_operation_is_named_after_its_layer_and_has_a_shape() -> None:
    nodes = {node.name: node for node in graph(_model("vgg_small"), SHAPE).node}
    convolution = nodes["block1/conv1/convolution"]
    assert {"input", "block1/conv1/weight", "block1/conv1/bias"} == set(convolution.input)
    (shape,) = convolution.attr["_output_shapes"].list.shape
    assert [dim.size for dim in shape.dim] == [1, 32, 32, 32]


def test_the_network_is_not_changed() -> None:
    model = _model("vgg_small").train()
    model.get_submodule("block1").eval()
    modes = [module.training for module in model.modules()]
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    rng_state = torch.get_rng_state()
    graph(model, SHAPE)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), rng_state)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
