"""The page at `/`, for a person who opens the address in a browser."""

from html import escape
from typing import Any

from api.reference.page import head


def home(info: dict[str, Any], address: str) -> str:
    """Return the page.

    Args:
        info: title, summary and version of the OpenAPI document.
        address: of this service, without a slash at its end.
    """
    url = escape(address)
    return f"""{head(info["title"])}
<h1>{escape(info["title"])}</h1>
<p>{escape(info.get("summary", ""))}. Version {escape(info["version"])}.</p>
<ul>
<li><a href="/docs">/docs</a> lists every call of the API, with its parameters and schemas.</li>
<li><a href="/openapi.json">/openapi.json</a> is the same for programs.</li>
<li><a href="/readyz">/readyz</a> says whether database, broker and workers respond.</li>
</ul>
<h2>Your key</h2>
<p>Every call except these requires a key. The box stores its key in
<code>TRAINSHED_HOME/key</code>, by default <code>~/.trainshed/key</code>, where the command line
finds it. On another machine, ask the person who runs the box for the key.</p>
<h2>From the command line</h2>
<pre>trainshed submit --preset small-vgg-plain --follow   # train a small network
trainshed list                                   # the jobs
trainshed --help                                 # all commands</pre>
<p>On another machine:</p>
<pre>export TRAINSHED_URL={url} TRAINSHED_ADMIN_KEY=…</pre>
</body></html>"""
