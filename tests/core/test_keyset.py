"""Keyset pages: complete, without repeats, and deaf to made-up cursors."""

import base64
import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from core.audit import AuditEntry, record
from core.db import unit_of_work
from core.errors import Invalid
from core.keyset import Key, page

KEYS = [Key(AuditEntry.at, "at", descending=True), Key(AuditEntry.id, "id", descending=True)]


def rows(session, **kw):
    return page(session, select(AuditEntry.id, AuditEntry.at), KEYS, **kw)


def test_pages_hold_every_row_once_in_order(session, now):
    with unit_of_work() as s:
        for n in range(23):
            # Several rows share an instant: the id decides among them.
            record(s, actor_id=None, action="x", subject=("t", n), now=now + timedelta(seconds=n // 4))
    seen, cursor = [], None
    while True:
        part = rows(session, after=cursor, limit=5)
        seen += [r.id for r in part.items]
        cursor = part.next
        if cursor is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == len(set(seen)) == 23


@pytest.mark.parametrize("cursor", ["x", "AAAA", "W10", "eyJhIjoxfQ", "WzFd", "é", "W251bGwsMV0", "W3siYSI6MX0sMV0"])
def test_a_cursor_that_is_not_ours_is_refused(session, cursor):
    with pytest.raises(Invalid) as refused:
        rows(session, after=cursor, limit=5)
    assert refused.value.code == "bad-cursor"


@pytest.mark.parametrize("first", ["a text", "a\x00", "\ud800", 5, True, 1.5])
@pytest.mark.parametrize("last", ["a text", True, 2**40, 1.5])
def test_a_cursor_of_other_types_is_refused_before_the_database_sees_it(session, first, last):
    for values in ([first, 1], [{"t": "2026-01-01T00:00:00+00:00"}, last]):
        cursor = base64.urlsafe_b64encode(json.dumps(values).encode()).decode()
        with pytest.raises(Invalid):
            rows(session, after=cursor, limit=5)
    assert rows(session, after=None, limit=5).items == []


@pytest.mark.parametrize("text", ["a\x00", "\ud800", 5])
def test_a_cursor_holds_only_text_that_can_be_stored(session, text):
    keys = [Key(AuditEntry.action, "action"), Key(AuditEntry.id, "id")]
    cursor = base64.urlsafe_b64encode(json.dumps([text, 1]).encode()).decode()
    with pytest.raises(Invalid):
        page(session, select(AuditEntry.id, AuditEntry.action), keys, after=cursor, limit=5)


@pytest.mark.parametrize("limit", [0, -1, 101])
def test_a_limit_outside_its_range_is_refused(session, limit):
    with pytest.raises(Invalid):
        rows(session, after=None, limit=limit)
