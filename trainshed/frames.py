"""Metrics as a pandas frame."""

import importlib
from typing import Any

COLUMNS = ("name", "split", "stage", "step", "epoch", "value", "at")


def metrics_frame(all_series: list[dict[str, Any]]) -> Any:
    """Return a frame with a row for each point; values that are not finite become floats.

    Raises:
        ImportError: pandas is not installed.
    """
    try:
        pandas = importlib.import_module("pandas")
    except ImportError as error:
        raise ImportError("as_frame=True needs pandas: `pip install pandas`.") from error
    rows = [
        {**series, **point, "value": float(point["value"])}
        for series in all_series
        for point in series["points"]
    ]
    frame = pandas.DataFrame(rows, columns=COLUMNS)
    return frame.assign(at=pandas.to_datetime(frame["at"]))
