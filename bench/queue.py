"""Does "next" stay quick? Claim-next with 1,000,000 cases against 1,000, on both databases, in one run.

Of the cases 10 % are live; of these 30 % are leased, and they stand where leases stand: at the head of the queue. 4,000
boards; one moderator of a single quiet board who opted out of a kind that waits there first, and one lead of all
boards. Each claim is rolled back. The two sizes take turns, so that a busy machine slows both.
Run: python -m bench.queue [--cases N] [--rounds N] [--sqlite] [--postgresql]. Exit 1 where a ratio is above 1.5.
"""

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.orm import Session

from auth.policy import Actor
from core import db as database
from core.db import db
from core.vocabulary import Role
from moderation import cases, queries
from tests.support import postgres

BOARDS, MEMBERS, SMALL, MOST_RATIO = 4_000, 10_000, 1_000, 1.5
# The cases of the seeds are due one second apart from here on; the claims happen while all leases are live.
START, NOW = "2026-01-01 00:00:00", datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
QUIET = BOARDS
# On the quiet board, in either size: leased ones, ones of the kind opted out of, skipped ones, then what is offered.
QUIET_LIVE, QUIET_LEASED, QUIET_HARD, QUIET_SKIPPED = 15, 4, 4, 2

MODERATOR, LEAD = 1, 2
ACTORS = {
    "moderator of one quiet board": Actor(
        id=MODERATOR,
        handle="mo",
        roles=frozenset({Role.MODERATOR}),
        board_ids=frozenset({QUIET}),
        has_second_factor=True,
    ),
    "lead of all boards": Actor(id=LEAD, handle="lea", roles=frozenset({Role.LEAD}), has_second_factor=True),
}


# --- Seeds: written by the database itself, so a million take about a minute ---------------------------------------


@dataclass(frozen=True)
class Dialect:
    """How one database counts and dates."""

    series: str
    instant: str
    word: str

    def at(self, seconds: str) -> str:
        return self.instant.format(seconds=seconds)


POSTGRES = Dialect(
    "generate_series(1::bigint, {n}) AS s(i)",
    f"(TIMESTAMPTZ '{START}+00' + ({{seconds}}) * INTERVAL '1 second')",
    "lpad(({x})::text, 32, '0')",
)
SQLITE = Dialect(
    "(WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {n}) SELECT i FROM s)",
    f"(datetime('{START}', '+' || ({{seconds}}) || ' seconds') || '.000000')",
    "printf('%032d', {x})",
)


def seed(engine: Engine, count: int) -> None:
    """`count` cases, each with a post and a finding; one in ten live, one in ten reported, five posts a thread."""
    said = POSTGRES if engine.dialect.name == "postgresql" else SQLITE
    live = count // 10
    # The live ones come last, as in a forum: what is old is decided. i counts from 1.
    nth = f"(i - {count - live})"
    quiet = f"{nth} > {live - QUIET_LIVE}"
    quiet_nth = f"({nth} - {live - QUIET_LIVE})"
    leased = f"(CASE WHEN {quiet} THEN {quiet_nth} <= {QUIET_LEASED} ELSE {nth} > 0 AND {nth} <= {live * 3 // 10} END)"
    # Many cases on a few boards, few on most; the quiet one is the last.
    some = f"1 + (i * 7919 % 1000) * (i / 1000 * 104729 % 1000) * {(BOARDS - 1) // 10} / 100000"
    board = f"(CASE WHEN {quiet} THEN {QUIET} ELSE {some} END)"
    hard = f"{quiet_nth} <= {QUIET_LEASED + QUIET_HARD}"
    kind = (
        f"(CASE WHEN {quiet} THEN CASE WHEN {hard} THEN 'crisis_thoughts' ELSE 'newcomer' END"
        " WHEN i % 50 = 0 THEN 'crisis_thoughts' WHEN i % 3 = 0 THEN 'link' ELSE 'newcomer' END)"
    )
    author = f"(3 + i * 31 % {MEMBERS - 3})"
    now, long_ago = said.at("13090200 + i % 300"), said.at("0")
    with engine.begin() as connection:
        if said is POSTGRES:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        for table, n, columns in (
            (
                "member",
                MEMBERS,
                {
                    "id": "i",
                    "handle": "'m' || i",
                    "handle_skeleton": "'m' || i",
                    "email": "'m' || i || '@example.org'",
                    "active": "true",
                    "fs_uniquifier": said.word.format(x="i"),
                    "language": "'en'",
                    "created_at": long_ago,
                    "wants_mail": "true",
                    "approved_count": "5",
                    "upheld_report_count": "0",
                    "is_demo": "false",
                },
            ),
            ("board", BOARDS, {"id": "i", "slug": "'b' || i", "name": "'Board ' || i"}),
            (
                "thread",
                count // 5 + 1,
                {
                    "id": "i",
                    "board_id": f"1 + i % {BOARDS}",
                    "kind": "'question'",
                    "title": "'A question'",
                    "slug": "'a-question'",
                    "author_id": f"3 + i % {MEMBERS - 3}",
                    "state": "'published'",
                    "created_at": long_ago,
                    "last_activity_at": long_ago,
                },
            ),
            (
                "post",
                count,
                {
                    "id": "i",
                    "thread_id": "1 + i / 5",
                    "kind": "CASE WHEN i % 5 = 0 THEN 'opening' ELSE 'answer' END",
                    "position": "i % 5",
                    # The moderator of the quiet board has posted here and there.
                    "author_id": f"CASE WHEN i % 997 = 0 AND NOT {quiet} THEN {MODERATOR} ELSE {author} END",
                    "state": "'published'",
                    "source": "'Some text.'",
                    "html": "'<p>Some text.</p>'",
                    "text": "'Some text.'",
                    "excerpt": "'Some text.'",
                    "renderer": "'1'",
                    "created_at": long_ago,
                },
            ),
            (
                "revision",
                1_000,
                {
                    "id": "i",
                    "post_id": "i",
                    "number": "1",
                    "source": "'Some text.'",
                    "html": "'<p>Some text.</p>'",
                    "text": "'Some text.'",
                    "excerpt": "'Some text.'",
                    "renderer": "'1'",
                    "state": "'live'",
                    "author_id": author,
                    "created_at": long_ago,
                },
            ),
            (
                "case",
                count,
                {
                    "id": "i",
                    "subject_kind": "'post'",
                    "post_id": "i",
                    "revision_id": "1 + i % 1000",
                    "board_id": board,
                    "author_id": author,
                    "state": f"CASE WHEN {nth} <= 0 THEN 'decided' WHEN {leased} THEN 'claimed' ELSE 'open' END",
                    "priority": "CASE WHEN i % 100 = 0 THEN 'P0' WHEN i % 20 = 0 THEN 'P1' ELSE 'P3' END",
                    "lane": "CASE WHEN i % 100 = 0 THEN 0 WHEN i % 20 = 0 THEN 1 ELSE 2 END",
                    "due_at": said.at("i"),
                    "score": "1.0",
                    "claimed_by": f"CASE WHEN {leased} THEN 3 END",
                    "claimed_until": f"CASE WHEN {leased} THEN {now} END",
                    "version": "1",
                    "round": "1",
                    "opened_at": said.at("i"),
                    "decided_at": f"CASE WHEN {nth} <= 0 THEN {said.at('i + 600')} END",
                },
            ),
            (
                "finding",
                count,
                {
                    "id": "i",
                    "case_id": "i",
                    "revision_id": "1 + i % 1000",
                    "kind": kind,
                    "score": "1.0",
                    "holds": "true",
                    "explanation": "'Because.'",
                    "rule_version": "'1'",
                    "at": long_ago,
                },
            ),
            (
                "report",
                count // 10,
                {
                    "id": "i",
                    "reference": said.word.format(x="i"),
                    "post_id": "i * 10",
                    "revision_id": "1 + i % 1000",
                    "case_id": "i * 10",
                    "reporter_id": f"CASE WHEN i % 97 = 0 THEN {MODERATOR} ELSE {author} END",
                    "rule_code": "'R11-kind'",
                    "note": "''",
                    "status": "'open'",
                    "outcome": "''",
                    "created_at": long_ago,
                },
            ),
        ):
            names = ", ".join(f'"{name}"' for name in columns)
            fill(connection, table, names, ", ".join(columns.values()), said.series.format(n=n))
        first_offered = count - QUIET_LIVE + QUIET_LEASED + QUIET_HARD
        for step in range(QUIET_SKIPPED):
            connection.execute(
                text(
                    "INSERT INTO case_skip (case_id, moderator_id, case_version, reason, at)"
                    f" VALUES ({first_offered + 1 + step}, {MODERATOR}, 1, 'Later.', {long_ago})"
                )
            )
        connection.execute(
            text(
                "INSERT INTO desk_setting (member_id, opted_out, blurs, break_after)"
                f" VALUES ({MODERATOR}, '[\"crisis_thoughts\"]', true, 10)"
            )
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE" if said is POSTGRES else "ANALYZE"))


def fill(connection: Any, table: str, names: str, values: str, series: str) -> None:
    """Write the rows of a table; columns that are not named take the defaults of the models."""
    given = {name.strip('" ') for name in names.split(",")}
    columns = {}
    for column in db.metadata.tables[table].columns:
        if column.name in given or column.default is None or column.primary_key:
            continue
        value = column.default.arg
        value = value({}) if callable(value) else value
        columns[column.name] = "'[]'" if value == [] else "'{}'" if value == {} else _literal(value)
    names += "".join(f', "{name}"' for name in columns)
    values += "".join(f", {value}" for value in columns.values())
    statement = f'INSERT INTO "{table}" ({names}) SELECT {values} FROM {series}'
    # A driver takes a single percent sign for a place to fill in.
    connection.exec_driver_sql(statement.replace("%", "%%") if connection.dialect.name == "postgresql" else statement)


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}'" if isinstance(value, str) else str(value)


# --- Measuring -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def session_on(engine: Engine) -> Iterator[Session]:
    """A transaction that is rolled back."""
    with Session(engine) as session:
        session.connection(execution_options={"boardwell_write": True})
        yield session
        session.rollback()


def claim(session: Session, actor: Actor) -> int | None:
    case = cases.claim_next(session, by=actor, now=NOW)
    return case.id if case else None


def look(session: Session, actor: Actor) -> int | None:
    return len(queries.queue(session, actor, now=NOW).items)


def badge(session: Session, actor: Actor) -> int | None:
    return queries.queue_count(session, actor)


WORK: dict[str, Callable[[Session, Actor], int | None]] = {
    "claim next": claim,
    "first page of the queue": look,
    "number in the header": badge,
}


def timed(engine: Engine, work: Callable[[Session, Actor], int | None], actor: Actor) -> float:
    with session_on(engine) as session:
        begun = time.perf_counter()
        found = work(session, actor)
        taken = time.perf_counter() - begun
    assert found, "nothing was found, so nothing was measured"
    return taken * 1000


def buffers(engine: Engine, actor: Actor) -> str:
    """What PostgreSQL reads for one claim and how long that takes it, by its own account."""
    seen: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        if statement.startswith('UPDATE "case"'):
            seen.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        with session_on(engine) as session:
            claim(session, actor)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    statement, parameters = seen[0]
    with session_on(engine) as session:
        explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
        plan = session.connection().exec_driver_sql(explain, parameters).scalar_one()[0]["Plan"]
    read = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    return f"{read} buffers, {plan['Actual Total Time']:.2f} ms"


def compare(big: Engine, small: Engine, rounds: int, count: int) -> bool:
    """Print the medians of both sizes; True where no claim-next is too slow."""
    ok = True
    name = big.dialect.name
    for who, actor in ACTORS.items():
        for what, work in WORK.items():
            for engine in (big, small):
                for _ in range(5):
                    timed(engine, work, actor)
            times: dict[Engine, list[float]] = {big: [], small: []}
            for turn in range(rounds):
                for engine in (big, small) if turn % 2 else (small, big):
                    times[engine].append(timed(engine, work, actor))
            many, few = statistics.median(times[big]), statistics.median(times[small])
            ratio = many / few
            judged = what == "claim next"
            ok = ok and (not judged or ratio <= MOST_RATIO)
            verdict = ("ok" if ratio <= MOST_RATIO else "TOO SLOW") if judged else ""
            print(f"{name:11} {who:29} {what:24} {few:8.2f} ms {many:8.2f} ms {ratio:6.2f}  {verdict}")
        if name == "postgresql":
            few_read, many_read = buffers(small, actor), buffers(big, actor)
            print(f"{name:11} {who:29} {'claim next reads':24} {few_read}; with {count:,}: {many_read}")
    return ok


# --- Databases -----------------------------------------------------------------------------------------------------


def build(url: str, count: int) -> Engine:
    """The tables of the models with their indexes, seeded."""
    engine = create_engine(url)
    database.install(engine)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _quick(connection: Any, _record: Any) -> None:
            connection.execute("PRAGMA foreign_keys=OFF")
            connection.execute("PRAGMA cache_size=-65536")

    begun = time.monotonic()
    db.metadata.create_all(engine)
    seed(engine, count)
    print(f"{engine.dialect.name}: {count:,} cases seeded in {time.monotonic() - begun:.0f} s", flush=True)
    return engine


def main() -> int:
    wanted = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wanted.add_argument("--cases", type=int, default=1_000_000)
    wanted.add_argument("--rounds", type=int, default=200)
    wanted.add_argument("--sqlite", action="store_true", help="only SQLite")
    wanted.add_argument("--postgresql", action="store_true", help="only PostgreSQL")
    given = wanted.parse_args()
    both = given.sqlite == given.postgresql
    ok = True
    head = f"{'database':11} {'who':29} {'what':24} {SMALL:>8,}    {given.cases:>10,}     ratio"
    if given.sqlite or both:
        with tempfile.TemporaryDirectory(prefix="boardwell-bench-") as folder:
            small, big = (build(f"sqlite:///{folder}/{n}.sqlite", n) for n in (SMALL, given.cases))
            print(head)
            ok &= compare(big, small, given.rounds, given.cases)
            big.dispose(), small.dispose()
    if given.postgresql or both:
        try:
            with postgres.running() as server:
                for name in ("small", "big"):
                    server.create(name)
                small, big = build(server.url("small"), SMALL), build(server.url("big"), given.cases)
                print(head)
                ok &= compare(big, small, given.rounds, given.cases)
                big.dispose(), small.dispose()
        except postgres.Unavailable as why:
            print(f"postgresql: skipped, {why}")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
