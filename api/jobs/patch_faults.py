"""Faults of a patched specification, as faults of the patch: that is what the client has sent."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shared.errors import Fault, InvalidSpec


@contextmanager
def faults_in_patch(operations: Any, at: str | None) -> Iterator[None]:
    """Let the faults of a specification point into the patch that caused them.

    Their `field` is the pointer into the specification. A fault that no operation touches, such as
    a field that no longer fits a patched field, keeps this pointer.

    Args:
        operations: of the patch, which was applied.
        at: the pointer of the patch in the request; None if the request has no patch, but names a
            finding's.

    Raises:
        InvalidSpec: the specification has faults.
    """
    try:
        yield
    except InvalidSpec as error:
        if at is not None:
            error.faults = [_moved(fault, operations, at) for fault in error.faults]
        raise


def _moved(fault: Fault, operations: list[dict[str, Any]], at: str) -> Fault:
    for index, operation in reversed(list(enumerate(operations))):
        path = operation["path"]
        if operation["op"] == "test":
            continue
        is_inside = fault.pointer == path or fault.pointer.startswith(f"{path}/")
        if is_inside and "value" in operation:
            pointer = f"{at}/{index}/value{fault.pointer.removeprefix(path)}"
            return Fault(pointer, fault.detail, field=fault.pointer)
        if is_inside or path.startswith(f"{fault.pointer}/"):
            return Fault(f"{at}/{index}/path", fault.detail, field=fault.pointer)
    return fault
