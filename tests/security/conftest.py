"""The running API of tests/api, for requests that try to break it."""

from tests.api.conftest import _long_timeouts, running_service, service

__all__ = ["_long_timeouts", "running_service", "service"]
