"""The desk: a warm torch process on the CPU that answers what the API must know of torch at once.

`python -m worker.desk`. Networks are built on the meta device, shapes without storage; a
question that takes too long is answered as a refusal, and the desk goes on.
"""

import base64
import os
import socket
import socketserver
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as OutOfPatience
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import orjson
import structlog
from torch import nn

from shared import logs
from shared.datasets import TABLE, tables_of
from shared.desk import LONGEST_LINE, PATIENCE, listen
from shared.settings import Settings
from worker.architectures.zoo.library import import_timm
from worker.build import architecture_parameters
from worker.data.errors import DatasetMissing
from worker.preview import picture
from worker.registry import architectures, optimizers
from worker.training.count import build_on_meta, memory_mib
from worker.training.count import describe as count_of
from worker.training.freezing import check_first
from worker.training.head import Head
from worker.training.parameters import selected, weights
from worker.training.transfer import body_tensors, check_fits

log = structlog.get_logger()

#: A little less than the API's own patience, so that it hears the answer.
ANSWER_SECONDS = PATIENCE - 1
MOST_PARAMETERS = 2_000_000_000


class Refused(Exception):
    """The question has a fault: where, and what."""

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(detail)
        self.fault = {"pointer": pointer, "detail": detail}


def describe(question: dict[str, Any]) -> dict[str, Any]:
    """Parameter count of a network, and with `batch_size` the memory that training will take.

    Args:
        question: architecture (object form), regularizers, image [C, H, W], classes, patterns
            of layer names by their pointers; for memory also batch_size, optimizer (name) and
            precision; in fine-tuning also head, first (where stages begin, by pointers), and
            what is known of the weights: pretrained (a name) or tensors (shapes by name).

    Raises:
        Refused: the network cannot be built like this.
    """
    name = question["architecture"]["name"]
    given = {key: value for key, value in question["architecture"].items() if key != "name"}
    image, classes = tuple(question["image"]), question["classes"]
    head = Head(**question["head"]) if "head" in question else None
    try:
        parameters = architecture_parameters(name, given, question.get("regularizers", {}))
        counted = count_of(name, parameters, image, classes, head)
    except ValueError as error:
        raise Refused(_pointer(str(error)), str(error)) from error
    if counted["trainable"] > MOST_PARAMETERS:
        raise Refused(
            "/architecture",
            f"the network has {counted['trainable']:,} parameters; {MOST_PARAMETERS:,} are allowed",
        )
    model = build_on_meta(name, parameters, image, classes, head)
    _check_patterns(question.get("patterns", {}), model)
    _check_fine_tuning(question, model)
    answer: dict[str, Any] = {"parameter_count": counted}
    if "batch_size" in question:
        slots = optimizers.get(question["optimizer"]).facts.get("state_slots", 0)
        answer["memory_mib"] = round(
            memory_mib(
                name,
                parameters,
                image,
                classes,
                batch_size=question["batch_size"],
                optimizer_slots=slots,
                precision=question.get("precision", "float32"),
                head=head,
            ),
            1,
        )
    return answer


def _check_patterns(patterns: dict[str, str], model: nn.Module) -> None:
    """Patterns of layer names, each by where it stands, have to mean some layer."""
    for pointer, pattern in patterns.items():
        try:
            selected(weights(model), pattern, "layers")
        except ValueError as error:
            raise Refused(pointer, str(error)) from error


def _check_fine_tuning(question: dict[str, Any], model: nn.Module) -> None:
    """Stages have to begin somewhere, and weights to fit."""
    for pointer, first in question.get("first", {}).items():
        try:
            check_first(model, first)
        except ValueError as error:
            raise Refused(pointer, str(error)) from error
    try:
        if "tensors" in question:
            shapes = {name: tuple(shape) for name, shape in question["tensors"].items()}
            check_fits(body_tensors(model), shapes)
    except ValueError as error:
        raise Refused("/fine_tuning/weights", str(error)) from error


def _pointer(text: str) -> str:
    """Where the person can mend it: the image's size or the architecture."""
    return "/dataset/image_size" if "pixels" in text else "/architecture"


def preview(question: dict[str, Any]) -> dict[str, Any]:
    """A picture of a batch before and after augmentation, as base64 of a PNG.

    Raises:
        Refused: the data set cannot be had.
    """
    home = Settings().home
    try:
        png = picture(question, data_dir=home / "data", cache_dir=home / "cache")
    except DatasetMissing as error:
        raise Refused("/dataset/name", str(error)) from error
    return {"png": base64.b64encode(png).decode()}


def table(question: dict[str, Any]) -> dict[str, Any]:
    """Rows, columns that go in, classes and content's hash of a table.

    Args:
        question: file, target, features (or null), is_number.

    Raises:
        Refused: it cannot be trained with like this.
    """
    from worker.data.table import TableRefused, read_table  # noqa: PLC0415 - as in `loading`

    path = Settings().home / "data" / TABLE.name / question["file"]
    try:
        found = read_table(
            path,
            target=question["target"],
            features=question["features"],
            is_number=question["is_number"],
        )
    except TableRefused as error:
        raise Refused(f"/dataset/{error.field}", str(error)) from error
    except DatasetMissing as error:
        there = ", ".join(tables_of(Settings().home)) or "none yet"
        text = f"{question['file']} is not among the tables on the box; there are: {there}"
        raise Refused("/dataset/file", text) from error
    return {
        "rows": len(found.values),
        "features": list(found.features),
        "classes": list(found.class_names),
        "content_hash": found.content_hash,
    }


QUESTIONS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "describe": describe,
    "ping": lambda _: {},
    "preview": preview,
    "table": table,
}


def answer(line: bytes) -> dict[str, Any]:
    """The answer to one line."""
    try:
        question = orjson.loads(line)
        return {"ok": True, **QUESTIONS[question["ask"]](question)}
    except Refused as refusal:
        return {"ok": False, "faults": [refusal.fault]}
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        return {"ok": False, "faults": [{"pointer": "", "detail": f"malformed question: {error}"}]}


class Desk(socketserver.ThreadingMixIn, socketserver.BaseServer):
    """A server on a socket that is already listening."""

    daemon_threads = True

    def __init__(self, listening: socket.socket) -> None:
        super().__init__(listening.getsockname(), Handler)
        self.socket = listening
        self.thinking = ThreadPoolExecutor(max_workers=4)

    def fileno(self) -> int:
        """For the selector."""
        return self.socket.fileno()

    def get_request(self) -> Any:
        """The next connection."""
        return self.socket.accept()

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        request.close()


class Handler(socketserver.StreamRequestHandler):
    """One question, one answer."""

    timeout = PATIENCE

    def handle(self) -> None:
        """Read a line, answer with a line."""
        line = self.rfile.readline(LONGEST_LINE)
        if not line:
            return
        server: Any = self.server
        try:
            found = server.thinking.submit(answer, line).result(ANSWER_SECONDS)
        except OutOfPatience:
            detail = "this network takes too long to be checked; take a smaller one"
            found = {"ok": False, "faults": [{"pointer": "/architecture", "detail": detail}]}
        except Exception:
            log.exception("desk")
            return
        self.wfile.write(orjson.dumps(found) + b"\n")


def warm_up() -> None:
    """Ask of every small architecture once what people will: torch loads much on its first use."""
    for entry in architectures.entries().values():
        if entry.facts.get("heavy", False):
            continue
        at = entry.facts["parameter_count_at"]
        image = [at["channels"], at["image_size"], at["image_size"]]
        question = {"architecture": {"name": entry.name}, "image": image, "classes": at["classes"]}
        describe({**question, "batch_size": 2, "optimizer": next(iter(optimizers.entries()))})


def main() -> None:
    """Serve until the process is ended."""
    settings = Settings()
    logs.configure("desk", settings.log_level)
    settings.make_directories()
    warm_up()
    url = urlsplit(settings.desk)
    if url.scheme == "unix":
        Path(url.path).unlink(missing_ok=True)
    with listen(settings.desk) as listening:
        if url.scheme == "unix":
            os.chmod(url.path, 0o600)  # noqa: PTH101
        log.info("desk", address=settings.desk)
        # Takes seconds, which nobody has to wait for who asks of a small network.
        Thread(target=import_timm, daemon=True).start()
        Desk(listening).serve_forever()


if __name__ == "__main__":
    sys.exit(main())
