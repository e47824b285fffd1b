"""JSON pointers (RFC 6901)."""


def escape(name: str) -> str:
    """Return a field's name as a part of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def pointer(*parts: str | int) -> str:
    """Return the JSON pointer of a path: names of fields and indices of lists."""
    return "".join(f"/{escape(str(part))}" for part in parts)
