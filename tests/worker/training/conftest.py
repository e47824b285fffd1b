"""torchmetrics imports torchvision where there is one, and that needs its cure first."""

from worker.architectures.zoo.torchvision_compat import import_torchvision

import_torchvision()
