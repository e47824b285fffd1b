"""The data that a job trains on."""

from dataclasses import dataclass

from worker.architectures.layers import ImageShape
from worker.training.experiment import Splits


@dataclass(frozen=True)
class Data:
    """The data of a job."""

    #: Empty for a regression.
    class_names: tuple[str, ...]
    splits: Splits
    #: Of a table: its columns, in the order of the network's inputs.
    features: tuple[str, ...] = ()

    @property
    def image_shape(self) -> ImageShape:
        """Channels, height, width."""
        channels, height, width = self.splits.train.images.shape[1:]
        return channels, height, width
