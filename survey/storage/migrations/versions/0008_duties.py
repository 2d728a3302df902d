"""Requests are handled within their clocks, breaches are registered, accounts have a second factor and invitations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table, column in (
        ("requests", sa.Column("replied_at", sa.BigInteger(), nullable=False, server_default="0")),
        ("requests", sa.Column("extended", sa.Text(), nullable=False, server_default="")),
        ("requests", sa.Column("refused", sa.Boolean(), nullable=False, server_default=sa.false())),
        ("requests", sa.Column("lifted_at", sa.BigInteger(), nullable=False, server_default="0")),
        ("accounts", sa.Column("totp", sa.Text(), nullable=False, server_default="")),
        ("accounts", sa.Column("totp_used", sa.BigInteger(), nullable=False, server_default="0")),
        ("accounts", sa.Column("recovery", sa.Text(), nullable=False, server_default="[]")),
        ("data_keys", sa.Column("purpose", sa.Text(), nullable=False, server_default="fields")),
    ):
        op.add_column(table, column)
    op.create_table(
        "breaches",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("detected_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("measures", sa.Text(), nullable=False),
        sa.Column("notified_at", sa.BigInteger(), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_breaches")),
    )
    op.create_table(
        "invitations",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_invitations")),
        sa.ForeignKeyConstraint(["account"], ["accounts.name"], name=op.f("fk_invitations_account_accounts")),
    )
    with op.batch_alter_table("invitations") as batch_op:
        batch_op.create_index(batch_op.f("ix_invitations_account"), ["account"], unique=False)
