"""The limit of open files, which bounds the number of connections."""

import subprocess
import sys

PROGRAM = """
import resource
from api.http.server import raise_file_limit
_, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard_limit))
raise_file_limit()
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard_limit, hard_limit)
"""


def test_limit_of_open_files_is_raised_to_the_maximum() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
