"""The sidecar's server: answers the API's questions about networks, tables and augmentations.

Networks are built on the meta device, shapes without storage. `worker.sidecar.pool` schedules the
questions.
"""

import base64
import os
import socket
import socketserver
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import orjson
import structlog
from torch import nn

from shared import logs
from shared.datasets import TABLE, list_tables
from shared.settings import Settings, read_settings
from shared.sidecar import LONGEST_LINE, PATIENCE, listen
from worker.architectures.zoo.timm_models import import_timm
from worker.data.errors import DatasetMissing
from worker.registry import architectures
from worker.regularizers.overrides import architecture_parameters, build_regularizers, new_head
from worker.sidecar.memory import predicted_mib
from worker.sidecar.pool import RequestPool
from worker.sidecar.preview import picture
from worker.training.freezing import check_first
from worker.training.meta_model import build_on_meta, count_parameters
from worker.training.parameters import select, weights
from worker.training.transfer import body_tensors, check_fits

log = structlog.get_logger()

MOST_PARAMETERS = 2_000_000_000

Faults = list[dict[str, str]]


class Refused(Exception):
    """The question has faults: where, and what."""

    def __init__(self, *faults: dict[str, str]) -> None:
        super().__init__("; ".join(fault["detail"] for fault in faults))
        self.faults = list(faults)


def fault(pointer: str, error: Exception | str) -> dict[str, str]:
    """One fault, as the wire carries it."""
    return {"pointer": pointer, "detail": str(error)}


def describe(question: dict[str, Any]) -> dict[str, Any]:
    """Parameter count of a network, and with `batch_size` the memory that training will take.

    Args:
        question: architecture (object form), regularizers, image [C, H, W], classes, patterns
            of layer names by their pointers; for memory also batch_size, optimizers (of every
            stage, in object form) and precision; in fine-tuning also head, first (where stages
            begin, by pointers), and what is known of the weights: pretrained (a name) or
            tensors (shapes by name).

    Raises:
        Refused: the network cannot be built like this.
    """
    name = question["architecture"]["name"]
    given = {key: value for key, value in question["architecture"].items() if key != "name"}
    image, classes = tuple(question["image"]), question["classes"]
    head = None
    try:
        built = build_regularizers(question.get("regularizers", {}))
        if "head" in question:
            head = new_head(question["head"], built)
        parameters = architecture_parameters(name, given, built)
        model = build_on_meta(name, parameters, image, classes, head)
    except ValueError as error:
        raise Refused(fault(_pointer(str(error)), error)) from error
    counted = count_parameters(model)
    if counted["trainable"] > MOST_PARAMETERS:
        text = f"the network has {counted['trainable']:,} parameters"
        raise Refused(fault("/architecture", f"{text}; {MOST_PARAMETERS:,} are allowed"))
    faults = _of_patterns(question, model) + _of_fine_tuning(question, model)
    if faults:
        raise Refused(*faults)
    answer: dict[str, Any] = {"parameter_count": counted}
    if "batch_size" in question:
        answer["memory_mib"] = predicted_mib(question, parameters, head)
    return answer


def _of_patterns(question: dict[str, Any], model: nn.Module) -> Faults:
    """Patterns of layer names, each by where it stands, have to mean some layer."""
    faults: Faults = []
    for pointer, pattern in question.get("patterns", {}).items():
        try:
            select(weights(model), pattern, "layers")
        except ValueError as error:
            faults.append(fault(pointer, error))
    return faults


def _of_fine_tuning(question: dict[str, Any], model: nn.Module) -> Faults:
    """Stages have to begin somewhere, and weights to fit."""
    faults: Faults = []
    for pointer, first in question.get("first", {}).items():
        try:
            check_first(model, first)
        except ValueError as error:
            faults.append(fault(pointer, error))
    shapes = {name: tuple(shape) for name, shape in question.get("tensors", {}).items()}
    try:
        if "tensors" in question:
            check_fits(body_tensors(model), shapes)
    except ValueError as error:
        faults.append(fault("/fine_tuning/weights", error))
    return faults


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
        raise Refused(fault("/dataset/name", error)) from error
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
        raise Refused(fault(f"/dataset/{error.field}", error)) from error
    except DatasetMissing as error:
        there = ", ".join(list_tables(Settings().home)) or "none yet"
        text = f"{question['file']} is not among the tables on the box; there are: {there}"
        raise Refused(fault("/dataset/file", text)) from error
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
#: Threads of a kind of question, and how many may wait for one. A picture takes a hundred times
#: as long as a network, so it has a thread of its own.
ROOM = {"preview": (1, 4)}
USUAL_ROOM = (4, 100)
#: What is wrong with a question that takes too long; a picture is only to be asked for again.
TOO_LONG = {
    "describe": fault(
        "/architecture", "this network takes too long to be checked; take a smaller one"
    ),
    "table": fault("/dataset/file", "this table takes too long to be read; take a smaller one"),
}


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """The answer to a question."""
    try:
        return {"ok": True, **QUESTIONS[question["ask"]](question)}
    except Refused as refusal:
        return {"ok": False, "faults": refusal.faults}
    except (KeyError, TypeError) as error:
        return {"ok": False, "faults": [fault("", f"malformed question: {error}")]}


class SidecarServer(socketserver.ThreadingMixIn, socketserver.BaseServer):
    """A server on a socket that is already listening."""

    daemon_threads = True

    def __init__(self, listening: socket.socket) -> None:
        super().__init__(listening.getsockname(), Handler)
        self.socket = listening
        self.thinking: dict[str, RequestPool] = {}
        for ask in QUESTIONS:
            threads, waiting = ROOM.get(ask, USUAL_ROOM)
            self.thinking[ask] = RequestPool(
                answer, threads=threads, waiting=waiting, too_long=TOO_LONG.get(ask)
            )

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
            question = orjson.loads(line)
            found = server.thinking[question["ask"]].about(question)
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            found = {"ok": False, "faults": [fault("", f"malformed question: {error}")]}
        except Exception:
            log.exception("sidecar")
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
        describe({**question, "batch_size": 2, "optimizers": [{"name": "sgd"}]})


def main() -> None:
    """Serve until the process is ended."""
    settings = read_settings()
    logs.configure("sidecar", settings.log_level)
    settings.make_directories()
    warm_up()
    url = urlsplit(settings.sidecar)
    if url.scheme == "unix":
        Path(url.path).unlink(missing_ok=True)
    with listen(settings.sidecar) as listening:
        if url.scheme == "unix":
            os.chmod(url.path, 0o600)  # noqa: PTH101
        log.info("sidecar", address=settings.sidecar)
        # Takes seconds, which nobody has to wait for who asks of a small network.
        Thread(target=import_timm, daemon=True).start()
        SidecarServer(listening).serve_forever()
