"""Notes of people as HTML: Markdown without raw HTML and without pictures."""

from markdown_it import MarkdownIt
from markupsafe import Markup

_markdown = MarkdownIt("commonmark", {"html": False}).disable("image")


def markdown(text: str) -> Markup:
    """Return a note as HTML, in which only the elements of Markdown can occur."""
    tokens = _markdown.parse(text)
    for token in tokens:
        for child in token.children or ():
            if child.type == "link_open":
                child.attrSet("rel", "nofollow noreferrer")
    return Markup(_markdown.renderer.render(tokens, _markdown.options, {}))  # noqa: S704
