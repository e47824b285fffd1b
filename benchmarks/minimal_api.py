"""The smallest service with the same database work, which the API is compared with.

FastAPI, synchronous SQLAlchemy, SQLite in WAL mode with FULL sync: one route inserts a row durably,
another reads a row by its key. `python -m benchmarks.minimal_api PORT FILE`.
"""

import sys
import uuid
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException
from sqlalchemy import JSON, String, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from shared.database import sqlite_driver


class Base(DeclarativeBase):
    """The tables."""


class Job(Base):
    """A job."""

    __tablename__ = "jobs"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    spec: Mapped[dict[str, Any]] = mapped_column(JSON)


def make_app(path: str) -> FastAPI:
    """Return the application over a database file."""
    engine = create_engine(f"sqlite:///{path}", module=sqlite_driver(), pool_size=45)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000"):
            connection.execute(f"PRAGMA {pragma}")

    Base.metadata.create_all(engine)
    app = FastAPI()

    @app.post("/jobs", status_code=202)
    def create(spec: dict[str, Any]) -> dict[str, Any]:
        with Session(engine) as session:
            job = Job(id=uuid.uuid4().hex, state="queued", spec=spec)
            session.add(job)
            session.commit()
            return {"id": job.id, "state": job.state, "spec": job.spec}

    @app.get("/jobs/{job_id}")
    def show(job_id: str) -> dict[str, Any]:
        with Session(engine) as session:
            job = session.get(Job, job_id)
            if job is None:
                raise HTTPException(404)
            return {"id": job.id, "state": job.state, "spec": job.spec}

    return app


if __name__ == "__main__":
    uvicorn.run(make_app(sys.argv[2]), port=int(sys.argv[1]), log_level="error", access_log=False)
