"""The test results of a checkpoint: how they look, and whether a stored row has this form."""

from typing import Any

from pydantic import BaseModel, Field, ValidationError, create_model

from api.http.schemas import Count, Fraction, JsonNumber
from shared.errors import RowUnreadable
from shared.jobs.rows import EvaluationRow


class ClassAccuracy(BaseModel):
    """The accuracy of a class; null if the split has no sample of it."""

    label: Count
    name: str
    count: Count
    accuracy: Fraction | None


class Mistake(BaseModel):
    """A wrong prediction of high confidence; null if a score is not finite."""

    sample: Count
    label: Count
    predicted: Count | None
    probability: JsonNumber | None


class Accuracies(BaseModel):
    """The results of a checkpoint on the test split."""

    checkpoint: str
    name: str
    epoch: Count
    split: str
    loss: JsonNumber | None = Field(description="With the penalty of the weights")
    data_loss: JsonNumber | None
    accuracy: Fraction = Field(description="By the first class with the highest score")
    top_k: dict[str, Fraction] = Field(description="By k; ties count as in")
    per_class: list[ClassAccuracy]
    mistakes: list[Mistake]


#: The fields of a stored evaluation that are shown as they are.
FIELDS = ("loss", "data_loss", "accuracy", "top_k", "per_class", "mistakes")
_fields: Any = {
    **{name: (Accuracies.model_fields[name].annotation, ...) for name in FIELDS},
    "classes": (list[str], ...),
    "confusion": (list[list[Count]], ...),
}
_Stored: type[BaseModel] = create_model("_Stored", **_fields)


def check_results(row: EvaluationRow) -> None:
    """Check the stored test results of a checkpoint.

    Raises:
        RowUnreadable: a part is missing or is something else than it should be.
    """
    try:
        _Stored.__pydantic_validator__.validate_python(row.data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        why = f"{'/'.join(map(str, first['loc']))}: {first['msg']}"
        raise RowUnreadable(
            table=row.TABLE, row_id=row.checkpoint_id, column="data", why=why
        ) from error
