"""NASNet-A: stacks of two cells found by a search on small images."""

from worker.architectures.zoo.nasnet_mobile import nasnet_mobile
from worker.architectures.zoo.registration import HALF, ZooModel, numbered, register

SOURCE = "Zoph et al. 2018, arXiv:1707.07012, fig. 4 and appendix A.4"

register(
    ZooModel(
        name="nasnet_mobile",
        summary="NASNet-A (4 @ 1056): 12 normal and 4 reduction cells, for small devices.",
        source=SOURCE,
        image_size=224,
        reference=5_326_716,
        size_mib=20,
        depth=389,
        dropout=0.5,
        epsilon=1e-3,
        keras_batch_norm=(1e-3, 0.9997),
        stages=("stem", *numbered("cells.", 16)),
        mean=HALF,
        std=HALF,
        pretrained=None,
        builder=nasnet_mobile,
    )
)

register(
    ZooModel(
        name="nasnet_large",
        summary="NASNet-A (6 @ 4032): 18 normal and 4 reduction cells.",
        source=SOURCE,
        image_size=331,
        reference=88_949_818,
        size_mib=339,
        depth=533,
        dropout=0.5,
        epsilon=1e-3,
        keras_batch_norm=(1e-3, 0.9997),
        stages=(
            *("conv0", "cell_stem_0", "cell_stem_1"),
            *numbered("cell_", 6),
            "reduction_cell_0",
            *numbered("cell_", 6, start=6),
            "reduction_cell_1",
            *numbered("cell_", 6, start=12),
        ),
        mean=HALF,
        std=HALF,
        timm_name="nasnetalarge",
    )
)
