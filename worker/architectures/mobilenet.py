"""MobileNets: depthwise separable convolutions for small devices."""

from worker.architectures.zoo.registration import HALF, ZooModel, numbered, register

register(
    ZooModel(
        name="mobilenet",
        summary="MobileNet: a plain chain of depthwise separable convolutions, width 1.",
        source="Howard et al. 2017, arXiv:1704.04861, table 1",
        image_size=224,
        reference=4_253_864,
        size_mib=16,
        depth=55,
        dropout=0.001,
        epsilon=1e-5,
        keras_batch_norm=(1e-3, 0.99),
        stages=("conv_stem", "bn1", *numbered("blocks.", 5)),
        mean=HALF,
        std=HALF,
        timm_name="mobilenetv1_100",
    )
)

register(
    ZooModel(
        name="mobilenet_v2",
        summary="MobileNet v2: inverted residuals between narrow linear layers, width 1.",
        source="Sandler et al. 2018, arXiv:1801.04381, table 2",
        image_size=224,
        reference=3_538_984,
        size_mib=14,
        depth=105,
        dropout=0.2,
        epsilon=1e-5,
        keras_batch_norm=(1e-3, 0.999),
        stages=("conv_stem", "bn1", *numbered("blocks.", 7), "conv_head", "bn2"),
        timm_name="mobilenetv2_100",
    )
)
