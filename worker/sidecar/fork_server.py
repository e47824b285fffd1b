"""Starts processes that find everything imported, by forks of a process with a single thread.

A fork takes some milliseconds and shares the memory of the imported libraries. The sidecar itself
does not fork for requests, so that a slow import never delays its connections.
"""

import gc
import os
import select
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from weakref import WeakSet

import structlog

log = structlog.get_logger()

#: Messages to the fork server: b"f" and a name with a socket starts a process; b"e" and its id ends
#: it. Each is answered by a number: the process id, or the status as `os.waitpid` returns it.
FORK, END = b"f", b"e"
MAX_MESSAGE_BYTES = 128
READY = b"ready"
#: A fork server answers at once; it is broken if it does not.
TIMEOUT_SECONDS = 10.0


#: Our ends of the connections to all fork servers.
_controls = WeakSet[socket.socket]()


class ForkServerFailed(Exception):
    """The fork server has ended or does not answer."""


@dataclass(frozen=True)
class Forked:
    """A process that a fork server has started, and the connection to it."""

    pid: int
    connection: socket.socket


class ForkServer:
    """A process that starts others.

    Create it while this process has a single thread.

    Args:
        main: what a started process runs, with the name given to `fork` and its connection.
        prepare: imports that the fork server makes before it starts processes.
    """

    def __init__(
        self, main: Callable[[str, socket.socket], None], prepare: Callable[[], None] | None = None
    ) -> None:
        self._control, remote = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        _controls.add(self._control)
        self._is_ready = False
        self._pid = os.fork()
        if self._pid == 0:
            for control in _controls:  # so that the end of this process shows in its sockets
                control.close()
            _run(lambda: _serve(remote, main, prepare))
        remote.close()
        self._control.settimeout(TIMEOUT_SECONDS)

    @property
    def is_ready(self) -> bool:
        """Return whether the imports are done; until then `fork` waits."""
        if not self._is_ready and select.select([self._control], [], [], 0)[0]:
            self._is_ready = self._control.recv(len(READY)) == READY
        return self._is_ready

    def fork(self, name: str) -> Forked:
        """Start a process.

        Raises:
            ForkServerFailed: the fork server does not answer.
        """
        ours, remote = socket.socketpair()
        with remote:
            try:
                pid = self._send(FORK + name.encode(), [remote.fileno()])
            except ForkServerFailed:
                ours.close()
                raise
        return Forked(pid, ours)

    def end(self, forked: Forked) -> int:
        """Kill a process unless it has ended, and return the signal that ended it, or 0.

        Raises:
            ForkServerFailed: the fork server does not answer.
        """
        forked.connection.close()
        status = self._send(END + str(forked.pid).encode(), [])
        return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0

    def close(self) -> None:
        """End the fork server and the processes that it has started."""
        self._control.close()
        os.waitpid(self._pid, 0)

    def _send(self, message: bytes, descriptors: list[int]) -> int:
        try:
            if not self._is_ready:
                self._is_ready = self._control.recv(len(READY)) == READY
            socket.send_fds(self._control, [message], descriptors)
            return int(self._control.recv(MAX_MESSAGE_BYTES))
        except (OSError, ValueError) as error:
            raise ForkServerFailed(f"The fork server does not answer: {error}") from error


def _run(work: Callable[[], None]) -> None:
    """Run what a forked process is for, and end it without the parent's clean-up."""
    status = 1
    try:
        work()
        status = 0
    except Exception:
        log.exception("a process of the sidecar failed")
    finally:
        os._exit(status)


def _serve(
    control: socket.socket,
    main: Callable[[str, socket.socket], None],
    prepare: Callable[[], None] | None,
) -> None:
    """Start and end processes until the sidecar has ended or closes the socket; then end all."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the sidecar too
    if prepare is not None:
        prepare()
    gc.collect()
    gc.freeze()  # a collection in a forked process would copy the memory that it shares
    started = set[int]()
    try:
        with suppress(ConnectionError):
            control.send(READY)
            while _answer(control, main, started):
                pass
    finally:
        for pid in started:
            _end(pid)


def _answer(
    control: socket.socket, main: Callable[[str, socket.socket], None], started: set[int]
) -> bool:
    """Handle a message; return False once the other side has closed the socket.

    Args:
        control: the connection to the sidecar.
        main: what a started process runs.
        started: the processes that were not ended yet; changed in place.
    """
    message, descriptors, _, _ = socket.recv_fds(control, MAX_MESSAGE_BYTES, 1)
    kind, argument = message[:1], message[1:].decode()
    if kind == FORK:
        pid = _start(control, descriptors[0], partial(main, argument))
        started.add(pid)
        control.send(str(pid).encode())
    elif kind == END:
        started.discard(int(argument))
        control.send(str(_end(int(argument))).encode())
    return bool(message)


def _start(control: socket.socket, descriptor: int, main: Callable[[socket.socket], None]) -> int:
    """Fork a process that runs `main` with the connection, and return its id."""
    with socket.socket(fileno=descriptor) as connection:
        pid = os.fork()
        if pid == 0:
            control.close()
            _run(lambda: main(connection))
    return pid


def _end(pid: int) -> int:
    """Kill a process, which may have ended, and return its status; until then its id is taken."""
    os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]
