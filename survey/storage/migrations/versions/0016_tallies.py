"""Cases are counted as they change, so that no figure of the office looks at every case."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tallies",
        sa.Column("view", sa.Text(), nullable=False),
        sa.Column("commune", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("cases", sa.BigInteger(), nullable=False),
        sa.Column("weight", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("view", "commune", "key", "item", name=op.f("pk_tallies")),
    )
    op.add_column("cases", sa.Column("counted", sa.Text()))
    op.add_column("cases", sa.Column("counted_at", sa.BigInteger()))
    op.add_column("responses", sa.Column("recount", sa.Boolean(), nullable=False, server_default=sa.false()))
    sqlite = op.get_bind().dialect.name == "sqlite"
    changed = "counted_at IS NOT changed_at" if sqlite else "counted_at IS DISTINCT FROM changed_at"
    added_to = "recount IS 1" if sqlite else "recount IS true"
    op.execute(f"CREATE INDEX ix_cases_uncounted ON cases (changed_at, id) WHERE {changed}")
    op.execute(f"CREATE INDEX ix_responses_recount ON responses (id) WHERE {added_to}")
