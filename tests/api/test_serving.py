"""How the process serves."""

import subprocess
import sys

FEW = """
import resource
from api.http.server import allow_many_connections
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, most))
allow_many_connections()
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most)
"""


def test_as_many_connections_as_the_machine_admits() -> None:
    subprocess.run([sys.executable, "-c", FEW], check=True)
