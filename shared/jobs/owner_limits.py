"""Which owners may not start further jobs: their limits, and disabled accounts."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from shared import tables
from shared.accounts.limits import limit_of
from shared.jobs import used_days
from shared.jobs.planning.box import LimitedBy, Owner, Policy

RUNNING, WEEK = "running", "device_seconds_week"


def add_limits(
    connection: sa.Connection,
    policy: Policy,
    owners: dict[str, Owner],
    running: Mapping[str, int],
) -> None:
    """Add to owners how many jobs they may start.

    Args:
        connection: for reading.
        policy: with the limits of the settings.
        owners: by name.
        running: how many jobs of each owner run.
    """
    users = tables.users.c
    # The column is compared as text: of the many people without limits nothing is read.
    has_limits = sa.cast(users.limits, sa.Text) != "{}"
    query = sa.select(users.name, users.limits, users.disabled_at)
    query = query.where(sa.or_(users.disabled_at.is_not(None), has_limits))
    own: dict[str, tuple[Any, Any]] = {
        row[0]: (row[1], row[2]) for row in connection.execute(query)
    }
    if not own and not any(name in policy.limits for name in (RUNNING, WEEK)):
        return
    limits = {name: own.get(name, ({}, None))[0] for name in owners}
    week_limits = {name: limit_of(policy.limits, limits[name], WEEK) for name in owners}
    limited = [name for name, limit in week_limits.items() if limit is not None]
    weeks = used_days.read_week(connection, limited) if limited else {}
    for name, owner in owners.items():
        most, week = limit_of(policy.limits, limits[name], RUNNING), week_limits[name]
        limited_by: LimitedBy | None = None
        if own.get(name, ({}, None))[1] is not None:
            limited_by = "disabled"
        elif week is not None and weeks.get(name, used_days.Week()).device_seconds >= week:
            limited_by = "device_seconds_week"
        elif most is not None and running.get(name, 0) >= most:
            limited_by = "running"
        if most is None and limited_by is None:
            continue
        left = 0 if limited_by or most is None else int(most) - running.get(name, 0)
        max_running = None if most is None else int(most)
        owners[name] = replace(
            owner, max_running=max_running, startable=left, limited_by=limited_by
        )
