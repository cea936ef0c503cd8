"""What belongs to no issue is found at once among a hundred thousand digests that wait."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index over mails that belong to no issue."""
    alone = sa.text("issue IS NULL")
    op.create_index(
        "ix_delivery_alone",
        "delivery",
        ["state", "not_before"],
        sqlite_where=alone,
        postgresql_where=alone,
    )
