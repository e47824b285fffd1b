"""The client and the command line of Trainshed. They speak HTTP only."""

from trainshed.client import Client
from trainshed.errors import ApiError, Unreachable

__all__ = ["ApiError", "Client", "Unreachable"]
__version__ = "0.1.0"
