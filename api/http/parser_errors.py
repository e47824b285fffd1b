"""What is wrong with bytes that are no HTTP request, as the status and detail of a problem."""

import re

import httptools

from api.http.guard import MAX_ADDRESS_BYTES

TOO_LONG = 414, f"The address exceeds the limit of {MAX_ADDRESS_BYTES:,} bytes."
UNKNOWN_METHOD = 501, "The method is unknown; /docs lists the methods of each address."
ADDRESS = (
    400,
    (
        "The address is not valid: it must begin with / and have only visible ASCII characters. "
        "Write all others as % and two hexadecimal digits."
    ),
)
OTHER = 400, "The connection did not send a request of HTTP/1.1."
#: What httptools says of an error, and the detail for it; the first match counts.
_DETAILS = {
    "can't be present": "The request has both Content-Length and Transfer-Encoding; send one.",
    "Duplicate Content-Length": "The request has more than one Content-Length; send it once.",
    "Content-Length": "The Content-Length must be a number of bytes that a body can have.",
    "Transfer-Encoding": "The Transfer-Encoding must be `chunked`; there is no other.",
    "chunk": "The body is not chunked as `Transfer-Encoding: chunked` requires: before each chunk "
    "comes its size in hexadecimal, and CR and LF follow both.",
    "Expected HTTP/": "The request line must be a method, an address without spaces and HTTP/1.1.",
    "after version": "The request line must end with CR and LF.",
    "version": "The HTTP version is not supported; use HTTP/1.1.",
    "header": "A header is malformed: it must be a name, a colon and a value without control "
    "characters, on a line that ends with CR and LF.",
}
_METHOD = re.compile(rb"[A-Za-z-]+ ")


def parser_problem(error: BaseException | None, data: bytes) -> tuple[int, str]:
    """Return the status and detail for an error of the parser.

    Args:
        error: as httptools raised it.
        data: the bytes that it could not parse.
    """
    if isinstance(error, httptools.HttpParserCallbackError):
        error = error.__context__
        if isinstance(error, AttributeError | UnicodeError):  # of an address without a path
            return ADDRESS
    if isinstance(error, httptools.HttpParserInvalidMethodError):
        return UNKNOWN_METHOD if _METHOD.match(data) else OTHER
    text = str(error)
    if isinstance(error, httptools.HttpParserInvalidURLError):
        return TOO_LONG if "too long" in text else ADDRESS
    details = (detail for part, detail in _DETAILS.items() if part in text)
    return 400, next(details, OTHER[1])
