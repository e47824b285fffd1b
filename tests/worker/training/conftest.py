"""torchmetrics imports torchvision if it is installed, which has to be prepared first."""

from worker.architectures.zoo.torchvision_compat import import_torchvision

import_torchvision()
