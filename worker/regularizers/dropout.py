"""Dropout as a regularizer of the job: it sets the architecture's rates."""

from typing import Annotated

from pydantic import Field

from worker.registry import regularizers
from worker.regularizers.regularizer import Regularizer

#: The architecture's parameters that it sets, those of them that there are.
SETS = ("dropout", "head_dropout")


def dropout_rates(rate: float) -> dict[str, float]:
    """One rate for every place where an architecture drops features."""
    return dict.fromkeys(SETS, rate)


@regularizers.register(source="Srivastava et al. 2014, JMLR 15, section 4", sets=list(SETS))
def dropout(*, rate: Annotated[float, Field(ge=0, lt=1)] = 0.5) -> Regularizer:
    """Drops features at random while training; its rate overrides the architecture's.

    What is kept is scaled by 1/(1−rate), so that nothing changes at evaluation. In fine-tuning
    the rate overrides that of the new head too.

    Args:
        rate: share of features dropped at every place where the architecture drops any.
    """
    return Regularizer(overrides=dropout_rates(rate))
