"""A network's graph as TensorBoard shows it: every operation, in the layer that it belongs to.

Seen by running the network once on tensors without storage, which takes no memory, draws no
random number and changes nothing in it.
"""
# The messages' modules are generated: a checker sees nothing in them.
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

from worker.tensorboard.modes import evaluating

#: The version of the format that TensorBoard reads.
PRODUCER = 22


def graph(model: nn.Module, image_shape: tuple[int, ...]) -> GraphDef:
    """The graph of a network in evaluation mode.

    Args:
        model: the network; as it was when this returns.
        image_shape: of its input, without the batch.
    """
    shapes = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    state = {name: torch.empty_like(tensor, device="meta") for name, tensor in shapes.items()}
    image = torch.empty((1, *image_shape), device="meta")
    with evaluating(model), torch.no_grad(), _scoped(model) as scope, _Recorder(scope) as recorder:
        recorder.name("input", "Placeholder", [], image)
        for name, tensor in state.items():
            recorder.name(name.replace(".", "/"), "Parameter", [], tensor)
        output = functional_call(model, state, (image,))
        recorder.name("output", "Identity", [output], None)
    read = {name for node in recorder.nodes for name in node.input}
    # What reads nothing and is read by nobody says nothing: batch norm's counter, say.
    nodes = [node for node in recorder.nodes if node.input or node.name in read]
    return GraphDef(node=nodes, versions=VersionDef(producer=PRODUCER))


@contextmanager
def _scoped(model: nn.Module) -> Iterator[list[str]]:
    """The names of the layers at work, innermost last."""
    scope = [""]

    def enter(name: str) -> Any:
        return lambda *_: scope.append(name)

    with ExitStack() as hooks:
        for name, module in model.named_modules():
            if name:
                hooks.enter_context(module.register_forward_pre_hook(enter(name)))
                hooks.enter_context(module.register_forward_hook(lambda *_: scope.pop() and None))
        yield scope


class _Recorder(TorchDispatchMode):
    """Notes every operation with the operations that its tensors come from."""

    def __init__(self, scope: list[str]) -> None:
        super().__init__()
        self.nodes: list[NodeDef] = []
        self._scope = scope
        self._sources: dict[int, str] = {}
        #: Kept, so that no later tensor has the identity of one that is gone.
        self._seen: list[Any] = []
        self._names: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        operation = func.overloadpacket.__name__
        layer = self._scope[-1].replace(".", "/")
        name = f"{layer}/{operation}" if layer else operation
        self.name(name, operation, tree_leaves((args, kwargs)), result)
        return result

    def name(self, name: str, operation: str, inputs: list[Any], result: Any) -> None:
        """A node, and the tensors that come out of it."""
        self._names[name] += 1
        number = self._names[name]
        unique = name if number == 1 else f"{name}_{number}"
        known = [self._sources[id(one)] for one in inputs if id(one) in self._sources]
        results = [one for one in tree_leaves(result) if isinstance(one, Tensor)]
        shapes = [
            TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in one.shape])
            for one in results
        ]
        attributes = {"_output_shapes": AttrValue(list=AttrValue.ListValue(shape=shapes))}
        self.nodes.append(NodeDef(name=unique, op=operation, input=known, attr=attributes))
        self._seen += [*inputs, *results]
        self._sources |= {id(one): unique for one in results}
