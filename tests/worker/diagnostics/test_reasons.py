"""Every reason of the checklist is covered by a rule, an analysis or a test."""

import ast
from pathlib import Path

import pytest
import torch

from tests.worker.experiments import experiment
from worker.diagnostics.reasons import REASONS, markdown_rows, rules_for
from worker.registry import analyses

ROOT = Path(__file__).parents[3]
NUMBERED = [*enumerate(REASONS, start=1)]


def test_checklist_has_37_reasons() -> None:
    assert len(REASONS) == 37
    assert len({reason.title for reason in REASONS}) == 37


@pytest.mark.parametrize("number", [number for number, _ in NUMBERED])
def test_reason_is_covered(number: int) -> None:
    reason = REASONS[number - 1]
    assert rules_for(number) or reason.analyses or reason.impossible
    assert {*reason.analyses} <= analyses.entries().keys()
    assert bool(reason.impossible) == bool(reason.test)


@pytest.mark.parametrize("test", [reason.test for reason in REASONS if reason.test])
def test_test_that_a_reason_names_exists(test: str) -> None:
    path, _, name = test.partition("::")
    functions = ast.walk(ast.parse((ROOT / path).read_text()))
    assert name in {node.name for node in functions if isinstance(node, ast.FunctionDef)}


def test_documentation_has_the_map() -> None:
    page = (ROOT / "docs" / "diagnostics.md").read_text()
    missing = [row for row in markdown_rows() if row not in page]
    assert not missing, "\n".join(["docs/diagnostics.md lacks:", *missing])


def test_every_split_has_the_same_normalization() -> None:
    built = experiment(dataset={"name": "any", "normalization": "standardize"})
    splits = (built.splits.train, built.splits.validation, built.splits.test)
    same = built.splits.train.images[:4]
    expected = built.on_device(built.splits.train).batch(slice(0, 4))[0]
    for split in splits:
        images = split.images
        assert isinstance(images, torch.Tensor)
        images[:4] = same
        assert torch.equal(built.on_device(split).batch(slice(0, 4))[0], expected)
