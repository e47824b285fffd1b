"""What the routes work with: made once, carried by the application."""

from dataclasses import dataclass

from api.catalog.methods import Methods
from api.desk import DeskClient
from api.doorbell import Doorbell
from api.jobs.order import Order
from api.keys import KeyCheck
from api.watcher import Watcher
from api.weights.unfinished import sweep
from shared import catalog
from shared.database import Database
from shared.jobs.submission import sha256_of
from shared.settings import Settings
from shared.storage import Storage


@dataclass(frozen=True)
class Services:
    """Everything that outlives a request."""

    settings: Settings
    database: Database
    storage: Storage
    methods: Methods
    desk: DeskClient
    doorbell: Doorbell
    order: Order
    watcher: Watcher
    keys: KeyCheck

    def close(self) -> None:
        """Let go of threads and connections."""
        self.doorbell.stop()
        self.database.close()


def open_services(settings: Settings) -> Services:
    """Open everything; nothing is asked of the network yet."""
    database, storage = Database(settings.database), Storage(settings.storage)
    sweep(storage.weights("").parent)
    version = sha256_of(catalog.load())
    order = Order(database)
    return Services(
        settings=settings,
        database=database,
        storage=storage,
        methods=Methods(catalog.load()),
        desk=DeskClient(settings.desk, database, version),
        doorbell=Doorbell(settings),
        order=order,
        watcher=Watcher(database, order),
        keys=KeyCheck(settings),
    )
