"""Counts are found by whom they are of, so that officials come a page at a time."""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_tallies_view_key"), "tallies", ["view", "key"], unique=False)
