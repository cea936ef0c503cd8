"""Words that fold otherwise now (IL6, datasets, Schroedinger) are folded anew where stored."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.library import title_name

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Fold titles of libraries again, and empty the catalogue.

    `digest.store.migrate` enters each paper that has no row there.
    """
    _fold_libraries()
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DELETE FROM catalogue")
        return
    # The index of words is emptied at once, not word by word as each row leaves.
    op.execute("DROP TRIGGER catalogue_left")
    op.execute("DELETE FROM catalogue")
    op.execute("INSERT INTO search(search) VALUES ('delete-all')")
    op.execute(
        "CREATE TRIGGER catalogue_left AFTER DELETE ON catalogue BEGIN "
        "INSERT INTO search(search, rowid, words) VALUES ('delete', old.place, old.words); END"
    )


def _fold_libraries() -> None:
    connection = op.get_bind()
    library = sa.table("library", sa.column("subscriber"), sa.column("name"))
    titled = library.c.name.like("title:%")
    for subscriber, name in connection.execute(sa.select(library).where(titled)).all():
        folded = title_name(name.removeprefix("title:"))
        if not folded or folded == name:
            continue
        own = library.c.subscriber == subscriber
        connection.execute(sa.delete(library).where(own & library.c.name.in_((name, folded))))
        connection.execute(sa.insert(library).values(subscriber=subscriber, name=folded))
