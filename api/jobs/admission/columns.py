"""The columns of a table in fine-tuning: matched by name with the columns of the weights."""

from dataclasses import replace

from api.http.faults import quoted
from api.jobs.admission.draft import Draft
from api.weights.header import Header
from shared.columns import METADATA_KEY, parse_features

AT = "/dataset/features"
#: Names that a fault lists.
MAX_LISTED = 20


def match(draft: Draft, header: Header) -> None:
    """Bring the features into the order of the weights' inputs, and check that none is missing.

    A file that does not name its columns is matched by position, with a warning.

    Args:
        draft: the draft; without a table nothing is done. Where columns differ, the network is
            left out, since the sidecar could only compare their number.
        header: of the file of weights.
    """
    features = draft.filled["dataset"].get("features")
    if features is None or draft.facts is None:
        return
    expected = parse_features(header.metadata.get(METADATA_KEY, ""))
    if expected is None:
        text = "the weights do not name the columns that they were trained with, so columns are "
        text += "matched by position"
        draft.warn(AT, text, "Check that `features` names them in the order of that training.")
        return
    missing = [name for name in expected if name not in set(features)]
    extra = [name for name in features if name not in set(expected)]
    if missing or extra:
        draft.fault(AT, _difference(missing, extra))
        draft.network = None
        return
    draft.filled["dataset"]["features"] = list(expected)
    draft.facts = replace(draft.facts, features=expected)


def _difference(missing: list[str], extra: list[str]) -> str:
    parts = list[str]()
    if missing:
        parts.append(f"lacks {_listed(missing)}, with which the weights were trained")
    if extra:
        parts.append(f"has {_listed(extra)}, without which the weights were trained")
    advice = "name exactly the columns of the weights in `features`"
    if missing:
        advice = "add what is missing to the table" + (f", and {advice}" if extra else "")
    return f"{' and '.join(parts)}; {advice}"


def _listed(names: list[str]) -> str:
    listed = ", ".join(map(quoted, names[:MAX_LISTED]))
    more = f" and {len(names) - MAX_LISTED:,} more" if len(names) > MAX_LISTED else ""
    return f"the column{'s' if len(names) > 1 else ''} {listed}{more}"
