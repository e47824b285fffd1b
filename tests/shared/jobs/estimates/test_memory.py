"""How much memory a job is predicted to need."""

from shared.jobs.estimates.durations import Observation
from shared.jobs.estimates.memory import predict_memory
from tests.shared.jobs.estimates.examples import cost, observation

OWN = cost()


def _peak(mib: float | None, network_mib: float | None = None) -> Observation:
    return observation(OWN, None, peak_memory_mib=mib, network_mib=network_mib)


def test_it_is_unknown_without_attempts_and_without_the_networks_memory() -> None:
    assert predict_memory(seen=[_peak(None)]) is None


def test_the_largest_peak_of_the_kind_and_a_margin_are_the_bound() -> None:
    few = predict_memory(seen=[_peak(1000.0)], network_mib=10.0)
    assert few is not None
    assert (few.basis, few.attempts, round(few.mib)) == ("seen", 1, 1150)
    many = predict_memory(seen=[_peak(900.0), _peak(1000.0), _peak(950.0), _peak(None)])
    assert many is not None
    assert (many.attempts, round(many.mib)) == (3, 1050)


def test_a_new_kind_takes_the_ratio_of_its_architecture() -> None:
    related = [_peak(200.0 + each, 100.0) for each in range(20)]
    found = predict_memory(seen=[], architecture=related, network_mib=1000.0)
    assert found is not None
    assert (found.basis, round(found.mib)) == ("architecture", 2180 + 256)
    small = predict_memory(seen=[], architecture=[_peak(1.0, 100.0)] * 3, network_mib=1000.0)
    assert small is not None
    assert small.mib == 1000.0 + 256.0


def test_an_unknown_architecture_has_a_wide_margin() -> None:
    found = predict_memory(seen=[], architecture=[_peak(9.0, 1.0)] * 2, network_mib=1000.0)
    assert found is not None
    assert (found.basis, found.mib) == ("cold", 1350.0 + 256.0)
