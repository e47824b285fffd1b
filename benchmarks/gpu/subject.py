"""What the parts measure: the device, and how much work is enough for it."""

from dataclasses import dataclass
from typing import Any

#: The lecture's image classification: Fashion-MNIST as colour images of 32 pixels.
IMAGE_SIZE, CHANNELS = 32, 3


@dataclass(frozen=True)
class Subject:
    """The device of a check, and the size of its jobs."""

    #: "cuda" or "cpu"; on the CPU the check shows only that it works.
    device: str
    train: int
    validation: int
    epochs: int
    #: Repetitions of what takes little time.
    rounds: int

    @classmethod
    def on(cls, device: str) -> "Subject":
        """Return the subject for a device."""
        if device == "cuda":
            return cls(device, train=50_000, validation=10_000, epochs=5, rounds=3)
        return cls(device, train=640, validation=200, epochs=2, rounds=1)

    @property
    def is_gpu(self) -> bool:
        """Whether it is a GPU."""
        return self.device == "cuda"

    def spec(self, *, train: int | None = None, **training: Any) -> dict[str, Any]:
        """Return the specification of the lecture's network.

        Args:
            train: training images, instead of the subject's.
            **training: fields of `training`.
        """
        return {
            "dataset": {
                "name": "fashion-mnist",
                "train": train or self.train,
                "validation": self.validation,
                "test": 1000,
                "image_size": IMAGE_SIZE,
                "channels": CHANNELS,
            },
            "architecture": "vgg_small",
            "training": {"epochs": self.epochs, "batch_size": 32, **training},
        }

    def endless_spec(self) -> dict[str, Any]:
        """Return the specification of a job that runs until it is cancelled."""
        return self.spec(epochs=10_000)
