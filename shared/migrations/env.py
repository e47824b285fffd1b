"""The environment of Alembic, which gets a connection and leaves the transaction to the caller."""

from alembic import context

from shared.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=False,
)
context.run_migrations()
