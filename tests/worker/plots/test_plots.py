"""The plots of the catalogue, which the methods' own code computes."""

import math

import pytest

from shared import catalog
from worker.plots.generate import _is_near, generate, is_fresh

PLOTS = catalog.load_plots()


def _line(slot: str, name: str, plot: int = 0, line: int = 0) -> list[tuple[float, float]]:
    found = PLOTS[slot][name][plot]["lines"][line]
    return list(zip(found["x"], found["y"], strict=True))


def test_the_committed_plots_are_fresh() -> None:
    assert is_fresh(generate()), "run `make catalog` and commit shared/catalog_plots.json"


def test_plots_have_lines_of_finite_numbers() -> None:
    methods = catalog.load()
    for slot, by_name in PLOTS.items():
        assert set(by_name) <= set(methods[slot])
        for plots in by_name.values():
            for plot in plots:
                assert plot["title"]
                for line in plot["lines"]:
                    assert len(line["x"]) == len(line["y"]) >= 2
                    assert all(map(math.isfinite, [*line["x"], *line["y"]]))
    for slot in ("schedules", "initializers", "losses", "optimizers"):
        assert set(PLOTS[slot]) == set(methods[slot])


@pytest.mark.parametrize(
    ("name", "at", "factor"),
    [("cosine", 5000, 0.5), ("inverse_time", 4000, 0.5), ("step", 2000, 0.01)],
)
def test_schedules_follow_their_formulas(name: str, at: int, factor: float) -> None:
    assert dict(_line("schedules", name))[at] == pytest.approx(factor, rel=1e-3)


def test_weights_have_the_deviation_of_their_formula() -> None:
    for width, deviation in _line("initializers", "he_normal", plot=1)[2:]:
        assert deviation == pytest.approx(math.sqrt(2 / width), rel=0.05)


def test_losses_and_activations_follow_their_formulas() -> None:
    assert dict(_line("losses", "cross_entropy"))[0] == pytest.approx(math.log(2), rel=1e-3)
    assert dict(_line("losses", "l2"))[2] == pytest.approx(4)
    names = [line["label"] for line in PLOTS["architectures"]["mlp"][0]["lines"]]
    relu = _line("architectures", "mlp", line=names.index("relu"))
    assert all(y == max(0, x) for x, y in relu)


def test_every_optimizer_descends() -> None:
    for name in PLOTS["optimizers"]:
        heights = [height for _, height in _line("optimizers", name, plot=1)]
        assert heights[-1] < heights[0] / 10


def test_another_curve_is_not_near() -> None:
    first = {"a": [{"x": [1.0, 2.0]}]}
    assert _is_near(first, {"a": [{"x": [1.0, 2.0001]}]}, 1e-3)
    assert not _is_near(first, {"a": [{"x": [1.0, 2.1]}]}, 1e-3)
    assert not _is_near(first, {"b": [{"x": [1.0, 2.0]}]}, 1e-3)
