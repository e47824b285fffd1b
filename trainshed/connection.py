"""A connection to a service: requests, JSON, pages of lists, and errors."""

import json
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import httpx

from trainshed.address import is_local, service_key, service_url
from trainshed.errors import ApiError, Unreachable, WrongUsage, problem_of

MAX_WAIT_SECONDS = 30
#: Less than the service's 5 s, so that no request uses a connection that the service is closing.
KEEPALIVE_SECONDS = 3.0
ATTEMPTS = 5
MAX_PAGE_SIZE = 100

Json = dict[str, Any]


class Connection:
    """A connection to a service.

    Args:
        url: the service's address; otherwise TRAINSHED_URL, then TRAINSHED_HOST and
            TRAINSHED_PORT, then the address of the local box, then the service of the last
            `trainshed login`.
        key: the key; otherwise TRAINSHED_ADMIN_KEY, then the key of `trainshed login`, then the
            key of the local box.

    Raises:
        FileNotFoundError: there is no key.
        WrongUsage: the address, the key, or a proxy in the environment is not valid.
    """

    def __init__(self, url: str | None = None, key: str | None = None) -> None:
        self.url = service_url(url)
        # A key may be any printable string, so it is sent as UTF-8.
        headers = {b"Authorization": b"Bearer " + service_key(key, url=self.url).encode()}
        try:
            self.http = httpx.Client(
                base_url=self.url,
                headers=headers,
                timeout=httpx.Timeout(MAX_WAIT_SECONDS + 30.0, connect=5.0),
                limits=httpx.Limits(keepalive_expiry=KEEPALIVE_SECONDS),
                # A proxy in the environment is not for a service on this machine.
                trust_env=not is_local(self.url),
            )
        except (httpx.InvalidURL, ValueError, ImportError) as error:
            raise WrongUsage(f"The environment names a proxy that is not valid: {error}") from error

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

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
        """Send a request and return the response.

        Raises:
            ApiError: the service refuses the request.
            Unreachable: no service answers.
        """
        try:
            response = self.http.request(method, path, **options)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise Unreachable(
                f"No service answers at {self.url} ({type(error).__name__}). Start the box with "
                "`make up`, or name another address with --url or TRAINSHED_URL."
            ) from error
        if response.is_error:
            raise problem_of(response)
        return response

    def _json(self, method: str, path: str, **options: Any) -> Any:
        """Send a request and return the JSON of the response."""
        response = self._send(method, path, **options)
        try:
            return response.json()
        except ValueError as error:
            raise Unreachable(
                f"The service at {self.url} is not Trainshed: its response is not JSON."
            ) from error

    def _post_with_retry(self, path: str, headers: dict[str, str], body: bytes | None) -> Json:
        """Post a request that is safe to repeat, until the service accepts or refuses it."""
        if body is not None:
            headers = {"Content-Type": "application/json", **headers}
        for attempt in range(1, ATTEMPTS):
            try:
                return self._json("POST", path, content=body, headers=headers)
            except (Unreachable, ApiError) as error:
                if isinstance(error, ApiError) and error.status != 503:
                    raise
                time.sleep(0.2 * 2**attempt)
        return self._json("POST", path, content=body, headers=headers)

    def _pages(self, path: str, limit: int | None = None, **filters: Any) -> Iterator[Json]:
        """Yield the members of a list, page after page."""
        after: Any = None
        left = limit
        while left is None or left > 0:
            size = MAX_PAGE_SIZE if left is None else min(MAX_PAGE_SIZE, left)
            query = without_none({**filters, "limit": size, "after": after})
            page = self._json("GET", path, params=query)
            yield from page["data"]
            if not page["has_more"]:
                return
            # The cursor of artifacts and people is their name, of everything else the id.
            last = page["data"][-1]
            after = last["name"] if last.get("object") in {"artifact", "user"} else last["id"]
            left = None if left is None else left - len(page["data"])


def to_json(spec: Any) -> bytes:
    """Return a specification as JSON.

    In contrast to httpx this accepts NaN and lone surrogates: the service reports such faults.

    Raises:
        WrongUsage: it is nested too deeply.
    """
    try:
        return json.dumps(_plain(spec)).encode()
    except RecursionError as error:
        raise WrongUsage("The specification is nested too deeply.") from error


def _plain(value: Any) -> Any:
    """Return a value without numpy's numbers and arrays, also as keys."""
    if isinstance(value, dict):
        return {_plain(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value.tolist() if hasattr(value, "tolist") else value


def without_none(parameters: Json) -> Json:
    """Return the parameters that have a value."""
    return {name: value for name, value in parameters.items() if value is not None}
