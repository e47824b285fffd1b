"""A network's graph for TensorBoard: every operation, grouped by layer.

The network runs once on tensors of the meta device. That takes no memory, draws no random numbers
and leaves the network unchanged.
"""
# protobuf generates the message classes at run time, so that a type checker does not know them.
# pyright: reportAttributeAccessIssue=false

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from tensorboard.compat.proto.attr_value_pb2 import AttrValue
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.node_def_pb2 import NodeDef
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.versions_pb2 import VersionDef
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from worker.training.evaluation_mode import evaluation_mode

#: The version of the graph format.
PRODUCER = 22


def graph(model: nn.Module, image_shape: tuple[int, ...]) -> GraphDef:
    """Return the graph of a network in evaluation mode.

    Args:
        model: the network, which is not changed.
        image_shape: the shape of its input [C, H, W].

    Raises:
        RuntimeError: an operation cannot run on the meta device.
        NotImplementedError: an operation does not support the meta device.
    """
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    state = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors.items()}
    image = torch.empty((1, *image_shape), device="meta")
    with (
        evaluation_mode(model),
        torch.no_grad(),
        _track_layers(model) as layers,
        _Recorder(layers) as recorder,
    ):
        recorder.add_node("input", "Placeholder", [], image)
        for name, tensor in state.items():
            recorder.add_node(name.replace(".", "/"), "Parameter", [], tensor)
        output = functional_call(model, state, (image,))
        recorder.add_node("output", "Identity", [output], None)
    read = {name for node in recorder.nodes for name in node.input}
    # A node without inputs that no node reads, such as batch norm's counter, is left out.
    nodes = [node for node in recorder.nodes if node.input or node.name in read]
    return GraphDef(node=nodes, versions=VersionDef(producer=PRODUCER))


@contextmanager
def _track_layers(model: nn.Module) -> Iterator[list[str]]:
    """Yield the names of the layers that run at the moment, innermost last."""
    layers = [""]

    def enter(name: str) -> Any:
        return lambda *_: layers.append(name)

    with ExitStack() as hooks:
        for name, module in model.named_modules():
            if name:
                hooks.enter_context(module.register_forward_pre_hook(enter(name)))
                hooks.enter_context(module.register_forward_hook(lambda *_: layers.pop() and None))
        yield layers


class _Recorder(TorchDispatchMode):
    """Records every operation, with the operations whose outputs it reads."""

    def __init__(self, layers: list[str]) -> None:
        super().__init__()
        self.nodes: list[NodeDef] = []
        self._layers = layers
        self._sources: dict[int, str] = {}
        #: Keeps every tensor alive, so that no id is used twice.
        self._tensors: list[Any] = []
        self._names: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        operation = func.overloadpacket.__name__
        layer = self._layers[-1].replace(".", "/")
        name = f"{layer}/{operation}" if layer else operation
        self.add_node(name, operation, tree_leaves((args, kwargs)), result)
        return result

    def add_node(self, name: str, operation: str, inputs: list[Any], result: Any) -> None:
        """Add a node and remember which tensors it returns."""
        self._names[name] += 1
        number = self._names[name]
        unique = name if number == 1 else f"{name}_{number}"
        sources = [self._sources[id(value)] for value in inputs if id(value) in self._sources]
        outputs = [value for value in tree_leaves(result) if isinstance(value, Tensor)]
        shapes = [
            TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in output.shape])
            for output in outputs
        ]
        attributes = {"_output_shapes": AttrValue(list=AttrValue.ListValue(shape=shapes))}
        self.nodes.append(NodeDef(name=unique, op=operation, input=sources, attr=attributes))
        self._tensors += [*inputs, *outputs]
        self._sources |= {id(output): unique for output in outputs}
