"""Plots of the catalogue as positions."""

import pytest

from api.dashboard.charts.plot_chart import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, draw_plot
from shared.catalog import load_plots

PLOT = {
    "title": "t",
    "x_label": "x",
    "y_label": "y",
    "is_x_log": False,
    "is_y_log": False,
    "lines": [{"label": "a", "x": [0, 1, 2], "y": [0, 1, 2]}],
}


def test_lines_span_the_frame() -> None:
    chart = draw_plot(PLOT)
    corner = f"M{float(LEFT)},{float(HEIGHT - BOTTOM)}L"
    assert chart.lines[0]["path"].startswith(corner)
    assert chart.lines[0]["path"].endswith(f"{float(WIDTH - RIGHT)},{float(TOP)}")


def test_a_value_without_a_place_is_a_gap() -> None:
    line = {"label": "a", "x": [1, 2, 3, 4, 5], "y": [1, 2, 0, 3, 4]}
    chart = draw_plot({**PLOT, "is_y_log": True, "lines": [line]})
    assert chart.lines[0]["path"].count("M") == 2


@pytest.mark.parametrize("slot", load_plots())
def test_every_plot_of_the_catalogue_can_be_drawn(slot: str) -> None:
    for plots in load_plots()[slot].values():
        for plot in plots:
            chart = draw_plot(plot)
            assert len(chart.lines) <= 5
            assert all(line["path"].startswith("M") for line in chart.lines)
