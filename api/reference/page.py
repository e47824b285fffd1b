"""The documentation page: plain HTML and a little style, made from the OpenAPI document."""

import json
from html import escape
from typing import Any

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --get: #0a7; --post: #c60; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 2rem 1rem; }
h1 { margin: 0; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
code, pre, .path { font: 14px/1.5 ui-monospace, monospace; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0; }
summary { cursor: pointer; padding: .5rem .75rem; display: flex; gap: .75rem; flex-wrap: wrap; }
details > div { padding: 0 .75rem .75rem; }
.verb { font-weight: 700; width: 3.5rem; } .get { color: var(--get); } .post { color: var(--post); }
.summary { opacity: .75; margin-left: auto; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; vertical-align: top;
  padding: .3rem .6rem; border-bottom: 1px solid var(--line); }
pre { background: var(--soft); padding: .75rem; border-radius: 6px; overflow-x: auto; }
"""
BOUNDS = {
    "minimum": "≥", "maximum": "≤", "exclusiveMinimum": "&gt;", "exclusiveMaximum": "&lt;",
    "minLength": "length ≥", "maxLength": "length ≤",
    "minItems": "entries ≥", "maxItems": "entries ≤",
}  # fmt: skip


def page(document: dict[str, Any], address: str) -> str:
    """Return the whole page.

    Args:
        document: the OpenAPI document.
        address: of this service, for the examples, without a slash at its end.
    """
    info = document["info"]
    groups: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            group = (operation.get("tags") or ["other"])[0]
            groups.setdefault(group, []).append(_operation(path, verb, operation))
    sections = "".join(
        f"<h2>{escape(name.capitalize())}</h2>{''.join(operations)}"
        for name, operations in groups.items()
    )
    schemas = "".join(
        f"<details id='{escape(name)}'><summary><span class=path>{escape(name)}</span>"
        f"<span class=summary>{escape(_first_line(schema))}</span></summary>"
        f"<div>{_fields(schema)}</div></details>"
        for name, schema in document.get("components", {}).get("schemas", {}).items()
    )
    return f"""{head(f"{info['title']} API")}
<h1>{escape(info["title"])}</h1>
<p>{escape(info.get("summary", ""))}. Version {escape(info["version"])}.
The OpenAPI document of this page: <a href="/openapi.json">/openapi.json</a>.</p>
<p>All calls except the health checks require a key, sent as
<code>Authorization: Bearer KEY</code>. The embedded box stores its key in
<code>TRAINSHED_HOME/key</code>. Errors are <code>application/problem+json</code> (RFC 9457); all
faults of a specification are reported at once, each with a JSON pointer to the field.</p>
<pre>curl -H "Authorization: Bearer $(cat ~/.trainshed/key)" \\
     -H 'Content-Type: application/json' \\
     -d '{{"dataset": "digits", "architecture": "mlp"}}' {escape(address)}/v1/jobs</pre>
{sections}<h2>Schemas</h2>{schemas}</body></html>"""


def head(title: str) -> str:
    """Return the beginning of a page, up to the start of its body."""
    return f"""<!doctype html><html lang=en><head><meta charset=utf-8>
<meta name=viewport content="width=device-width, initial-scale=1">
<title>{escape(title)}</title><style>{STYLE}</style></head><body>"""


def _operation(path: str, verb: str, operation: dict[str, Any]) -> str:
    text = escape(operation.get("description", ""))
    parameters = "".join(
        f"<tr><td><code>{escape(parameter['name'])}</code></td><td>{escape(parameter['in'])}</td>"
        f"<td>{_type(parameter.get('schema', {}))}</td>"
        f"<td>{escape(parameter.get('description') or '')}</td></tr>"
        for parameter in operation.get("parameters", [])
    )
    table = (
        f"<table><tr><th>parameter<th>in<th>type<th></tr>{parameters}</table>" if parameters else ""
    )
    return (
        f"<details><summary><span class='verb {verb}'>{verb.upper()}</span>"
        f"<span class=path>{escape(path)}</span>"
        f"<span class=summary>{escape(operation.get('summary', ''))}</span></summary>"
        f"<div><p>{text}</p>{table}{_body(operation)}{_responses(operation)}</div></details>"
    )


def _body(operation: dict[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    return "".join(
        f"<p>Body, {escape(media_type)}: {_type(part.get('schema', {}))}</p>"
        + (
            f"<pre>{escape(json.dumps(part['example'], indent=1))}</pre>"
            if "example" in part
            else ""
        )
        for media_type, part in content.items()
    )


def _responses(operation: dict[str, Any]) -> str:
    responses = ", ".join(
        f"{status} {escape(response.get('description', ''))}"
        for status, response in operation.get("responses", {}).items()
    )
    return f"<p>Responses: {responses}</p>"


def _fields(schema: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{_type(field)}</td>"
        f"<td>{_default(field)}</td><td>{escape(field.get('description', ''))}</td></tr>"
        for name, field in schema.get("properties", {}).items()
    )
    text = escape(schema.get("description", ""))
    return f"<p>{text}</p><table><tr><th>field<th>type<th>default<th></tr>{rows}</table>"


def _default(field: dict[str, Any]) -> str:
    return f"<code>{escape(json.dumps(field['default']))}</code>" if "default" in field else ""


def _type(schema: dict[str, Any]) -> str:
    """Return a short description of a schema's type and bounds."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f"<a href='#{name}'>{name}</a>"
    if "anyOf" in schema:
        return " or ".join(_type(alternative) for alternative in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if "const" in schema:
        return f"<code>{escape(str(schema['const']))}</code>"
    bounds = ", ".join(f"{sign} {schema[key]}" for key, sign in BOUNDS.items() if key in schema)
    kind = escape(str(schema.get("type", "any")))
    if kind == "array":
        kind = f"list of {_type(schema.get('items', {}))}"
    return f"{kind} {bounds}".strip()


def _first_line(schema: dict[str, Any]) -> str:
    return schema.get("description", "").partition("\n")[0]
