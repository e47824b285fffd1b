"""Strategies for tables as people send them: most are fine, and many have something odd."""

import csv
import datetime as dt
import io
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st
from pyarrow import parquet

INDEX = "__index_level_0__"
#: Mostly plain; each odd name is drawn about as often as one of these.
NAMES = ["a", "b", "c", "size", "größe", "x y", "a.b", " d", "e,f", '"q"', "Unnamed: 0", "n" * 200]
ODD_NAMES = ["", " ", "a\u200b", "\ufeffb", "n" * 201, "line\nbreak", INDEX, "label", "a"]
#: Values of features.
NUMBERS: list[st.SearchStrategy[Any]] = [
    st.integers(-5, 5),
    st.floats(-10, 10),
    st.integers(1_700_000_000, 1_700_000_020),
    st.sampled_from([1e-300, 2e-300, 0.0, 5e-324]),
    st.sampled_from([3.4e38, -3.4e38, 1.0, 1e-30]),
    st.booleans(),
    st.just(0.1),
]
ODD_VALUES: list[st.SearchStrategy[Any]] = [
    st.sampled_from(["?", "x", "1", "nan", ""]),
    st.sampled_from([1.5, None]),
    st.sampled_from([float("nan"), float("inf"), 1e300, 1.0]),
    st.just(dt.date(2024, 1, 1)),
    st.just(dt.datetime(2024, 1, 1, tzinfo=dt.UTC)),
    st.sampled_from([[1], [2, 3]]),
    st.just({"x": 1}),
    st.just(b"\xff"),
    st.none(),
]
LABELS: list[st.SearchStrategy[Any]] = [
    st.sampled_from(["cat", "dog", "owl"]),
    st.sampled_from(["01", "1", "2"]),
    st.sampled_from(["café", "thé", "eau, oui"]),
    st.integers(0, 3),
    st.sampled_from([0.0, 1.0, 2.0]),
    st.sampled_from([Decimal("1.0"), Decimal("2.0")]),
    st.booleans(),
    st.floats(-100, 100),
    st.sampled_from([dt.date(2024, 1, 1), dt.date(2024, 1, 2)]),
]
ODD_LABELS: list[st.SearchStrategy[Any]] = [
    st.sampled_from(["cat", "", "dog"]),
    st.sampled_from(["cat", "NA", None]),
    st.sampled_from([1.0, float("nan"), 2.0]),
    st.just("same"),
    st.sampled_from(["x" * 201, "y"]),
    st.sampled_from(["a\nb", "a\x1b", "c"]),
    st.sampled_from([[1], [2]]),
    st.sampled_from([b"caf\xe9", b"cat"]),
    st.text(max_size=3),
]
TYPES = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}


@st.composite
def _columns(draw: st.DrawFn) -> tuple[list[str], list[list[Any]]]:
    """Draw names and values of columns, the target among them; one in three has an oddity."""
    is_odd = draw(st.integers(0, 2)) == 0
    rows = draw(st.sampled_from([0, 1, 2, 3, 4] if is_odd and draw(st.booleans()) else [6, 12]))
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    kinds = [draw(st.sampled_from(NUMBERS)) for _ in names]
    if is_odd and draw(st.booleans()):
        names[0] = draw(st.sampled_from(ODD_NAMES))
    if is_odd and draw(st.booleans()):
        kinds[-1] = draw(st.sampled_from(ODD_VALUES))
    names.append("label")
    kinds.append(draw(st.sampled_from(ODD_LABELS if is_odd and draw(st.booleans()) else LABELS)))
    values = [draw(st.lists(kind, min_size=rows, max_size=rows)) for kind in kinds]
    order = draw(st.permutations(range(len(names))))
    if draw(st.integers(0, 3)) == 0:
        names.append(draw(st.sampled_from(["", INDEX, "Unnamed: 0"])))
        values.append(list(range(rows)))
        order = [len(order), *order]
    return [names[i] for i in order], [values[i] for i in order]


@st.composite
def _csv(draw: st.DrawFn, names: list[str], values: list[list[Any]]) -> bytes:
    text = io.StringIO()
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    writer = csv.writer(text, quoting=quoting, lineterminator=end)
    writer.writerows([names, *zip(*values, strict=True)])
    encodings = ["utf-8", "utf-8-sig"] * 4 + ["latin-1", "utf-16", "cp1252"]
    content = text.getvalue().encode(draw(st.sampled_from(encodings)), "replace")
    if draw(st.integers(0, 9)) == 0:
        content = content.replace(end.encode(), end.encode() * 2)
    return content


@st.composite
def _parquet(draw: st.DrawFn, names: list[str], values: list[list[Any]]) -> bytes:
    arrays = list[pa.Array]()
    for column in values:
        try:
            array = pa.array(column, TYPES.get(type(column[0])) if column else pa.int64())
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            array = pa.array([str(value) for value in column])
        if draw(st.integers(0, 9)) == 0 and pa.types.is_string(array.type):
            array = array.dictionary_encode()
        arrays.append(array)
    table = pa.table(arrays, names=names)
    if draw(st.booleans()):
        index = draw(st.sampled_from([[INDEX], [names[0]], [{"kind": "range"}], None, [None, 3]]))
        metadata = json.dumps({"index_columns": index}).encode()
        table = table.replace_schema_metadata({"pandas": metadata})
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    return buffer.getvalue()


@st.composite
def table_file(draw: st.DrawFn) -> tuple[str, list[str], bytes]:
    """Draw a table: the suffix of its file, the names of its columns, and the content."""
    names, values = draw(_columns())
    suffix = draw(st.sampled_from(["csv", "parquet"]))
    content = draw((_csv if suffix == "csv" else _parquet)(names, values))
    if draw(st.integers(0, 15)) == 0:  # damaged
        begin = draw(st.integers(0, len(content)))
        content = content[:begin] + draw(st.binary(max_size=4)) + content[begin + 4 :]
    return suffix, names, content


@st.composite
def specification(draw: st.DrawFn, file: str, names: list[str]) -> dict[str, Any]:
    """Draw a specification of a job on a table."""
    loss = draw(st.sampled_from(["cross_entropy", "l2", "cross_entropy", "hinge", "logistic"]))
    dataset: dict[str, Any] = {"name": "table", "file": file, "target": "label"}
    if draw(st.integers(0, 9)) == 0:
        dataset["target"] = draw(st.sampled_from([*names, "lable"])) or "label"
    if draw(st.integers(0, 3)) == 0:
        chosen = st.lists(st.sampled_from([*names, "aa"]), min_size=1, max_size=3)
        dataset["features"] = [name for name in draw(chosen) if name != "label"] or ["a"]
    dataset["normalization"] = draw(st.sampled_from([None, None, "standardize", "none"]))
    if loss == "l2":
        dataset["target_normalization"] = draw(st.sampled_from([None, None, "none"]))
    elif draw(st.booleans()):
        loss = {"name": loss, "class_weights": "balanced"}
    if draw(st.integers(0, 5)) == 0:
        dataset |= {"train": draw(st.integers(1, 4)), "test": draw(st.integers(1, 3))}
    architecture = draw(st.sampled_from(["linear", {"name": "mlp", "hidden_units": [3]}]))
    batch_size = draw(st.sampled_from([1, 2, 64]))
    return {
        "dataset": dataset,
        "architecture": architecture,
        "loss": loss,
        "training": {"epochs": 1, "batch_size": batch_size},
    }
