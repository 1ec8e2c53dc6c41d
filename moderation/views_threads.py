"""What moderators can do to a whole thread, on one page."""

from typing import Any

from flask import Blueprint, flash, redirect, request
from flask_babel import gettext as _

from auth.doors import current_actor, needs
from content import queries as reference
from core.db import db, unit_of_work, utc_now
from core.errors import Conflict, Invalid
from core.vocabulary import Action, Operation
from core.web import drop_parked, resumed_fields, settings
from forum.queries import Merged
from moderation import forms, operations, rules
from moderation.doors import Answer, go, page
from moderation.views_talk import read_number

blueprint = Blueprint("threads", __name__)

FIELDS = ("operation", "board", "into", "title", "rule", "reason")


def context() -> dict[str, Any]:
    """Whether the thread's page shows the way to this one; asked for moderators alone."""
    return {"may_operate_thread": lambda number: operations.may_operate(db.session(), number, current_actor())}


@blueprint.get("/moderation/threads/<int:thread_id>")
@needs(Action.OPERATE_THREAD)
def show(thread_id: int) -> Answer:
    sent = resumed_fields(request.path, current_actor().id)
    return _desk(thread_id, {name: sent.get(name, [""])[0] for name in FIELDS}, chosen=sent.get("post_ids", []))


@blueprint.post("/moderation/threads/<int:thread_id>")
@needs(Action.OPERATE_THREAD)
def operate(thread_id: int) -> Answer:
    typed = {name: request.form.get(name, "") for name in FIELDS}
    chosen, actor = request.form.getlist("post_ids"), current_actor()
    try:
        with unit_of_work() as session:
            done = operations.operate(
                session,
                thread_id,
                by=actor,
                operation=typed["operation"],
                board=typed["board"].strip() or None,
                into=thread_number(typed["into"]),
                post_ids=[number for number in map(read_number, chosen) if number],
                title=typed["title"],
                rule=typed["rule"],
                reason=typed["reason"],
                seen=read_number(request.form.get("seen")),
                settings=settings(),
                now=utc_now(),
            )
            drop_parked(session, actor.id)
            kind, into = done.row.kind, done.row.into_id
    except Merged as merged:
        return redirect(f"/moderation/threads/{merged.into}", 303)
    except Invalid as error:
        return _desk(thread_id, typed, chosen, forms.by_field(error), status=422)
    except Conflict as error:
        return _desk(thread_id, typed, chosen, conflict=error, status=409)
    flash(_done(kind), "success")
    return go(f"/threads/{into or thread_id}")


def thread_number(typed: str) -> int | None:
    """The number of a thread, alone or in its address as copied from the browser."""
    parts = typed.strip().split("/threads/")
    return read_number(parts[-1].split("/")[0].split("?")[0].split("#")[0])


def _done(kind: Operation) -> str:
    return {
        Operation.MOVE: _("Moved. Its old addresses lead to it, and its author was told."),
        Operation.MERGE: _("Put together. The old address leads here, and the author was told."),
        Operation.SPLIT: _("These posts stand in a thread of their own now."),
        Operation.LOCK: _("Closed to new posts. Its author gets your reason."),
        Operation.UNLOCK: _("Open again."),
        Operation.PIN: _("It stands first on its board now."),
        Operation.UNPIN: _("It no longer stands first."),
    }[kind]


def _desk(
    thread_id: int,
    typed: dict[str, str],
    chosen: list[str],
    errors: dict[str, str] | None = None,
    *,
    conflict: Conflict | None = None,
    status: int = 200,
) -> Answer:
    session, actor = db.session(), current_actor()
    try:
        desk = operations.desk(session, thread_id, actor, number=read_number(request.args.get("page")) or 1)
    except Merged as merged:
        return redirect(f"/moderation/threads/{merged.into}", 302)
    rows = reference.rule_texts(session, utc_now())
    return page(
        "thread_operations",
        status,
        desk=desk,
        typed=typed,
        chosen=chosen,
        errors=errors or {},
        conflict=conflict,
        rules=[rule for rule in rows if rule.code != rules.NONE],
        most=operations.REASON_CHARS,
    )
