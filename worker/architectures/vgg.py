"""The original VGG networks: 3x3 convolutions in five blocks and two wide dense layers."""

from collections import OrderedDict
from functools import partial

from torch import nn

from worker.architectures.layers import ImageShape
from worker.architectures.zoo.network import Network
from worker.architectures.zoo.registration import ZooModel, numbered, register

WIDTHS = (64, 128, 256, 512, 512)
HIDDEN = 4096
SOURCE = "Simonyan & Zisserman 2014, arXiv:1409.1556, table 1, configuration {}"


def vgg(
    convolutions: tuple[int, ...], image_shape: ImageShape, classes: int, dropout: float
) -> nn.Module:
    """Build five blocks of [3x3 convolution → ReLU] and max-pool 2, then dense 4096, 4096 and M.

    Args:
        convolutions: number of convolutions in each of the five blocks.
        image_shape: channels, height, width; they determine the inputs of the first dense layer.
        classes: number of classes M.
        dropout: fraction of features dropped after each hidden dense layer.
    """
    channels, height, width = image_shape
    body: OrderedDict[str, nn.Module] = OrderedDict()
    for number, (count, filters) in enumerate(zip(convolutions, WIDTHS, strict=True), start=1):
        block: OrderedDict[str, nn.Module] = OrderedDict()
        for position in range(1, count + 1):
            block[f"conv{position}"] = nn.Conv2d(channels, filters, 3, padding=1)
            block[f"activation{position}"] = nn.ReLU()
            channels = filters
        block["pool"] = nn.MaxPool2d(2)
        body[f"block{number}"] = nn.Sequential(block)
        height, width = height // 2, width // 2
    head: OrderedDict[str, nn.Module] = OrderedDict(
        flatten=nn.Flatten(),
        hidden1=nn.Linear(channels * height * width, HIDDEN),
        activation1=nn.ReLU(),
        dropout1=nn.Dropout(dropout),
        hidden2=nn.Linear(HIDDEN, HIDDEN),
        activation2=nn.ReLU(),
        dropout2=nn.Dropout(dropout),
        output=nn.Linear(HIDDEN, classes),
    )
    return Network(nn.Sequential(body), nn.Sequential(head))


for _name, _column, _convolutions, _reference, _size_mib in (
    ("vgg16", "D", (2, 2, 3, 3, 3), 138_357_544, 528),
    ("vgg19", "E", (2, 2, 4, 4, 4), 143_667_240, 548),
):
    register(
        ZooModel(
            name=_name,
            summary=f"VGG with {sum(_convolutions)} convolutions and 3 dense layers.",
            source=SOURCE.format(_column),
            image_size=224,
            reference=_reference,
            size_mib=_size_mib,
            depth=sum(_convolutions) + 3,
            dropout=0.5,
            stages=numbered("block", len(WIDTHS), start=1),
            timm_name=_name,
            builder=partial(vgg, _convolutions),
        )
    )
