"""`python -m worker.sidecar`: serve until the process is ended."""

import os

# Both before the imports. A process whose torch has asked the driver for GPUs cannot fork.
os.environ["CUDA_VISIBLE_DEVICES"] = ""
# Arrow's own allocator reserves more memory than a process with a limit may have.
os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"

from worker.sidecar.server import main

if __name__ == "__main__":
    main()
