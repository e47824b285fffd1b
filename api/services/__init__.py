"""What the routes work with: made once, carried by the application."""

from dataclasses import dataclass

from api.catalog.methods import Methods
from api.services.change_watcher import ChangeWatcher
from api.services.doorbell import Doorbell
from api.services.keys import KeyCheck
from api.services.queue_order import QueueOrder
from api.services.sidecar_client import SidecarClient
from api.weights.unfinished import sweep
from shared import catalog
from shared.database import Database
from shared.jobs.submission import sha256_of_json
from shared.settings import Settings
from shared.storage import Storage


@dataclass(frozen=True)
class Services:
    """Everything that outlives a request."""

    settings: Settings
    database: Database
    storage: Storage
    methods: Methods
    sidecar: SidecarClient
    doorbell: Doorbell
    order: QueueOrder
    watcher: ChangeWatcher
    keys: KeyCheck

    def close(self) -> None:
        """Let go of threads and connections."""
        self.doorbell.stop()
        self.database.close()


def open_services(settings: Settings) -> Services:
    """Open everything; nothing is asked of the network yet."""
    database, storage = Database(settings.database), Storage(settings.storage)
    sweep(storage.weights("").parent)
    version = sha256_of_json(catalog.load())
    order = QueueOrder(database)
    return Services(
        settings=settings,
        database=database,
        storage=storage,
        methods=Methods(catalog.load()),
        sidecar=SidecarClient(settings.sidecar, database, version),
        doorbell=Doorbell(settings),
        order=order,
        watcher=ChangeWatcher(database, order),
        keys=KeyCheck(settings),
    )
