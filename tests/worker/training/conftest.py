"""torchmetrics imports torchvision where there is one, and that needs its cure first."""

from worker.torchvision_cure import import_torchvision

import_torchvision()
