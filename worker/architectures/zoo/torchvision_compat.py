"""Importing torchvision next to another build of torch, for example a CPU build.

The compiled operators of torchvision's wheel then fail to load, and its Python code fails at the
first operator that it looks up. With two empty declarations the import succeeds: transforms and
models work, torchvision's non-maximum suppression and image decoders do not.
"""

import importlib
import sys

import torch

FAULT = "operator torchvision::nms does not exist"
SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"

#: A declaration lasts as long as its library object.
_declared: list[torch.library.Library] = []


def import_torchvision() -> None:
    """Import torchvision; declare two operators if its compiled operators are missing.

    Raises:
        RuntimeError: the import fails for another reason.
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
