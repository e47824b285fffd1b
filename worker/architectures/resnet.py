"""Residual networks with bottlenecks: the first version, and the second with identity mappings."""

from worker.architectures.zoo.record import HALF, Record, numbered, register

DIFFERENCE = "Keras's convolutions {}have a bias, which the batch norm after them makes idle"

for _layers, _reference, _size_mib, _depth in (
    (50, 25_636_712, 98, 107),
    (101, 44_707_176, 170, 209),
    (152, 60_419_944, 230, 311),
):
    register(
        Record(
            name=f"resnet{_layers}",
            summary=f"ResNet-{_layers}: bottlenecks of three convolutions with a way around them.",
            source="He et al. 2015, arXiv:1512.03385, table 1",
            image_size=224,
            reference=_reference,
            difference=DIFFERENCE.format(""),
            size_mib=_size_mib,
            depth=_depth,
            dropout=0.0,
            stages=("conv1", "bn1", *numbered("layer", 4, start=1)),
            library_name=f"resnet{_layers}",
        )
    )

for _layers, _reference, _size_mib, _depth in (
    (50, 25_613_800, 98, 103),
    (101, 44_675_560, 170, 205),
    (152, 60_380_648, 230, 307),
):
    register(
        Record(
            name=f"resnet{_layers}_v2",
            summary=f"ResNet-{_layers} v2: batch norm and ReLU come before each convolution.",
            source="He et al. 2016, arXiv:1603.05027, section 3 and appendix",
            image_size=224,
            reference=_reference,
            difference=DIFFERENCE.format("of the stem, of the ways around and last in a block "),
            size_mib=_size_mib,
            depth=_depth,
            dropout=0.0,
            stages=("stem", *numbered("stages.", 4), "norm"),
            mean=HALF,
            std=HALF,
            library_name=f"resnetv2_{_layers}",
            pretrained=None if _layers == 152 else "hub",
        )
    )
