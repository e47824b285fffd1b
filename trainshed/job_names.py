"""The job that a name, or the beginning of an id, stands for."""

import re
from typing import Any

from trainshed.errors import ApiError, WrongUsage

Json = dict[str, Any]
ID = re.compile("job_[0-9a-z]{26}")
#: Of jobs that have the same name, for the error.
MAX_SHOWN = 5


def the_only_job(name: str, jobs: list[Json]) -> str:
    """Return the id of the only job.

    Args:
        name: the name or the beginning of an id that the jobs were found by.
        jobs: at most one more than the error shows.

    Raises:
        ApiError: there is no job.
        WrongUsage: there are several.
    """
    if not jobs:
        text = f"There is no job {name!r}: no job has this name, and no id begins with it."
        raise ApiError({"status": 404, "detail": f"{text} `trainshed list` shows the jobs."})
    if len(jobs) > 1:
        shown = [f"{job['id']} ({job['name'] or 'no name'})" for job in jobs[:MAX_SHOWN]]
        more = ", …" if len(jobs) > MAX_SHOWN else ""
        raise WrongUsage(f"{name!r} stands for several jobs: {', '.join(shown)}{more}. Use an id.")
    return jobs[0]["id"]
