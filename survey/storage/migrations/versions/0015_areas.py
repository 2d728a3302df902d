"""A commune's households are found by their area, so that a supervisor's list does not grow with the commune."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_cases_commune_psu"), "cases", ["commune", "psu"], unique=False)
