"""The verdict on a patch, from the losses of the job, its null fork and the fork."""

import math

import pytest

from shared.jobs.verdicts import Decision, Losses, decide


def _decide(parent: float | None, null: float | None, fork: float, **facts: object) -> Decision:
    known = {"epoch": 2, "is_gone": True, "new_errors": list[str](), **facts}
    return decide(Losses(parent, null, fork), **known)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("losses", "verdict"),
    [
        ((2.3, 2.3, 0.4), "verified"),
        ((2.3, 2.3, 2.2), "inconclusive"),  # less than 5 %
        ((1.0, 0.9, 0.85), "inconclusive"),  # less than twice the difference of two seeds
        ((1.0, 0.9, 0.75), "verified"),
        ((1.0, 1.0, 1.2), "refuted"),
        ((1.0, 0.8, 1.2), "inconclusive"),
        ((1.0, 1.0, math.inf), "refuted"),
        ((1.0, None, math.inf), "refuted"),
        ((math.inf, math.inf, math.inf), "inconclusive"),  # no worse than the job
        ((math.inf, 0.5, math.inf), "inconclusive"),
        ((0.5, math.inf, math.inf), "inconclusive"),  # another seed alone does as much
        ((math.inf, math.inf, 0.4), "verified"),
        ((math.inf, 0.5, 0.4), "inconclusive"),  # the seed decides whether it diverges
        ((0.5, math.inf, 0.1), "inconclusive"),
        ((None, 2.3, 0.4), "verified"),  # the job ended earlier: the null fork stands for it
        ((None, 2.3, 2.0), "inconclusive"),  # and the noise is not known
        ((1.0, None, 0.75), "verified"),
        ((1.0, None, 0.85), "inconclusive"),
        ((None, None, 0.4), "inconclusive"),
    ],
)
def test_verdict_compares_the_gain_to_the_difference_between_two_seeds(
    losses: tuple[float | None, float | None, float], verdict: str
) -> None:
    assert _decide(*losses).verdict == verdict


def test_a_gain_does_not_verify_while_the_finding_or_a_new_error_is_there() -> None:
    assert _decide(2.3, 2.3, 0.4, is_gone=False).verdict == "inconclusive"
    decision = _decide(2.3, 2.3, 0.4, new_errors=["dead_relu"])
    assert (decision.verdict, "dead_relu" in decision.detail) == ("inconclusive", True)
    assert decision.gain == pytest.approx(1 - 0.4 / 2.3)


def test_decision_says_why_in_a_sentence() -> None:
    expected = "val_data_loss after epoch 2 is 0.4 instead of 2.3, and the finding is gone."
    assert _decide(2.3, 2.3, 0.4).detail == expected
    assert "inf%" not in _decide(math.inf, 0.5, 0.4).detail
    expected = "The training with the patch diverged, as the job does without it with one seed."
    assert _decide(0.5, math.inf, math.inf).detail == expected
