"""Columns of accounts that nothing ever used go: the second step has a table of its own (0009)."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("accounts") as batch_op:
        for column in ("totp", "totp_used", "recovery"):
            batch_op.drop_column(column)
