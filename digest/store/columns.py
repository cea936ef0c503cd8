"""Kinds of columns that SQLite and PostgreSQL keep alike, for `digest.store.tables`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Integer,
    TypeDecorator,
    text,
)
from sqlmodel import Field

Key: Final = BigInteger().with_variant(Integer, "sqlite")


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant; SQLite keeps it as microseconds since 1970, which sort and compare."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:  # noqa: ANN401 -- SQLAlchemy's own type
        """Integers on SQLite, timestamptz elsewhere."""
        return dialect.type_descriptor(
            BigInteger() if dialect.name == "sqlite" else DateTime(timezone=True)
        )

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:  # noqa: ANN401
        """Refuse a naive instant: nobody knows which hour it means."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no zone")
        return to_micros(value) if dialect.name == "sqlite" else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ANN401
        """Always aware, always UTC."""
        if value is None:
            return None
        return from_micros(value) if dialect.name == "sqlite" else value.astimezone(UTC)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970 (UTC), exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_micros(value: int) -> datetime:
    """The instant that many microseconds after 1970."""
    return _EPOCH + timedelta(microseconds=value)


def key() -> Any:  # noqa: ANN401 -- what a field declaration is
    """The key of a row, never reused."""
    return Field(default=None, sa_column=Column(Key, primary_key=True, autoincrement=True))


def refers(to: str, *, nullable: bool = False, index: bool = False) -> Any:  # noqa: ANN401
    """The key of another row, without which this one goes, too."""
    return Field(
        sa_column=Column(Key, ForeignKey(to, ondelete="CASCADE"), nullable=nullable, index=index)
    )


def counted() -> dict[str, Any]:
    """What an index is of that holds only papers somebody counted for, which are few."""
    where = text("upvotes > 0 OR comments > 0 OR stars > 0")
    return {"sqlite_where": where, "postgresql_where": where}


def one_of(name: str, values: tuple[str, ...]) -> CheckConstraint:
    """That a column is one of these words."""
    return CheckConstraint(
        f"{name} IN ({', '.join(repr(value) for value in values)})", f"ck_{name}"
    )
