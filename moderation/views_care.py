"""A moderator's desk as pages: pass over, hand over, give to somebody, saved views, and how one wants to work."""

from typing import Any

from flask import Blueprint, flash, request
from flask_babel import gettext as _

from auth.doors import current_actor, needs
from core.db import db, unit_of_work, utc_now
from core.errors import Conflict, Invalid
from core.vocabulary import Action
from moderation import beside, cases, desk, forms, listings
from moderation.doors import Answer, go, page
from moderation.triage import HOUSE
from moderation.views_case import case_page

blueprint = Blueprint("care", __name__)


# --- On a case ---------------------------------------------------------------------------------------------------


@blueprint.post("/moderation/cases/<int:case_id>/skip")
@needs(Action.CLAIM_CASE)
def skip(case_id: int) -> Answer:
    """Let it pass, and go on with the next. A reason of one's own goes before the button that was pressed."""
    actor, now = current_actor(), utc_now()
    reason = request.form.get("own", "").strip() or request.form.get("reason", "")
    try:
        with unit_of_work() as session:
            desk.skip(session, case_id, by=actor, reason=reason, now=now)
            following = cases.claim_next(session, by=actor, now=now)
    except Invalid as error:
        return case_page(case_id, typed=forms.DeskForm(skip=reason, errors=forms.by_field(error)))
    except Conflict as error:
        return case_page(case_id, conflict=error)
    flash(_("You let the case pass. It is offered to you again when it changes."), "info")
    if following is None:
        flash(_("Nothing else waits for you."), "info")
    return go(f"/moderation/cases/{following.id}" if following else "/moderation/")


@blueprint.post("/moderation/cases/<int:case_id>/notes")
@needs(Action.READ_CASE)
def note(case_id: int) -> Answer:
    text = request.form.get("text", "")
    try:
        with unit_of_work() as session:
            desk.note(session, case_id, by=current_actor(), text=text, now=utc_now())
    except Invalid as error:
        return case_page(case_id, typed=forms.DeskForm(note=text, errors=forms.by_field(error)))
    flash(_("Your note stands on the case. Only moderators read it."), "success")
    return go(f"/moderation/cases/{case_id}#notes")


@blueprint.post("/moderation/cases/<int:case_id>/assign")
@needs(Action.ASSIGN_CASE)
def assign(case_id: int) -> Answer:
    handle = request.form.get("handle", "")
    try:
        with unit_of_work() as session:
            desk.assign(session, case_id, by=current_actor(), handle=handle or None, now=utc_now())
    except Invalid as error:
        return case_page(case_id, typed=forms.DeskForm(handle=handle, errors=forms.by_field(error)))
    except Conflict as error:
        return case_page(case_id, conflict=error)
    said = _("The case is %(name)s's now; nobody else is offered it.", name=handle) if handle else None
    flash(said or _("The case is for everybody again."), "success")
    return go(f"/moderation/cases/{case_id}")


# --- Saved views of the queue ------------------------------------------------------------------------------------


@blueprint.post("/moderation/views")
@needs(Action.SEE_QUEUE)
def save_view() -> Answer:
    chosen = forms.read_filter(request.form)
    try:
        with unit_of_work() as session:
            desk.save_view(session, by=current_actor(), name=request.form.get("name"), query=chosen.query)
    except (Invalid, Conflict) as error:
        flash(error.detail, "danger")
    else:
        flash(_("The view is kept. You find it above the list."), "success")
    return go(chosen.url())


@blueprint.post("/moderation/views/<int:view_id>/delete")
@needs(Action.SEE_QUEUE)
def drop_view(view_id: int) -> Answer:
    with unit_of_work() as session:
        desk.drop_view(session, view_id, by=current_actor())
    flash(_("The view is gone."), "success")
    return go("/moderation/desk")


# --- How one wants to work ---------------------------------------------------------------------------------------

# Nobody can opt out of what the house itself holds, nor of new members: that is most of the work.
CHOICES = tuple(kind for kind in listings.KINDS if kind not in {*HOUSE, "newcomer", listings.REPORT})


@blueprint.get("/moderation/desk")
@needs(Action.SEE_QUEUE)
def settings() -> Answer:
    return _settings_page(desk.settings_of(db.session(), current_actor()))


@blueprint.post("/moderation/desk")
@needs(Action.SEE_QUEUE)
def keep_settings() -> Answer:
    form = request.form
    after = form.get("break_after", "").strip()
    number = int(after) if after.isascii() and after.isdigit() and len(after) < 6 else None
    opted_out, blurs = form.getlist("opted_out"), bool(form.get("blurs"))
    try:
        with unit_of_work() as session:
            desk.keep_settings(
                session, by=current_actor(), opted_out=opted_out, blurs=blurs, break_after=number, known=CHOICES
            )
    except Invalid as error:
        typed = {"opted_out": opted_out, "blurs": blurs, "break_after": after}
        return _settings_page(typed, errors=forms.by_field(error), status=422)
    flash(_("Your desk is set up like this from now on."), "success")
    return go("/moderation/desk")


def _settings_page(chosen: Any, *, errors: dict[str, str] | None = None, status: int = 200) -> Answer:
    session, actor = db.session(), current_actor()
    return page(
        "desk",
        status,
        chosen=chosen,
        kinds=CHOICES,
        hard=desk.HARD_KINDS,
        views=desk.views_of(session, actor),
        today=beside.today(session, actor, desk.settings_of(session, actor), now=utc_now()),
        errors=errors or {},
    )
