"""How long a job is predicted to take."""

import random
from dataclasses import replace
from math import inf, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.jobs.estimates.durations import (
    Z90,
    History,
    Observation,
    predict_duration,
    predict_epoch,
    predict_remaining,
    z90_of,
)
from tests.shared.jobs.estimates.examples import CPU, cost, observation

OWN = cost()
#: Of the same architecture, and of another.
RELATED = cost(training={"batch_size": 256})
FOREIGN = cost(architecture={"name": "vgg16"}, dataset={"image_size": 32})
_times = st.lists(st.floats(1e-9, 1e6), min_size=1, max_size=25)


def _seen(*seconds: float, **values: float) -> list[Observation]:
    return [observation(OWN, each, **values) for each in seconds]


def test_without_any_attempt_nothing_is_predicted() -> None:
    assert predict_duration(OWN, History()) is None
    assert predict_epoch(OWN, History()) is None


def test_a_kind_that_is_known_well_takes_its_median() -> None:
    rows = _seen(*[0.01] * 9, 0.5, overhead_seconds=2.0)
    found = predict_duration(OWN, History(seen=rows, architecture=rows, cold=rows))
    assert found is not None
    assert (found.basis, found.attempts) == ("seen", 10)
    assert found.p50 == pytest.approx(4000 * 0.01 + 2.0, rel=0.02)
    assert found.p50 < found.p90 < 1.5 * found.p50


def test_the_time_grows_with_the_epochs_and_the_overhead_does_not() -> None:
    known = History(seen=_seen(*[0.01] * 5, overhead_seconds=2.0))
    long = replace(OWN, passes=10 * OWN.passes)
    short, tenfold = predict_duration(OWN, known), predict_duration(long, known)
    assert short is not None
    assert tenfold is not None
    assert tenfold.p50 - 2.0 == pytest.approx(10 * (short.p50 - 2.0), rel=1e-6)


def test_an_unknown_kind_is_predicted_from_others_with_a_wider_range() -> None:
    related = [observation(RELATED, 0.01, overhead_seconds=1.0)] * 5
    foreign = [observation(FOREIGN, 0.01, overhead_seconds=1.0)] * 5
    seen = predict_duration(OWN, History(_seen(*[0.01] * 5), related, foreign))
    architecture = predict_duration(OWN, History((), related, foreign))
    cold = predict_duration(OWN, History((), (), foreign))
    assert seen is not None
    assert architecture is not None
    assert cold is not None
    assert [each.basis for each in (seen, architecture, cold)] == ["seen", "architecture", "cold"]
    assert seen.sigma < architecture.sigma < cold.sigma


def test_many_attempts_of_one_kind_count_as_one_for_other_kinds() -> None:
    once = predict_duration(OWN, History(cold=[observation(FOREIGN, 0.01)]))
    often = predict_duration(OWN, History(cold=[observation(FOREIGN, 0.01)] * 50))
    assert once == often


def test_attempts_that_stopped_early_shorten_the_median() -> None:
    rows = [
        observation(OWN, 0.01, fraction=fraction, overhead_seconds=0.0)
        for fraction in (0.2, 0.3, 0.3, 0.4, 1.0)
    ]
    found = predict_duration(OWN, History(seen=rows))
    assert found is not None
    assert found.p50 == pytest.approx(0.3 * 40.0, rel=0.05)


def test_a_time_limit_caps_both_percentiles() -> None:
    limited = replace(OWN, limit_seconds=30.0)
    found = predict_duration(limited, History(seen=_seen(*[0.01] * 5)))
    assert found is not None
    assert (found.p50, found.p90) == (30.0, 30.0)


def test_attempts_with_neighbours_count_only_where_there_are_few_others() -> None:
    alone = _seen(*[0.01] * 3)
    shared = _seen(*[0.03] * 9, sharers=2)
    found = predict_duration(OWN, History(seen=[*alone, *shared]))
    assert found is not None
    assert found.attempts == 3
    found = predict_duration(OWN, History(seen=[*alone[:2], *shared]))
    assert found is not None
    assert found.attempts == 11


def test_attempts_on_devices_of_the_box_are_preferred() -> None:
    rows = [*_seen(*[0.01] * 3), *(replace(row, device_model="GPU") for row in _seen(0.1, 0.1))]
    found = predict_duration(OWN, History(seen=rows, models=frozenset({"GPU"})))
    assert found is not None
    assert (found.attempts, round(found.p50 / 400)) == (2, 1)
    elsewhere = predict_duration(OWN, History(seen=rows, models=frozenset({"TPU"})))
    assert elsewhere is not None
    assert elsewhere.attempts == 5
    assert CPU in {row.device_model for row in rows}


@given(_times, _times, _times)
def test_predictions_are_finite_ordered_and_within_bounds(
    seen: list[float], related: list[float], foreign: list[float]
) -> None:
    known = History(
        _seen(*seen),
        [observation(RELATED, each) for each in related],
        [observation(FOREIGN, each, overhead_seconds=0.0) for each in foreign],
    )
    found = predict_duration(OWN, known)
    assert found is not None
    assert 0.1 <= found.p50 <= found.p90 <= 1e9


def test_p90_covers_nine_of_ten_once_errors_are_known() -> None:
    draw = random.Random(0)
    for spread in (0.2, 1.0, 2.5):  # errors that are smaller and larger than predicted
        errors = [draw.gauss(0.0, spread) for _ in range(500)]
        z90 = z90_of(errors)
        later = [draw.gauss(0.0, spread) for _ in range(4000)]
        assert 0.87 <= sum(error <= z90 for error in later) / len(later) <= 0.93
    assert z90_of([5.0] * 29) == Z90
    assert z90_of([100.0] * 30) == 4.0
    assert z90_of([-9.0] * 30) == 0.3


def test_what_is_left_comes_from_the_own_speed_once_an_epoch_has_ended() -> None:
    later = predict_remaining(
        {"eta_seconds": 50.0, "epoch": 2}, elapsed_seconds=10.0, p50=20.0, p90=30.0
    )
    assert (later.p50, round(later.p90, 6)) == (50.0, 55.0)
    first = predict_remaining(
        {"eta_seconds": 500.0, "epoch": 1}, elapsed_seconds=5.0, p50=20.0, p90=30.0
    )
    assert (first.p50, first.p90) == (15.0, 25.0)


@pytest.mark.parametrize("progress", [None, 3, {"eta_seconds": "soon"}, {"eta_seconds": -1}])
def test_without_a_speed_the_prediction_counts_down(progress: object) -> None:
    left = predict_remaining(progress, elapsed_seconds=5.0, p50=20.0, p90=30.0)
    assert (left.p50, left.p90) == (15.0, 25.0)
    late = predict_remaining(progress, elapsed_seconds=100.0, p50=20.0, p90=30.0)
    assert (late.p50, late.p90) == (10.0, 20.0)
    unknown = predict_remaining(progress, elapsed_seconds=-5.0, p50=inf, p90=inf)
    assert (unknown.p50, unknown.p90) == (inf, inf)


def test_errors_are_counted_in_sigma() -> None:
    found = predict_duration(OWN, History(seen=_seen(*[0.01] * 5), z90={"seen": 2.0}))
    assert found is not None
    assert log(found.p90 / found.p50) == pytest.approx(2.0 * found.sigma)
