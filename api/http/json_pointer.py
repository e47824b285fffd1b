"""JSON pointers (RFC 6901)."""


def escape(name: str) -> str:
    """Return a field's name as a part of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")
