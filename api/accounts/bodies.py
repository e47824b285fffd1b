"""Reads the JSON bodies of requests about accounts, with every fault at once."""

from typing import Any, TypeVar

from pydantic import ValidationError

from api.accounts.schemas import LimitValues
from api.http.faults import abbreviated
from api.http.strict_json import parse
from api.jobs.admission.structure import faults_of
from shared.errors import Fault, InvalidSpec
from shared.spec import SpecPart

SUBJECT = "request"
Body = TypeVar("Body", bound=SpecPart)


def read_body(body: bytes, model: type[Body]) -> Body:
    """Return the body of a request.

    Raises:
        BadRequest: it is not JSON.
        InvalidSpec: with every fault.
    """
    raw: Any = parse(body)
    if not isinstance(raw, dict):
        names = ", ".join(model.model_fields)
        fault = Fault("", f"is {abbreviated(raw)}; it must be an object with {names}")
        raise InvalidSpec([fault], subject=SUBJECT)
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        models = {(): model, ("limits",): LimitValues}
        raise InvalidSpec(faults_of(error, models, raw), subject=SUBJECT) from error
