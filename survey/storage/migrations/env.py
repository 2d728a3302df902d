"""Alembic's entry: runs in the connection and transaction that `survey.storage.schema` hands over."""

from alembic import context

from survey.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
