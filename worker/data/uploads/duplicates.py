"""Pictures that an upload has more than once, exactly or nearly so."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worker.data.uploads.facts import Facts
from worker.data.uploads.perceptual_hash import similar_pairs
from worker.data.uploads.warnings import MAX_FILES, UploadWarning


@dataclass(frozen=True)
class _Kind:
    """A degree of likeness."""

    rule: str
    #: What one picture and what several do to another picture.
    singular: str
    plural: str


EXACT = _Kind("duplicates", "is the same as", "are the same as")
NEAR = _Kind("near_duplicates", "looks nearly like", "look nearly like")


def duplicate_warnings(facts: Facts, *, has_splits: bool) -> list[UploadWarning]:
    """Return warnings about pictures that are equal or look alike.

    Pairs with different labels and pairs in different splits have warnings of their own, since they
    do more harm: the first are wrong labels, the second make a test look better than it is.
    """
    exact, near = _exact_pairs(facts.digests), similar_pairs(facts.hashes, facts.thumbnails)
    digests = np.array([int.from_bytes(digest[:8]) for digest in facts.digests], np.uint64)
    near = near[digests[near[:, 0]] != digests[near[:, 1]]]
    return [
        *_warnings(EXACT, exact, facts, has_splits=has_splits),
        *_warnings(NEAR, near, facts, has_splits=has_splits),
    ]


def _exact_pairs(digests: Sequence[bytes]) -> npt.NDArray[np.int64]:
    """Return pairs of equal pictures [P, 2]: each with the first that is equal to it."""
    same = defaultdict[bytes, list[int]](list)
    for index, digest in enumerate(digests):
        same[digest].append(index)
    pairs = [(group[0], index) for group in same.values() for index in group[1:]]
    return np.array(pairs, np.int64).reshape(-1, 2)


def _warnings(
    kind: _Kind, pairs: npt.NDArray[np.int64], facts: Facts, *, has_splits: bool
) -> list[UploadWarning]:
    first, second = pairs[:, 0], pairs[:, 1]
    other_label = facts.labels[first] != facts.labels[second]
    other_split = (facts.splits[first] != facts.splits[second]) & has_splits
    cases = (
        ("_with_different_labels", other_label, "another under a different class"),
        ("_across_splits", other_split & ~other_label, "another in a different split"),
        ("", ~other_split & ~other_label, "another of the same class"),
    )
    found: list[UploadWarning] = []
    for suffix, selected, which in cases:
        chosen = pairs[selected]
        if not len(chosen):
            continue
        count = len(np.unique(chosen[:, 1]))
        subject = (
            f"1 picture {kind.singular}" if count == 1 else f"{count:,} pictures {kind.plural}"
        )
        names = [facts.files[index] for pair in chosen[: MAX_FILES // 2] for index in pair]
        detail = f"{subject} {which}"
        found.append(UploadWarning(kind.rule + suffix, detail, list(dict.fromkeys(names))))
    return found
