"""Objecting to a decision, what came of it, and the desk at which leads answer."""

from flask import Blueprint, flash, request
from flask_babel import gettext as _

from auth.doors import current_actor, needs
from core.db import db, unit_of_work, utc_now
from core.errors import Conflict, Invalid
from core.vocabulary import Action
from core.web import settings
from moderation import appeal_queries, appeals, forms, views_member, views_report
from moderation.doors import Answer, go, page

blueprint = Blueprint("appeals", __name__)


# --- For whoever holds a reference -------------------------------------------------------------------------------


@blueprint.get("/decisions/<reference>/appeals")
@needs(Action.APPEAL)
def compose(reference: str) -> Answer:
    """The form stands on the page of the statement."""
    return go(f"/decisions/{reference}#appeal")


@blueprint.post("/decisions/<reference>/appeals")
@needs(Action.APPEAL)
def send(reference: str) -> Answer:
    form = forms.read_appeal(request.form)
    try:
        return go(f"/appeals/{_make(reference, form)}")
    except Invalid as error:
        return views_member.statement_page(reference, appeal_form=forms.read_appeal(request.form, error))
    except Conflict as error:
        return views_member.statement_page(reference, appeal_form=form, conflict=error)


@blueprint.get("/reports/<reference>/appeals")
@needs(Action.APPEAL)
def compose_as_reporter(reference: str) -> Answer:
    return go(f"/reports/{reference}#appeal")


@blueprint.post("/reports/<reference>/appeals")
@needs(Action.APPEAL)
def send_as_reporter(reference: str) -> Answer:
    form = forms.read_appeal(request.form)
    try:
        return go(f"/appeals/{_make(reference, form)}")
    except Invalid as error:
        return views_report.report_page(reference, appeal_form=forms.read_appeal(request.form, error))
    except Conflict as error:
        return views_report.report_page(reference, appeal_form=form, conflict=error)


def _make(reference: str, form: forms.AppealForm) -> str:
    """The reference of the objection."""
    with unit_of_work() as session:
        made = appeals.appeal(
            session, reference=reference, by=current_actor(), grounds=form.grounds, now=utc_now()
        ).reference
    flash(
        _("Thank you. Somebody who had no part in the decision reads it and answers you. Keep this address."), "success"
    )
    return made


@blueprint.get("/appeals/<reference>")
@needs(Action.READ_STATEMENT)
def show(reference: str) -> Answer:
    """For whoever holds the reference, a 128-bit secret."""
    return page("appeal_status", appeal=appeal_queries.appeal_page(db.session(), reference))


# --- The desk ----------------------------------------------------------------------------------------------------


@blueprint.get("/moderation/appeals/")
@needs(Action.SEE_APPEALS)
def listed() -> Answer:
    session, chosen = db.session(), forms.read_appeal_filter(request.args)
    found = appeal_queries.listed(
        session,
        current_actor(),
        now=utc_now(),
        state=chosen.state,
        role=chosen.role,
        outcome=chosen.outcome,
        after=chosen.after,
    )
    return page("appeals", appeals=found.items, next=found.next, chosen=chosen, stuck=appeals.undecidable(session))


@blueprint.get("/moderation/appeals/<int:appeal_id>")
@needs(Action.DECIDE_APPEAL)
def judge(appeal_id: int) -> Answer:
    return _judge_page(appeal_id)


@blueprint.post("/moderation/appeals/<int:appeal_id>/decide")
@needs(Action.DECIDE_APPEAL)
def decide(appeal_id: int) -> Answer:
    form = forms.read_answer(request.form)
    try:
        with unit_of_work() as session:
            appeals.decide_appeal(
                session,
                appeal_id,
                by=current_actor(),
                outcome=form.outcome,
                reasons=form.reasons,
                settings=settings(),
                now=utc_now(),
            )
    except Invalid as error:
        return _judge_page(appeal_id, form=forms.read_answer(request.form, error))
    except Conflict as error:
        return _judge_page(appeal_id, form=form, conflict=error)
    flash(_("Answered. Who objected gets your reasons."), "success")
    return go("/moderation/appeals/")


def _judge_page(appeal_id: int, *, form: forms.AnswerForm | None = None, conflict: Conflict | None = None) -> Answer:
    found = appeal_queries.judged(db.session(), appeal_id, current_actor(), now=utc_now())
    status = 409 if conflict else 422 if form and form.errors else 200
    return page(
        "appeal",
        status,
        appeal=found,
        form=form or forms.AnswerForm(),
        conflict=conflict,
        most=appeals.REASONS_CHARS,
    )
