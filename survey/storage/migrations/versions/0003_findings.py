"""Cases know who opened a reserve household and where the list was wrong; attempts may know their place."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("cases", sa.Column("release", sa.Text(), nullable=True))
    op.add_column("cases", sa.Column("finding", sa.Text(), nullable=True))
    op.add_column("attempts", sa.Column("place", sa.Text(), nullable=True))
