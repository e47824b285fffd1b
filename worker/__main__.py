"""`python -m worker`: a worker for the devices of this machine."""

from shared.settings import read_settings
from worker.app import run

if __name__ == "__main__":
    run(read_settings())
