"""Parts that a killed supervisor left running. They are stopped; its jobs continue."""

from box.processes import end, read_pid_file, terminate
from box.terminal import print_line
from shared.settings import Settings

GRACE_SECONDS = 10.0
#: SIGTERM makes a worker drain its jobs; after SIGKILL the next worker adopts their runners.
KILLED_AT_ONCE = frozenset({"worker"})


def stop_orphans(settings: Settings) -> None:
    """Stop the running parts that have a pid file, whatever the settings were at their start."""
    pids = {}
    for path in sorted((settings.home / "run").glob("*.pid")):
        pid = read_pid_file(path)
        if pid is None:
            path.unlink(missing_ok=True)
        else:
            pids[path] = pid
    for path, pid in pids.items():
        print_line(f"stopping the {path.stem} that an earlier box left running (process {pid})")
        if path.stem not in KILLED_AT_ONCE:
            terminate(pid)
    for path, pid in pids.items():
        end(pid, grace_seconds=0 if path.stem in KILLED_AT_ONCE else GRACE_SECONDS)
        path.unlink(missing_ok=True)
