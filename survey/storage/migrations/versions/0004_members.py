"""A member of a household can have a code of his or her own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("codes", sa.Column("member", sa.Text(), nullable=False, server_default=""))
