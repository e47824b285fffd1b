"""The most memory that a job can get on a device, read about once a second for all submissions."""

import threading
import time

from shared.clock import now
from shared.database import Database
from shared.jobs.planning.memory import reserve_mib
from shared.jobs.read_box import list_devices

MAX_AGE_SECONDS = 1.0


class LargestDevice:
    """The device of this box on which a job can get most memory."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._lock = threading.Lock()
        self._mib = 0.0
        self._read_at = float("-inf")

    def mib(self) -> float:
        """Return the memory in MiB; 0 if no device has its own."""
        with self._lock:
            began_at = time.monotonic()
            if began_at - self._read_at > MAX_AGE_SECONDS:
                self._mib = self._read()
                self._read_at = began_at
            return self._mib

    def _read(self) -> float:
        with self.database.read() as connection:
            devices = list_devices(connection, now())
        totals = (device.total_mib for device in devices)
        return max((total - reserve_mib(total) for total in totals), default=0.0)
