"""Which layers a stage trains."""

import pytest

from tests.worker.experiments import data, spec, vgg
from worker.build import build
from worker.registry import SpecError
from worker.training.freezing import check_first, freeze, set_modes


def test_frozen_layers_are_in_evaluation_mode() -> None:
    model = build(spec(architecture=vgg()), data()).model
    set_modes(model, freeze(model, "block2"))
    modes = {name: module.training for name, module in model.named_modules()}
    assert not any(on for name, on in modes.items() if name.startswith("block1"))
    assert all(on for name, on in modes.items() if name.startswith(("block2", "head")))
    set_modes(model, freeze(model, None))
    assert all(module.training for module in model.modules())
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_pattern_selects_the_first_layer_that_it_matches() -> None:
    model = build(spec(architecture=vgg()), data()).model
    freeze(model, "*.conv2")
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert trained[0] == "block1.conv2.weight"
    assert "block1.conv1.weight" not in trained
    assert trained[-1] == "head.output.bias"


def test_pattern_without_a_match_is_refused_with_the_layers() -> None:
    model = build(spec(architecture=vgg()), data()).model
    with pytest.raises(SpecError, match=r"block1, block1\.conv1"):
        check_first(model, "block9")
