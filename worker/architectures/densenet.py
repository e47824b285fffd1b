"""DenseNets: each layer of a block receives the outputs of all previous layers."""

from worker.architectures.zoo.registration import ZooModel, register

for _layers, _reference, _size_mib, _depth in (
    (121, 8_062_504, 31, 242),
    (169, 14_307_880, 55, 338),
    (201, 20_242_984, 77, 402),
):
    register(
        ZooModel(
            name=f"densenet{_layers}",
            summary=f"DenseNet-{_layers}: four dense blocks, growth rate 32.",
            source="Huang et al. 2017, arXiv:1608.06993, table 1",
            image_size=224,
            reference=_reference,
            size_mib=_size_mib,
            depth=_depth,
            dropout=0.0,
            epsilon=1e-5,
            keras_batch_norm=(1.001e-5, 0.99),
            stages=(
                *("features.conv0", "features.norm0", "features.denseblock1"),
                *("features.transition1", "features.denseblock2", "features.transition2"),
                *("features.denseblock3", "features.transition3", "features.denseblock4"),
                "features.norm5",
            ),
            timm_name=f"densenet{_layers}",
        )
    )
