"""Which media type a request prefers, where an address has more than one."""

from fastapi import Request

JSON = "application/json"


def prefers(request: Request, media_type: str) -> bool:
    """Return whether a request names a media type in `Accept` and does not prefer JSON to it."""
    qualities = _qualities(request.headers.get("accept", ""))
    quality = qualities.get(media_type, 0.0)
    return quality > 0 and quality >= qualities.get(JSON, 0.0)


def _qualities(header: str) -> dict[str, float]:
    """Return the quality of each media type that a header names."""
    qualities = dict[str, float]()
    for part in header.split(","):
        name, *parameters = (text.strip().lower() for text in part.split(";"))
        quality = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        try:
            qualities[name] = float(quality)
        except ValueError:  # not a number: RFC 9110 leaves open what it means
            qualities[name] = 1.0
    return qualities
