"""What is allowed in an upload and probably a mistake."""

from dataclasses import dataclass, field

#: Files that a warning names.
MAX_FILES = 20


@dataclass(frozen=True)
class UploadWarning:
    """A warning: its rule, what was found, and some of the files."""

    rule: str
    detail: str
    files: list[str] = field(default_factory=list[str])
