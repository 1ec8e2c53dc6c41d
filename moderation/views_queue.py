"""The queue, the latest decisions, and the panic switch."""

from flask import Blueprint, flash, request
from flask_babel import gettext as _

from auth.doors import current_actor, needs
from core import switches
from core.db import db, unit_of_work, utc_now
from core.errors import Invalid
from core.vocabulary import Action
from moderation import beside, cases, desk, forms, listings, panic, queries
from moderation.doors import Answer, go, page

blueprint = Blueprint("queue", __name__)


@blueprint.get("/moderation/")
@needs(Action.SEE_QUEUE)
def show() -> Answer:
    session, actor, now = db.session(), current_actor(), utc_now()
    chosen = forms.read_filter(request.args)
    found = queries.queue(
        session,
        actor,
        state=chosen.state,
        board=chosen.board,
        kind=chosen.kind,
        priority=chosen.priority,
        assigned=chosen.assigned,
        late=chosen.late,
        after=chosen.after,
        limit=20,
        now=now,
    )
    return page(
        "queue",
        cases=found.items,
        next=found.next,
        chosen=chosen,
        boards=listings.boards_of(session, actor),
        kinds=listings.KINDS,
        panic=switches.is_on(session, switches.PANIC),
        views=desk.views_of(session, actor),
        today=beside.today(session, actor, desk.settings_of(session, actor), now=now),
    )


@blueprint.post("/moderation/next")
@needs(Action.SEE_QUEUE)
def take_next() -> Answer:
    with unit_of_work() as session:
        case = cases.claim_next(session, by=current_actor(), now=utc_now())
    if case is None:
        flash(_("Nothing waits that you may decide and that nobody has taken."), "info")
        return go("/moderation/")
    return go(f"/moderation/cases/{case.id}")


@blueprint.get("/moderation/recent")
@needs(Action.SEE_QUEUE)
def recent() -> Answer:
    found = listings.recent(db.session(), current_actor(), after=request.args.get("after") or None)
    return page("recent", decisions=found.items, next=found.next, after=request.args.get("after"))


@blueprint.get("/moderation/panic")
@needs(Action.SWITCH_PANIC)
def show_panic() -> Answer:
    return page("panic", switch=panic.state(db.session()))


@blueprint.post("/moderation/panic")
@needs(Action.SWITCH_PANIC)
def turn_panic() -> Answer:
    wanted, reason = request.form.get("turn") == "on", request.form.get("reason", "")
    try:
        with unit_of_work() as session:
            changed = panic.turn(session, on=wanted, by=current_actor(), reason=reason, now=utc_now())
    except Invalid as error:
        return page("panic", 422, switch=panic.state(db.session()), reason=reason, errors=forms.by_field(error))
    if changed and wanted:
        flash(_("The panic switch is on. Nothing appears unread from now on."), "warning")
    elif changed:
        flash(_("The panic switch is off. Everything works as usual again."), "success")
    return go("/moderation/panic")
