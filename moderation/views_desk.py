"""Several cases decided with one press, and the reasons that moderators start from."""

from flask import Blueprint, flash, request
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.datastructures import MultiDict

from auth.doors import current_actor, needs
from core.db import db, unit_of_work, utc_now
from core.errors import Conflict, Invalid
from core.vocabulary import Action
from core.web import settings
from moderation import bulk, canned, forms, queries, rules
from moderation.doors import Answer, go, page

blueprint = Blueprint("desk", __name__)


# --- Several at once ---------------------------------------------------------------------------------------------


@blueprint.get("/moderation/bulk")
@needs(Action.SEE_QUEUE)
def choose() -> Answer:
    """The same part of the queue as its page shows, with boxes to tick."""
    return _bulk_page()


@blueprint.post("/moderation/bulk")
@needs(Action.SEE_QUEUE)
def decide_all() -> Answer:
    """Each box is "id:version", so that a case that changed meanwhile is not decided unread."""
    form = forms.read_decision(request.form)
    items = [_item(sent) for sent in request.form.getlist("cases")]
    try:
        with unit_of_work() as session:
            done = bulk.decide_all(
                session,
                items,
                by=current_actor(),
                verdict=form.verdict,
                rule=form.rule,
                reason=form.reason,
                settings=settings(),
                now=utc_now(),
            )
    except Invalid as error:
        return _bulk_page(form=forms.read_decision(request.form, error), status=422)
    refused = [result for result in done.results if not result.is_ok]
    count = len(done.results) - len(refused)
    if count:
        flash(ngettext("%(num)s case decided.", "%(num)s cases decided.", count), "success")
    return _bulk_page(refused=refused, status=409 if refused and not count else 200)


def _item(sent: str) -> tuple[int, int | None]:
    case_id, _colon, version = sent.partition(":")
    return _number(case_id) or 0, _number(version)


def _number(sent: str) -> int | None:
    return int(sent) if sent.isascii() and sent.isdigit() and len(sent) < 10 else None


def _bulk_page(
    *, form: forms.DecisionForm | None = None, refused: list[bulk.Result] | None = None, status: int = 200
) -> Answer:
    session, actor, now = db.session(), current_actor(), utc_now()
    chosen = forms.read_filter(request.args)
    found = queries.queue(
        session,
        actor,
        now=now,
        state=chosen.state,
        board=chosen.board,
        kind=chosen.kind,
        priority=chosen.priority,
        after=chosen.after,
        limit=bulk.MOST,
    )
    return page(
        "bulk",
        status,
        cases=[row for row in found.items if row.may_decide],
        verdicts=bulk.VERDICTS,
        rules=rules.choices(session, now=now),
        form=form or forms.DecisionForm(),
        ticked=set(request.form.getlist("cases")) if form else set(),
        refused=refused or [],
    )


# --- Reasons to start from ---------------------------------------------------------------------------------------


@blueprint.get("/moderation/reasons")
@needs(Action.EDIT_DESK)
def reasons() -> Answer:
    return _reasons_page()


@blueprint.post("/moderation/reasons")
@needs(Action.EDIT_DESK)
def save_reason() -> Answer:
    """A new reason, or with `id` and `version` the newer form of one."""
    form = request.form
    try:
        with unit_of_work() as session:
            canned.save(
                session,
                by=current_actor(),
                rule=form.get("rule"),
                title=form.get("title"),
                text=form.get("text"),
                is_active=bool(form.get("is_active")),
                reason_id=_number(form.get("id", "")),
                version=_number(form.get("version", "")),
                now=utc_now(),
            )
    except (Invalid, Conflict) as error:
        return _reasons_page(typed=form, errors=forms.by_field(error), status=int(error.status))
    flash(_("The reason is kept."), "success")
    return go("/moderation/reasons")


def _reasons_page(
    *, typed: MultiDict[str, str] | None = None, errors: dict[str, str] | None = None, status: int = 200
) -> Answer:
    session = db.session()
    return page(
        "reasons",
        status,
        reasons=canned.choices(session, every=True),
        rules=rules.choices(session, now=utc_now()),
        typed=typed,
        typed_id=_number(typed.get("id", "")) if typed is not None else None,
        errors=errors or {},
    )
