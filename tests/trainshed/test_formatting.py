import pytest

from trainshed import formatting


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (1e-5, "1e-05"),
        (0.00025, "0.00025"),
        (-0.0001234, "-0.000123"),
        (0.1755382, "0.1755"),
        (2.3025, "2.3025"),
        (504.5123, "504.5"),
        (3541.7476, "3,541.7"),
        (1.5e30, "1.5e+30"),
        (7, "7"),
        ("nan", "nan"),
    ],
)
def test_a_figure_is_short_and_never_reads_as_0_when_it_is_not(
    value: float | str, shown: str
) -> None:
    assert formatting.figure(value) == shown


@pytest.mark.parametrize(
    ("count", "shown"), [(267, "267 B"), (39_117, "38.2 KiB"), (2**21, "2.0 MiB")]
)
def test_a_small_file_is_not_of_0_mib(count: int, shown: str) -> None:
    assert formatting.size(count) == shown
