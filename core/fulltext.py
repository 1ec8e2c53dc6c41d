"""One full-text index behind one interface: FTS5 on SQLite, tsvector on PostgreSQL.

Only what everybody may read stands in it; whoever hides a text drops its row in the same transaction. The index itself
(virtual table, generated column, triggers) is made by the migration.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, delete, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base, UtcDateTime, is_sqlite

# A query of more words than this is cut: ranking gets no better and the cost grows.
MAX_WORDS = 24
SNIPPET_WORDS = 28
# A reply carries its thread's title; the thread itself comes first where only that title fits.
POST_WEIGHT = "CASE e.kind WHEN 'post' THEN 0.4 ELSE 1.0 END"
# Marks around the words found; no indexed text holds them. Templates turn them into <mark>.
MARK_ON, MARK_OFF = "\x02", "\x03"


class SearchEntry(Base):
    __tablename__ = "search_entry"
    __table_args__ = (UniqueConstraint("kind", "ref_id"), Index("ix_search_entry_board_kind", "board_id", "kind"))

    id: Mapped[int] = mapped_column(primary_key=True)
    # thread | post | article (a section of the reference)
    kind: Mapped[str] = mapped_column(String(16))
    ref_id: Mapped[int]
    board_id: Mapped[int | None] = mapped_column(ForeignKey("board.id", ondelete="CASCADE"))
    condition_id: Mapped[int | None] = mapped_column(ForeignKey("condition.id", ondelete="CASCADE"), index=True)
    # question | experience for threads and posts; the section's key for articles
    detail: Mapped[str] = mapped_column(String(32), default="")
    url: Mapped[str] = mapped_column(String(300))
    title: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True)
class Hit:
    """One match. `snippet` is plain text with MARK_ON and MARK_OFF around the words found; `rank`: higher is better."""

    kind: str
    ref_id: int
    url: str
    title: str
    snippet: str
    detail: str
    board_id: int | None
    condition_id: int | None
    rank: float


def put(session: Session, entry: SearchEntry) -> None:
    """Insert or replace the row of (kind, ref_id)."""
    drop(session, entry.kind, entry.ref_id)
    session.add(entry)
    session.flush()  # so that a drop() later in this transaction finds it


def drop(session: Session, kind: str, ref_id: int) -> None:
    session.flush()
    session.execute(
        delete(SearchEntry)
        .where(SearchEntry.kind == kind, SearchEntry.ref_id == ref_id)
        .execution_options(synchronize_session=False)
    )


def words(query: str) -> list[str]:
    """The searchable words of what a person typed: at most MAX_WORDS, no operators, no marks."""
    return re.findall(r"[^\W_]+", query, re.UNICODE)[:MAX_WORDS]


def match(
    session: Session,
    query: str,
    *,
    kinds: tuple[str, ...] = (),
    board_id: int | None = None,
    condition_id: int | None = None,
    detail: str | None = None,
    any_word: bool = False,
    limit: int = 20,
    offset: int = 0,
) -> list[Hit]:
    """Best matches first; never raises on user text. All words must occur, unless `any_word` ("similar questions")."""
    found = words(query)
    if not found:
        return []
    clauses: list[str] = []
    values: dict[str, int | str] = {"limit": limit, "offset": offset}
    for i, kind in enumerate(kinds):
        values[f"kind{i}"] = kind
    if kinds:
        clauses.append(f"e.kind IN ({', '.join(f':kind{i}' for i in range(len(kinds)))})")
    for name, value in (("board_id", board_id), ("condition_id", condition_id), ("detail", detail)):
        if value is not None:
            clauses.append(f"e.{name} = :{name}")
            values[name] = value
    where = "".join(f" AND {c}" for c in clauses)
    sql = _sqlite(where) if is_sqlite(session) else _postgresql(where)
    values["q"] = _sqlite_query(found, any_word) if is_sqlite(session) else _postgresql_query(found, any_word)
    rows = session.execute(text(sql), values).all()
    return [Hit(*row) for row in rows]


def _sqlite_query(found: list[str], any_word: bool) -> str:
    quoted = ['"' + w.replace('"', '""') + '"' for w in found]
    return (" OR " if any_word else " ").join(quoted)


def _postgresql_query(found: list[str], any_word: bool) -> str:
    return (" or " if any_word else " ").join(found)


def _sqlite(where: str) -> str:
    return f"""
        SELECT e.kind, e.ref_id, e.url, e.title,
               snippet(search_fts, 1, '{MARK_ON}', '{MARK_OFF}', '…', {SNIPPET_WORDS}) AS snippet,
               e.detail, e.board_id, e.condition_id, -bm25(search_fts, 4.0, 1.0) * {POST_WEIGHT} AS rank
        FROM search_fts JOIN search_entry e ON e.id = search_fts.rowid
        WHERE search_fts MATCH :q{where}
        ORDER BY rank DESC, e.id DESC LIMIT :limit OFFSET :offset"""


def _postgresql(where: str) -> str:
    options = f"StartSel={MARK_ON}, StopSel={MARK_OFF}, MaxWords={SNIPPET_WORDS}, MinWords=8, MaxFragments=1"
    # The inner query ranks; headlines, which are dear, are made for the rows shown only.
    return f"""
        SELECT kind, ref_id, url, title, ts_headline('english', body, query, '{options}') AS snippet,
               detail, board_id, condition_id, rank
        FROM (SELECT e.*, q.query, ts_rank(e.tsv, q.query) * {POST_WEIGHT} AS rank
              FROM search_entry e, websearch_to_tsquery('english', :q) AS q(query)
              WHERE e.tsv @@ q.query{where}
              ORDER BY rank DESC, e.id DESC LIMIT :limit OFFSET :offset) AS best
        ORDER BY rank DESC, id DESC"""
