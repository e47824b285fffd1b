"""The resources that a job requests."""

from tests.fakes.admission import SPEC, faults


def test_job_with_two_gpus_is_refused() -> None:
    assert faults({**SPEC, "resources": {"gpus": 2}}) == {
        "/resources/gpus": "is 2; it must be 1: a job trains on one device"
    }
    assert faults({**SPEC, "resources": {"gpus": 1}}) == {}
