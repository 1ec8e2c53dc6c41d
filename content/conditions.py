"""Conditions and their names: finding one, matching imported texts to one, joining two that turn out to be one."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, func, insert, select, update
from sqlalchemy.orm import Session

from content.models import (
    Alias,
    Article,
    Condition,
    ConditionCode,
    Definition,
    FormerSlug,
    IntakeField,
    RedFlag,
    Relation,
    condition_category,
)
from core.db import Base
from core.errors import NotFound
from core.fulltext import SearchEntry
from core.text import fold, slugify

# Addresses that belong to something else: /boards/unsorted/.
RESERVED_SLUGS = frozenset({"unsorted"})
MAX_NAME_CHARS = 300
# All-capitals names below this length are acronyms that mean many things (CHILD, SHOTS, FALLS) and find nothing.
ACRONYM_CHARS = 6


def by_slug(session: Session, slug: str) -> Condition:
    """The condition of an address, a former one included: a door redirects where `.slug` differs. Raises NotFound."""
    found = session.execute(select(Condition).where(Condition.slug == slug)).scalar_one_or_none()
    if found is None:
        found = session.execute(
            select(Condition).join(FormerSlug, FormerSlug.condition_id == Condition.id).where(FormerSlug.slug == slug)
        ).scalar_one_or_none()
    if found is None:
        raise NotFound("no-such-condition", "There is no condition at this address.")
    return found


def is_short_acronym(name: str) -> bool:
    """Whether a name is all capitals and too short to mean one thing."""
    letters = [c for c in name if c.isalnum()]
    return len(letters) < ACRONYM_CHARS and not any(c.islower() for c in letters)


def match_condition(session: Session, name: str) -> Condition | None:
    """The one condition that `name` means: by name, then by an editor's alias, then by an imported one.

    None when nothing fits or several do. Short acronyms among imported aliases never match.
    """
    folded = fold(name)
    if not folded:
        return None
    found = session.execute(select(Condition).where(Condition.name_folded == folded)).scalar_one_or_none()
    if found is not None:
        return found
    rows = session.execute(
        select(Condition, Alias.is_declared, Alias.name)
        .join(Alias, Alias.condition_id == Condition.id)
        .where(Alias.folded == folded)
    ).all()
    declared = [row.Condition for row in rows if row.is_declared]
    others = [row.Condition for row in rows if not is_short_acronym(row.name)]
    for candidates in (declared, others):
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            return None
    return None


def names_like(q: str) -> ColumnElement[bool]:
    """Conditions of whose name or an alias a word begins with `q`; a short acronym must be typed whole."""
    folded = fold(q)
    plain = folded.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")

    def begins(column: Any) -> ColumnElement[bool]:
        return column.like(f"{plain}%", escape="\\") | column.like(f"% {plain}%", escape="\\")

    found_by_alias = select(Alias.condition_id).where(
        (Alias.folded == folded) | (begins(Alias.folded) & (func.length(Alias.folded) >= ACRONYM_CHARS))
    )
    return begins(Condition.name_folded) | Condition.id.in_(found_by_alias)


class Directory:
    """All names of all conditions in memory, for importers: three queries, whatever the size of the import."""

    def __init__(self, session: Session) -> None:
        self.by_name: dict[str, int] = {}
        self.by_alias: dict[str, list[int]] = defaultdict(list)
        self.slug_of: dict[int, str] = {}
        self.name_of: dict[int, str] = {}
        self.slugs: set[str] = set(RESERVED_SLUGS)
        for row in session.execute(select(Condition.id, Condition.slug, Condition.name, Condition.name_folded)):
            self.by_name[row.name_folded] = row.id
            self.slug_of[row.id] = row.slug
            self.name_of[row.id] = row.name
            self.slugs.add(row.slug)
        self.slugs.update(session.execute(select(FormerSlug.slug)).scalars())
        declared = select(Alias.folded, Alias.condition_id).where(Alias.is_declared).order_by(Alias.condition_id)
        for folded, condition_id in session.execute(declared):
            self.by_alias[folded].append(condition_id)

    def match(self, folded: str) -> tuple[int, str] | None:
        """(condition, reason) by name, else by a declared alias that only one condition has."""
        if folded in self.by_name:
            condition_id = self.by_name[folded]
            return condition_id, f"same name as {self.name_of[condition_id]}"
        owners = self.by_alias.get(folded, [])
        if len(owners) == 1:
            return owners[0], f"declared alias of {self.name_of[owners[0]]}"
        return None

    def free_slug(self, name: str) -> str:
        """An address for a new condition, taken from now on."""
        wanted = slugify(name)
        slug, number = wanted, 2
        while slug in self.slugs:
            slug, number = f"{wanted}-{number}", number + 1
        self.slugs.add(slug)
        return slug

    def add(self, condition_id: int, *, slug: str, name: str, folded: str) -> None:
        self.by_name[folded] = condition_id
        self.slug_of[condition_id], self.name_of[condition_id] = slug, name
        self.slugs.add(slug)


def link_relations(session: Session) -> None:
    """Point relations that only carry a name at the condition of that name, where one exists by now."""
    waiting = session.execute(
        select(Relation.id, Relation.condition_id, Relation.related_name).where(Relation.related_id.is_(None))
    ).all()
    if not waiting:
        return
    directory = Directory(session)
    for relation_id, owner_id, name in waiting:
        found = directory.match(fold(name))
        if found is None or found[0] == owner_id:
            continue
        for stmt in (
            update(Relation).where(Relation.id == relation_id).values(related_id=found[0]),
            update(Condition).where(Condition.id == owner_id).values(version=Condition.version + 1),
        ):
            session.execute(stmt.execution_options(synchronize_session=False))


# --- One condition becomes another's -----------------------------------------------------------------------------


def rename(session: Session, condition: Condition, *, slug: str, name: str) -> None:
    """Give a condition a new address and name. The old address redirects; its board, if any, follows.

    The old name stays as a declared alias, so that texts of that name keep finding it.
    """
    session.flush()
    old_slug, old_name = condition.slug, condition.name
    if slug != old_slug:
        session.execute(delete(FormerSlug).where(FormerSlug.slug == slug))
        session.add(FormerSlug(slug=old_slug, condition_id=condition.id))
        session.execute(
            update(SearchEntry)
            .where(SearchEntry.kind == "article", SearchEntry.condition_id == condition.id)
            .values(url=func.replace(SearchEntry.url, f"/reference/{old_slug}/", f"/reference/{slug}/"))
            .execution_options(synchronize_session=False)
        )
    for table in _tables_to_the_right():
        for column, old, new in (("slug", old_slug, slug), ("name", old_name, name)):
            if column in table.c:
                session.execute(
                    update(table)
                    .where(table.c.condition_id == condition.id, table.c[column] == old)
                    .values({column: new})
                )
    condition.slug, condition.name, condition.name_folded = slug, name, fold(name)
    if fold(old_name) != fold(name):
        declare_alias(session, condition.id, old_name)
    session.flush()


def declare_alias(session: Session, condition_id: int, name: str, *, kind: str = "synonym") -> None:
    """An alias by which imported texts are matched; an imported one of the same name becomes declared."""
    folded = fold(name)
    known = session.execute(
        select(Alias).where(Alias.condition_id == condition_id, Alias.folded == folded)
    ).scalar_one_or_none()
    if known is None:
        session.add(Alias(condition_id=condition_id, name=name, folded=folded, kind=kind, is_declared=True))
    else:
        known.name, known.kind, known.is_declared = name, kind, True


def in_use_elsewhere(session: Session, condition_id: int) -> str | None:
    """The name of a table outside the reference (a board) that points to this condition, or None."""
    for table in _tables_to_the_right():
        if session.execute(select(table.c.condition_id).where(table.c.condition_id == condition_id).limit(1)).first():
            return table.name
    return None


def merge(session: Session, loser: Condition, *, into: Condition, reason: str, now: datetime) -> None:
    """Everything of one condition goes to another; its address redirects. The caller has asked `in_use_elsewhere`."""
    session.flush()
    old, new = loser.id, into.id
    session.execute(
        update(SearchEntry)
        .where(SearchEntry.condition_id == old)
        .values(
            condition_id=new,
            url=func.replace(SearchEntry.url, f"/reference/{loser.slug}/", f"/reference/{into.slug}/"),
        )
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(Article)
        .where(Article.condition_id == old)
        .values(condition_id=new, match_reason=reason[:300], updated_at=now)
        .execution_options(synchronize_session=False)
    )
    session.execute(update(FormerSlug).where(FormerSlug.condition_id == old).values(condition_id=new))
    session.execute(update(Relation).where(Relation.related_id == old).values(related_id=new))
    _move_missing(session, Alias, old, new, ("folded",))
    _move_missing(session, ConditionCode, old, new, ("system", "code"))
    _move_missing(session, RedFlag, old, new, ("code",))
    _move_missing(session, IntakeField, old, new, ("key",))
    _move_missing(session, Relation, old, new, ("kind", "related_name"))
    session.execute(delete(Relation).where(Relation.condition_id == new, Relation.related_id == new))
    last = session.execute(select(func.max(Definition.position)).where(Definition.condition_id == new)).scalar()
    session.execute(
        update(Definition)
        .where(Definition.condition_id == old)
        .values(condition_id=new, position=Definition.position + (0 if last is None else last + 1))
        .execution_options(synchronize_session=False)
    )
    have = select(condition_category.c.category_id).where(condition_category.c.condition_id == new)
    moved = session.execute(
        select(condition_category.c.category_id).where(
            condition_category.c.condition_id == old, condition_category.c.category_id.not_in(have)
        )
    ).scalars()
    for category_id in list(moved):
        session.execute(insert(condition_category).values(condition_id=new, category_id=category_id))
    slug, name = loser.slug, loser.name
    session.expunge(loser)
    session.execute(delete(Condition).where(Condition.id == old).execution_options(synchronize_session=False))
    session.add(FormerSlug(slug=slug, condition_id=new))
    if fold(name) != into.name_folded:
        declare_alias(session, new, name)
    session.flush()


def _move_missing(session: Session, model: Any, old: int, new: int, key: Sequence[str]) -> None:
    """Move rows whose key the other condition lacks; the rest goes with the old condition."""
    columns = [getattr(model, name) for name in key]
    have = {tuple(row) for row in session.execute(select(*columns).where(model.condition_id == new))}
    for row in session.execute(select(model.id, *columns).where(model.condition_id == old)).all():
        if tuple(row[1:]) not in have:
            session.execute(
                update(model)
                .where(model.id == row.id)
                .values(condition_id=new)
                .execution_options(synchronize_session=False)
            )
            have.add(tuple(row[1:]))


def _tables_to_the_right() -> Iterable[Table]:
    """Tables of later rooms that point to a condition. Read from the metadata: this room knows none of them by name."""
    own = {"former_slug", "alias", "condition_code", "condition_category", "article", "definition", "relation"}
    own |= {"red_flag", "intake_field", "search_entry"}
    for table in Base.metadata.sorted_tables:
        column = table.c.get("condition_id")
        if table.name in own or column is None:
            continue
        if any(key.column.table.name == Condition.__tablename__ for key in column.foreign_keys):
            yield table
