"""The Inception family: parallel filters of several sizes, and Xception."""

from worker.architectures.zoo.registration import HALF, ZooModel, numbered, register

DIFFERENCE = "Keras's batch norm has no scale (gamma) here, ours does"

register(
    ZooModel(
        name="xception",
        summary="Xception: depthwise separable convolutions with a shortcut around each block.",
        source="Chollet 2017, arXiv:1610.02357, fig. 5",
        image_size=299,
        reference=22_910_480,
        size_mib=87,
        depth=81,
        dropout=0.5,
        epsilon=1e-5,
        keras_batch_norm=(1e-3, 0.99),
        stages=(
            *("conv1", "bn1", "conv2", "bn2"),
            *numbered("block", 12, start=1),
            *("conv3", "bn3", "conv4", "bn4"),
        ),
        mean=HALF,
        std=HALF,
        timm_name="legacy_xception",
    )
)

register(
    ZooModel(
        name="inception_v3",
        summary="Inception v3: parallel factorized filters, without the auxiliary classifier.",
        source="Szegedy et al. 2016, arXiv:1512.00567, table 1",
        image_size=299,
        min_image_size=75,
        reference=23_851_784,
        difference=DIFFERENCE,
        size_mib=91,
        depth=189,
        dropout=0.2,
        epsilon=1e-3,
        keras_batch_norm=(1e-3, 0.99),
        stages=(
            *("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1"),
            *("Conv2d_4a_3x3", "Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b"),
            *("Mixed_6c", "Mixed_6d", "Mixed_6e", "Mixed_7a", "Mixed_7b", "Mixed_7c"),
        ),
        mean=HALF,
        std=HALF,
        timm_name="inception_v3",
    )
)

register(
    ZooModel(
        name="inception_resnet_v2",
        summary="Inception-ResNet v2: parallel filters whose output is added to their input.",
        source="Szegedy et al. 2016, arXiv:1602.07261, fig. 15",
        image_size=299,
        min_image_size=75,
        reference=55_873_736,
        difference=DIFFERENCE,
        size_mib=213,
        depth=449,
        dropout=0.2,
        epsilon=1e-3,
        keras_batch_norm=(1e-3, 0.99),
        stages=(
            *("conv2d_1a", "conv2d_2a", "conv2d_2b", "conv2d_3b", "conv2d_4a", "mixed_5b"),
            *("repeat", "mixed_6a", "repeat_1", "mixed_7a", "repeat_2", "block8", "conv2d_7b"),
        ),
        mean=HALF,
        std=HALF,
        timm_name="inception_resnet_v2",
    )
)
