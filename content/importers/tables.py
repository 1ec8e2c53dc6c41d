"""The YAML files beside our articles: licences, categories, board rules, house texts, help lines."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import select
from sqlalchemy.orm import Session

from content.importers.report import Report
from content.models import Category, CrisisResource, Licence, PageText, RuleText
from core.db import Base
from core.markup import render

STARTER = Path(__file__).resolve().parents[1] / "starter"
# A help line is looked up again after so long; past it, it is not shown alone.
VERIFY_EVERY = timedelta(days=90)

Row = Mapping[str, Any]


class BadTable(ValueError):
    """A file that cannot be loaded, with the reason in words."""


def load_file(session: Session, path: Path, report: Report, *, now: datetime) -> None:
    """Insert or update the rows of one YAML file. Raises BadTable; then nothing of this file was written."""
    load = LOADERS.get(path.stem)
    if load is None:
        raise BadTable(f"no table is called {path.stem}; known are {', '.join(LOADERS)}")
    try:
        rows = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadTable(f"not readable as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadTable("not a list of entries")
    with session.begin_nested():
        for number, row in enumerate(rows, start=1):
            try:
                report.tables[load(session, row, now)] += 1
            except KeyError as error:
                raise BadTable(f"entry {number} lacks {error.args[0]}") from error
            except (TypeError, ValueError) as error:
                raise BadTable(f"entry {number}: {error}") from error
        session.flush()


def ensure_starter_tables(session: Session, *, now: datetime) -> None:
    """Licences and categories, for an import into an empty site: our own articles may come later."""
    for model, name in ((Licence, "licences"), (Category, "categories")):
        if session.execute(select(model.id).limit(1)).first() is None:
            load_file(session, STARTER / f"{name}.yaml", Report(), now=now)


def _upsert(session: Session, model: type[Base], key: dict[str, Any], values: dict[str, Any]) -> str:
    found = session.execute(select(model).filter_by(**key)).scalar_one_or_none()
    if found is None:
        session.add(model(**key, **values))
        return "created"
    changed = False
    for name, value in values.items():
        if getattr(found, name) != value:
            setattr(found, name, value)
            changed = True
    return "updated" if changed else "unchanged"


def _licence(session: Session, row: Row, now: datetime) -> str:
    values = {"name": row["name"], "url": row.get("url"), "credit_line": row.get("credit_line", "").strip()}
    for flag, otherwise in (("allows_display", True), ("allows_edit", True), ("requires_credit", False)):
        values[flag] = _flag(row, flag, otherwise)
    values["importable"] = _flag(row, "importable", True)
    return _upsert(session, Licence, {"code": row["code"]}, values)


def _flag(row: Row, name: str, otherwise: bool) -> bool:
    value = row.get(name, otherwise)
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false")
    return value


def _category(session: Session, row: Row, now: datetime) -> str:
    values = {"name": row["name"], "position": int(row["position"])}
    return _upsert(session, Category, {"slug": row["slug"]}, values)


def _rule(session: Session, row: Row, now: datetime) -> str:
    values = {
        "title": row["title"],
        "body": row["body"].strip(),
        "dsa_category": row.get("dsa_category", ""),
        "dsa_keywords": list(row.get("dsa_keywords", [])),
    }
    return _version(session, RuleText, row, values, {}, now)


def _page(session: Session, row: Row, now: datetime) -> str:
    body = row["body"].strip()
    values = {"title": row["title"], "body": body}
    return _version(session, PageText, row, values, {"html": render(body, "house").html}, now)


def _version(session: Session, model: Any, row: Row, values: Row, derived: Row, now: datetime) -> str:
    """One version of a text. A version that people have agreed to is never changed."""
    key = {"code": row["code"], "version": int(row["version"])}
    found = session.execute(select(model).filter_by(**key)).scalar_one_or_none()
    if found is None:
        session.add(model(**key, **values, **derived, effective_from=now))
        return "created"
    if any(getattr(found, name) != value for name, value in values.items()):
        raise ValueError(f"version {key['version']} of {key['code']} is in force with another text; raise its version")
    return "unchanged"


def _resource(session: Session, row: Row, now: datetime) -> str:
    key = {"country": row["country"], "kind": row["kind"], "name": row["name"]}
    before = select(CrisisResource.position).filter_by(country=row["country"]).order_by(CrisisResource.position.desc())
    values: dict[str, Any] = {name: str(row.get(name) or "") for name in ("phone", "url", "hours")}
    # A file that knows of no check does not undo the operator's.
    if row.get("verified_on") is not None:
        if not isinstance(row["verified_on"], date):
            raise ValueError("verified_on must be a date")
        values["verified_on"] = row["verified_on"]
        values["verify_by"] = row.get("verify_by") or row["verified_on"] + VERIFY_EVERY
    if session.execute(select(CrisisResource.id).filter_by(**key)).first() is None:
        last = session.execute(before.limit(1)).scalar()
        values["position"] = 0 if last is None else last + 1
    return _upsert(session, CrisisResource, key, values)


LOADERS: dict[str, Callable[[Session, Row, datetime], str]] = {
    "licences": _licence,
    "categories": _category,
    "rules": _rule,
    "terms": _page,
    "crisis_resources": _resource,
}
