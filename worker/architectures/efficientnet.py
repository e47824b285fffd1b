"""EfficientNets: a network scaled in width, depth and image size at the same time."""

from worker.architectures.zoo.registration import HALF, ZooModel, numbered, register

STAGES = ("conv_stem", "bn1", *numbered("blocks.", 7), "conv_head", "bn2")

for _step, _image_size, _dropout, _reference, _size_mib, _depth in (
    (0, 224, 0.2, 5_330_571, 20, 132),
    (1, 240, 0.2, 7_856_239, 30, 186),
    (2, 260, 0.3, 9_177_569, 35, 186),
    (3, 300, 0.3, 12_320_535, 47, 210),
    (4, 380, 0.4, 19_466_823, 74, 258),
    (5, 456, 0.4, 30_562_527, 117, 312),
    (6, 528, 0.5, 43_265_143, 165, 360),
    (7, 600, 0.5, 66_658_687, 254, 438),
):
    register(
        ZooModel(
            name=f"efficientnet_b{_step}",
            summary=f"EfficientNet-B{_step}: inverted residuals with squeeze-and-excitation, "
            f"scaled for {_image_size} pixels.",
            source="Tan & Le 2019, arXiv:1905.11946, table 1 and section 3.3",
            image_size=_image_size,
            reference=_reference,
            difference="Keras counts the 7 values of a layer that normalizes the images",
            size_mib=_size_mib,
            depth=_depth,
            dropout=_dropout,
            epsilon=1e-3,
            keras_batch_norm=(1e-3, 0.99),
            stages=STAGES,
            timm_name=f"tf_efficientnet_b{_step}",
        )
    )

register(
    ZooModel(
        name="efficientnet_lite0",
        summary="EfficientNet-Lite0: B0 with ReLU6 and without squeeze-and-excitation.",
        source="Liu 2020, EfficientNet-Lite, tensorflow/tpu; after Tan & Le 2019, arXiv:1905.11946",
        image_size=224,
        reference=None,
        size_mib=18,
        depth=None,
        dropout=0.2,
        epsilon=1e-3,
        stages=STAGES,
        mean=HALF,
        std=HALF,
        timm_name="tf_efficientnet_lite0",
        pretrained="package",
    )
)
