"""Find words that CONTRIBUTING refuses: `python -m tests.architecture.language PATH…`."""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]

#: Refused in prose (comments, strings, documents), with what to write instead.
PHRASES = {
    r"anew": "again",
    r"admit(s|ted|ting)?": "allow, accept",
    r"(ask|asks|asked|asking) for": "request, or the noun itself",
    r"(go|goes|going|went) on": "resume, continue",
    r"who(so)?ever": "the caller, the client, or the process by name",
    r"(told|tells)": "reported, reports",
    r"beside": "next to, besides, in addition to",
    r"figures?": "values, numbers, metrics",
    r"at hand": "available",
    r"mend(s|ed|ing)?": "fix",
    r"(hears?|heard|sees)": "receives, reads",
    r"had": "present tense",
    r"(the|this|that|each|every|another|no|last|first|new|old|own|newest|other) one": "the noun",
    r"one (that|which|who|whose)": "the noun",
    r"ones": "the noun",
    r"those (that|who|which|whose|of|with|it|they)": "the noun",
}
PROSE = {re.compile(rf"\b{phrase}\b", re.IGNORECASE): better for phrase, better in PHRASES.items()}
#: Refused as a whole identifier, and as a word of a longer one.
NAMES = {"one", "ones", "told", "anew", "whoever"}
PARTS = {"anew", "admitted", "admits", "told", "beside", "figure", "figures", "mended", "whoever"}


def offences(path: Path) -> list[str]:
    """Return `path:line: word` for every refused word of a file."""
    text = path.read_text(errors="replace")
    name = path.relative_to(ROOT).as_posix()
    found = _python(text) if path.suffix == ".py" else enumerate(text.splitlines(), start=1)
    wrong = [
        f"{name}:{line}: {match[0]!r} (write: {better})"
        for line, words in found
        for pattern, better in PROSE.items()
        for match in pattern.finditer(words)
    ]
    if path.suffix == ".py":
        wrong += [f"{name}:{line}: the name {word!r}" for line, word in _names(text)]
    return wrong


def _python(text: str) -> Iterator[tuple[int, str]]:
    """Yield comments and parts of strings with their line numbers."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in {tokenize.COMMENT, tokenize.STRING}:
            for offset, line in enumerate(token.string.splitlines()):
                yield token.start[0] + offset, line


def _names(text: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(text)):
        for name in _names_of(node):
            parts = set(name.strip("_").split("_"))
            if name in NAMES or parts & PARTS or "at_hand" in name:
                yield getattr(node, "lineno", 0), name


def _names_of(node: ast.AST) -> list[str]:
    """Return the names that a node introduces."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name.lower()]
    if isinstance(node, ast.arg):
        return [node.arg]
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return [node.id.lower()]
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        return [node.attr]
    return []


def main() -> int:
    """Print every offence below the given paths."""
    paths = [Path(argument).resolve() for argument in sys.argv[1:]]
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))]
    wrong = [
        offence
        for file in sorted(files)
        if file.suffix in {".py", ".md", ".yml", ".toml", ".json"} and file.is_file()
        for offence in offences(file)
    ]
    sys.stdout.write("\n".join([*wrong, f"{len(wrong)} offences\n"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
