"""Residual networks with bottlenecks: version 1, and version 2 with identity mappings."""

from worker.architectures.zoo.registration import HALF, ZooModel, numbered, register

DIFFERENCE = "Keras's convolutions {}have a bias, which the following batch norm cancels"

for _layers, _reference, _size_mib, _depth in (
    (50, 25_636_712, 98, 107),
    (101, 44_707_176, 170, 209),
    (152, 60_419_944, 230, 311),
):
    register(
        ZooModel(
            name=f"resnet{_layers}",
            summary=f"ResNet-{_layers}: bottlenecks of three convolutions with a shortcut.",
            source="He et al. 2015, arXiv:1512.03385, table 1",
            image_size=224,
            reference=_reference,
            difference=DIFFERENCE.format(""),
            size_mib=_size_mib,
            depth=_depth,
            dropout=0.0,
            epsilon=1e-5,
            keras_batch_norm=(1.001e-5, 0.99),
            stages=("conv1", "bn1", *numbered("layer", 4, start=1)),
            timm_name=f"resnet{_layers}",
        )
    )

for _layers, _reference, _size_mib, _depth in (
    (50, 25_613_800, 98, 103),
    (101, 44_675_560, 170, 205),
    (152, 60_380_648, 230, 307),
):
    register(
        ZooModel(
            name=f"resnet{_layers}_v2",
            summary=f"ResNet-{_layers} v2: batch norm and ReLU come before each convolution.",
            source="He et al. 2016, arXiv:1603.05027, section 3 and appendix",
            image_size=224,
            reference=_reference,
            difference=DIFFERENCE.format(
                "of the stem, of the shortcuts and at the end of a block "
            ),
            size_mib=_size_mib,
            depth=_depth,
            dropout=0.0,
            epsilon=1e-5,
            keras_batch_norm=(1.001e-5, 0.99),
            stages=("stem", *numbered("stages.", 4), "norm"),
            mean=HALF,
            std=HALF,
            timm_name=f"resnetv2_{_layers}",
            pretrained=None if _layers == 152 else "hub",
        )
    )
