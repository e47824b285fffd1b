"""`python -m worker.sidecar`: serve until the process is ended."""

from worker.sidecar.server import main

if __name__ == "__main__":
    main()
