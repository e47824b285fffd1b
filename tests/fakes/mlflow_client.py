"""A fake of MLflow's client."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any


class FakeServerClient:
    """MLflow's client of a server, which keeps what it would send."""

    def __init__(self, artifact_uri: str) -> None:
        self.artifact_uri = artifact_uri
        self.sent: dict[str, str] = {}
        self.status = ""

    def log_batch(self, *_: Any, **__: Any) -> None:
        pass

    def get_run(self, _: str) -> SimpleNamespace:
        return SimpleNamespace(info=SimpleNamespace(artifact_uri=self.artifact_uri))

    def log_dict(self, _: str, content: Any, name: str) -> None:
        self.sent[name] = json.dumps(content)

    def log_artifact(self, _: str, path: str, directory: str) -> None:
        self.sent[f"{directory}/{Path(path).name}"] = Path(path).read_text()

    def set_terminated(self, _: str, status: str, *, end_time: int) -> None:
        assert end_time > 0
        self.status = status
