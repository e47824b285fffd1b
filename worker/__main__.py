"""`python -m worker`: a worker for the devices of this machine."""

from shared.settings import Settings
from worker.app import run

if __name__ == "__main__":
    run(Settings())
