"""Keyset pages: a list continues after the last row's keys, so page 1,000 costs what page 1 costs."""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    Enum,
    Integer,
    Numeric,
    Row,
    Select,
    String,
    TypeDecorator,
    and_,
    or_,
)
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.types import TypeEngine

from core.errors import Invalid

T = TypeVar("T")
MAX_LIMIT = 100
DEFAULT_LIMIT = 20


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page and the cursor of the next, or None at the end."""

    items: list[T]
    next: str | None

    def map(self, turn: Callable[[T], Any]) -> "Page[Any]":
        return Page([turn(item) for item in self.items], self.next)


@dataclass(frozen=True)
class Key:
    """One sort column; the last key of a list must be unique (`id`). None values are not allowed in a key column."""

    column: ColumnElement[Any] | InstrumentedAttribute[Any]
    name: str
    descending: bool = False


def page(
    session: Session, stmt: Select[*tuple[Any, ...]], keys: Sequence[Key], *, after: str | None, limit: int
) -> Page[Row[*tuple[Any, ...]]]:
    """Rows of `stmt` ordered by `keys`. Each key's `name` must be a column label of the statement.

    Raises Invalid("bad-cursor") or Invalid("bad-limit").
    """
    check_limit(limit)
    if after:
        values = _decode(after, len(keys))
        if not all(_fits(value, key.column.type) for key, value in zip(keys, values, strict=True)):
            raise _bad_cursor()
        stmt = stmt.where(_beyond(keys, values))
    order = [k.column.desc() if k.descending else k.column.asc() for k in keys]
    rows = list(session.execute(stmt.order_by(*order).limit(limit + 1)).all())
    more = len(rows) > limit
    rows = rows[:limit]
    cursor = _encode([rows[-1]._mapping[k.name] for k in keys]) if more else None
    return Page(rows, cursor)


def check_limit(limit: int) -> None:
    if not 1 <= limit <= MAX_LIMIT:
        raise Invalid("bad-limit", f"limit must be from 1 to {MAX_LIMIT}.", errors=[("limit", "from 1 to 100")])


def _beyond(keys: Sequence[Key], values: Sequence[Any]) -> ColumnElement[bool]:
    alternatives = []
    for i, key in enumerate(keys):
        same = [k.column == v for k, v in zip(keys[:i], values[:i], strict=True)]
        step = key.column < values[i] if key.descending else key.column > values[i]
        alternatives.append(and_(*same, step))
    return or_(*alternatives)


def _encode(values: Sequence[Any]) -> str:
    plain = [{"t": v.isoformat()} if isinstance(v, datetime) else v for v in values]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def _decode(cursor: str, length: int) -> list[Any]:
    try:
        raw = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        values = [datetime.fromisoformat(v["t"]) if isinstance(v, dict) else v for v in raw]
        if len(values) != length or any(not isinstance(v, int | str | float | datetime) for v in values):
            raise ValueError("wrong shape")
        if any(isinstance(v, datetime) and v.tzinfo is None for v in values):
            raise ValueError("naive time")
        if any(isinstance(v, int) and not -(2**62) < v < 2**62 for v in values):
            raise ValueError("number out of range")
        return values
    except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise _bad_cursor() from error


def _bad_cursor() -> Invalid:
    return Invalid("bad-cursor", "This cursor is not one of ours; start again without it.")


def _fits(value: Any, kind: TypeEngine[Any]) -> bool:
    """Whether a column of this type can be compared with the value: PostgreSQL would break off the transaction."""
    if isinstance(kind, TypeDecorator):
        kind = kind.impl_instance
    if isinstance(kind, Boolean):
        return isinstance(value, bool)
    if isinstance(kind, Integer):
        bits = 63 if isinstance(kind, BigInteger) else 31
        return type(value) is int and -(2**bits) <= value < 2**bits
    if isinstance(kind, Numeric):
        return type(value) in (int, float)
    if isinstance(kind, DateTime):
        return isinstance(value, datetime)
    if isinstance(kind, Enum):
        return value in kind.enums
    return not isinstance(kind, String) or (isinstance(value, str) and "\x00" not in value and _is_whole(value))


def _is_whole(text: str) -> bool:
    """Whether the text can be written down: half of a surrogate pair cannot."""
    return not any(0xD800 <= ord(char) < 0xE000 for char in text)
