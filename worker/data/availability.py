"""Whether a job can read a data set on this machine: its files are here or can be downloaded."""

from collections.abc import Callable, Mapping

from shared.datasets import CIFAR10, FASHION_MNIST, is_available
from shared.settings import Settings
from worker.data import cifar10, fashion_mnist
from worker.data.fetching import NO_DOWNLOADS

#: The data sets that are downloaded where the box does not have them: whether that works now, and
#: how a person brings them.
FETCHED: Mapping[str, tuple[Callable[[], bool], str]] = {
    CIFAR10.name: (cifar10.can_be_fetched, cifar10.HINT),
    FASHION_MNIST.name: (fashion_mnist.can_be_fetched, fashion_mnist.HINT),
}


def why_missing(name: str, settings: Settings) -> str | None:
    """Return why no job can read a data set and how to bring it; None where a job can.

    Args:
        name: of a data set with files.
        settings: of this process.
    """
    if is_available(name, settings.home):
        return None
    can_be_fetched, hint = FETCHED[name]
    if settings.downloads and can_be_fetched():
        return None
    reason = "its published address does not respond" if settings.downloads else NO_DOWNLOADS
    return f"`{name}` is not on this box, and {reason}. {hint}"
