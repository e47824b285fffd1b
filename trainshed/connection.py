"""A connection to one service: sends, reads JSON and pages, and says what went wrong."""

import json
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import httpx

from trainshed import address
from trainshed.errors import ApiError, Unreachable, WrongUsage, problem_of

LONGEST_WAIT_SECONDS = 30
#: Less than the service's five: a connection that it is just closing would break a request.
IDLE_SECONDS = 3.0
TRIES = 5

Json = dict[str, Any]


class Connection:
    """A connection to one service.

    Args:
        url: its address; else TRAINSHED_URL, TRAINSHED_HOST and TRAINSHED_PORT, or the box here.
        key: the key; else TRAINSHED_ADMIN_KEY, or the file that the box wrote.

    Raises:
        FileNotFoundError: there is no key.
        WrongUsage: the address, the key, or a proxy that the environment names, is none.
    """

    def __init__(self, url: str | None = None, key: str | None = None) -> None:
        self.url = address.url(url)
        # A key is any printable string: its bytes are UTF-8.
        headers = {b"Authorization": b"Bearer " + address.key(key).encode()}
        try:
            self.http = httpx.Client(
                base_url=self.url,
                headers=headers,
                timeout=httpx.Timeout(LONGEST_WAIT_SECONDS + 30.0, connect=5.0),
                limits=httpx.Limits(keepalive_expiry=IDLE_SECONDS),
                # A proxy of the environment is not for this machine.
                trust_env=not address.is_local(self.url),
            )
        except (httpx.InvalidURL, ValueError, ImportError) as error:
            raise WrongUsage(f"the environment names a proxy that is none: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.http.close()

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request.

        Raises:
            ApiError: the service refuses.
            Unreachable: nobody answers.
        """
        try:
            answer = self.http.request(method, path, **options)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise Unreachable(
                f"no service answers at {self.url} ({type(error).__name__}): is the box up? "
                "--url or TRAINSHED_URL names another"
            ) from error
        if answer.is_error:
            raise problem_of(answer)
        return answer

    def _json(self, method: str, path: str, **options: Any) -> Any:
        """Send a request and read the JSON that it is answered with."""
        answer = self._send(method, path, **options)
        try:
            return answer.json()
        except ValueError as error:
            raise Unreachable(f"what answers at {self.url} is not Trainshed") from error

    def _insist(self, path: str, headers: dict[str, str], body: bytes | None = None) -> Json:
        """Post what may be sent twice, over passing troubles; a body is JSON."""
        if body is not None:
            headers = {"Content-Type": "application/json", **headers}
        for attempt in range(1, TRIES):
            try:
                return self._json("POST", path, content=body, headers=headers)
            except (Unreachable, ApiError) as error:
                if isinstance(error, ApiError) and error.status != 503:
                    raise
                time.sleep(0.2 * 2**attempt)
        return self._json("POST", path, content=body, headers=headers)

    def _pages(self, path: str, limit: int | None = None, **filters: Any) -> Iterator[Json]:
        """The members of a list, page after page."""
        after: Any = None
        left = limit
        while left is None or left > 0:
            size = 100 if left is None else min(100, left)
            page = self._json("GET", path, params=given({**filters, "limit": size, "after": after}))
            yield from page["data"]
            if not page["has_more"]:
                return
            # Artifacts go by name, everything else by id.
            last = page["data"][-1]
            after = last["name"] if last.get("object") == "artifact" else last["id"]
            left = None if left is None else left - len(page["data"])


def written(spec: Any) -> bytes:
    """A specification as it is sent.

    Not written by httpx: what JSON does not admit is for the service to refuse.
    """
    return json.dumps(spec).encode()


def given(parameters: Json) -> Json:
    """The parameters that were given."""
    return {name: value for name, value in parameters.items() if value is not None}
