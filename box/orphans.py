"""What a supervisor that was killed left running: parts are stopped, trainings go on."""

from box.processes import ask_to_end, end, recall
from box.terminal import say
from shared.settings import Settings

GRACE_SECONDS = 10.0
#: A worker that is asked to end would drain its trainings: it is killed, and they are adopted.
KILLED = frozenset({"worker"})


def clear_leftovers(settings: Settings) -> None:
    """Stop the parts that are written down and live, whatever the settings were then."""
    found = {}
    for path in sorted((settings.home / "run").glob("*.pid")):
        pid = recall(path)
        if pid is None:
            path.unlink(missing_ok=True)
        else:
            found[path] = pid
    for path, pid in found.items():
        say(f"stopping the {path.stem} that an earlier box left behind (process {pid})")
        if path.stem not in KILLED:
            ask_to_end(pid)
    for path, pid in found.items():
        end(pid, grace_seconds=0 if path.stem in KILLED else GRACE_SECONDS)
        path.unlink(missing_ok=True)
