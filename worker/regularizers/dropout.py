"""Dropout as a regularizer: sets the dropout rates of the architecture."""

from typing import Annotated

from pydantic import Field

from worker.registry import regularizers
from worker.regularizers.regularizer import Regularizer

#: Parameters of the architecture that it sets, where the architecture has them.
SETS = ("dropout", "head_dropout")


@regularizers.register(
    source="Srivastava et al. 2014, JMLR 15, section 4",
    sets=list(SETS),
    unusual_from={"rate": 0.95},
)
def dropout(*, rate: Annotated[float, Field(ge=0, lt=1)] = 0.5) -> Regularizer:
    """Drop features at random during training; the rate overrides the architecture's.

    The other features are scaled by 1/(1−rate), so that evaluation needs no correction. In
    fine-tuning the rate also overrides the rate of the new head.

    Args:
        rate: fraction of features to drop, everywhere the architecture has dropout.
    """
    return Regularizer(overrides=dict.fromkeys(SETS, rate))
