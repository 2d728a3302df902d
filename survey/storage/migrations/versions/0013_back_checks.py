"""Who asks a household again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "back_checks",
        sa.Column("case", sa.Text(), nullable=False),
        sa.Column("official", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["case"], ["cases.id"], name=op.f("fk_back_checks_case_cases")),
        sa.PrimaryKeyConstraint("case", name=op.f("pk_back_checks")),
    )
    with op.batch_alter_table("back_checks") as batch_op:
        batch_op.create_index(batch_op.f("ix_back_checks_official"), ["official"], unique=False)
