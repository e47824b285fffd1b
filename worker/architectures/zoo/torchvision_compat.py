"""torchvision beside a torch of another build, such as a CPU torch beside the usual wheel.

The wheel's compiled operators then do not load, and its Python code stops at the first one that
it looks up. Two empty declarations let it go on: transforms and models work, its own
non-maximum suppression and image decoders do not.
"""

import importlib
import sys

import torch

FAULT = "operator torchvision::nms does not exist"
SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"

#: Declarations last as long as the object that made them.
_declared: list[torch.library.Library] = []


def import_torchvision() -> None:
    """Import torchvision, with two operators declared where its compiled ones are missing.

    Raises:
        RuntimeError: it fails for another reason.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if FAULT not in str(error):
            raise
    else:
        return
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        library.define(operator + SCHEMA)
    _declared.append(library)
    importlib.import_module("torchvision")
