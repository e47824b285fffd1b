"""The container of all services, created once and carried by the application."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from api.catalog.methods import Methods
from api.http.received_file import delete_unfinished
from api.prometheus.tallies import Tallies
from api.services.authentication import Authenticator
from api.services.change_watcher import ChangeWatcher
from api.services.database_version import DatabaseVersion
from api.services.doorbell import Doorbell
from api.services.event_feed import EventFeeds
from api.services.keys import KeyCheck
from api.services.limits import LimitChecks
from api.services.login_codes import LoginCodes
from api.services.outlines import Outlines
from api.services.owners import OwnerIndex
from api.services.principal import Principal
from api.services.quarantine import Quarantine
from api.services.queue_order import QueueOrder
from api.services.request_rates import RequestRates
from api.services.response_cache import ResponseCache
from api.services.sidecar_client import SidecarClient
from shared import catalog, uploaded_datasets
from shared.accounts import audit
from shared.database import Database
from shared.jobs.estimates.estimator import Estimator
from shared.jobs.read_box import policy_of
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
    queue_order: QueueOrder
    estimator: Estimator
    watcher: ChangeWatcher
    event_feeds: EventFeeds
    authenticator: Authenticator
    owners: OwnerIndex
    login_codes: LoginCodes
    limits: LimitChecks
    request_rates: RequestRates
    quarantine: Quarantine
    tallies: Tallies
    responses: ResponseCache
    outlines: Outlines

    @contextmanager
    def change(
        self, principal: Principal, action: str, subject: str, **changes: Any
    ) -> Iterator[sa.Connection]:
        """Yield a transaction whose change is recorded in the audit.

        Args:
            principal: who makes the change.
            action: such as `job.cancel`.
            subject: the id of what is changed.
            **changes: new values of what changes.
        """
        with self.database.write() as connection:
            yield connection
            self.record(connection, principal, action, subject, **changes)

    def record(
        self,
        connection: sa.Connection,
        principal: Principal,
        action: str,
        subject: str,
        **changes: Any,
    ) -> None:
        """Record a change in the audit, in its transaction; as `change`, with an id made in it."""
        audit.record(connection, principal.actor, action, subject, changes)

    def close(self) -> None:
        """Stop the threads and close the connections."""
        self.doorbell.stop()
        self.queue_order.close()
        self.responses.version.close()
        self.database.close()


def open_services(settings: Settings) -> Services:
    """Create the services. No network connection is opened yet."""
    database, storage = Database(settings.database), Storage(settings.storage)
    delete_unfinished(storage.weights("").parent)
    delete_unfinished(uploaded_datasets.directory(settings.home))
    version = sha256_of_json(catalog.load())
    queue_order = QueueOrder(database, policy_of(settings))
    watcher = ChangeWatcher(database, queue_order)
    limits = LimitChecks(settings)
    authenticator = Authenticator(database, KeyCheck(settings), settings.visibility)
    return Services(
        settings=settings,
        database=database,
        storage=storage,
        methods=Methods(catalog.load()),
        sidecar=SidecarClient(settings.sidecar, database, version),
        doorbell=Doorbell(settings),
        queue_order=queue_order,
        estimator=Estimator(database),
        watcher=watcher,
        event_feeds=EventFeeds(database, watcher, authenticator),
        authenticator=authenticator,
        owners=OwnerIndex(database),
        login_codes=LoginCodes(),
        limits=limits,
        request_rates=RequestRates(database, limits),
        quarantine=Quarantine(database),
        tallies=Tallies(database),
        responses=ResponseCache(DatabaseVersion(database, settings.home)),
        outlines=Outlines(),
    )
