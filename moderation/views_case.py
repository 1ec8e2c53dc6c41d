"""One case on one screen: read it, take it, decide it, take the decision back."""

from dataclasses import replace
from typing import Any

from flask import Blueprint, flash, request
from flask_babel import gettext as _

from auth.doors import current_actor, needs
from core.db import db, unit_of_work, utc_now
from core.errors import Conflict, Invalid
from core.vocabulary import Action, CaseState, SubjectKind, Verdict
from core.web import settings
from forum import differences, labels
from moderation import beside, canned, cases, decisions, desk, forms, listings, member_cases, queries, reading, terms
from moderation.doors import Answer, go, page
from moderation.models import Case, Decision
from moderation.views_member_case import member_case_page
from moderation.views_sanctions import read_sanction

blueprint = Blueprint("cases", __name__)


@blueprint.get("/moderation/cases/<int:case_id>")
@needs(Action.READ_CASE)
def show(case_id: int) -> Answer:
    """`start`: a reason of ours to start from, which the form then holds.

    Writes down who opened the case, but not when a browser only fetches it beforehand.
    """
    chosen = _reason(request.args.get("start", type=int))
    form = forms.DecisionForm(rule=chosen.rule_code, reason=chosen.text) if chosen else None
    return case_page(case_id, form=form, is_opened=not is_prefetch())


def is_prefetch() -> bool:
    """Whether the browser fetches a page beforehand, without anybody reading it yet."""
    return "prefetch" in request.headers.get("Sec-Purpose", "") + request.headers.get("Purpose", "")


def _reason(reason_id: int | None) -> canned.Reason | None:
    return canned.get(canned.choices(db.session()), reason_id) if reason_id else None


@blueprint.post("/moderation/cases/<int:case_id>/claim")
@needs(Action.CLAIM_CASE)
def claim(case_id: int) -> Answer:
    try:
        with unit_of_work() as session:
            cases.claim(session, case_id, by=current_actor(), now=utc_now())
    except Conflict as error:
        return case_page(case_id, conflict=error)
    return go(f"/moderation/cases/{case_id}")


@blueprint.post("/moderation/cases/<int:case_id>/release")
@needs(Action.CLAIM_CASE)
def release(case_id: int) -> Answer:
    try:
        with unit_of_work() as session:
            desk.hand_over(session, case_id, by=current_actor(), text=request.form.get("note"), now=utc_now())
    except Invalid as error:
        typed = forms.DeskForm(note=request.form.get("note", ""), errors=forms.by_field(error))
        return case_page(case_id, typed=typed)
    except Conflict as error:
        return case_page(case_id, conflict=error)
    flash(_("You gave the case back. Somebody else can take it now."), "success")
    return go("/moderation/")


@blueprint.post("/moderation/cases/<int:case_id>/decide")
@needs(Action.DECIDE_CASE)
def decide(case_id: int) -> Answer:
    """`ready`: one of our reasons, pressed as it stands, gives rule and reason."""
    form, actor, now = forms.read_decision(request.form), current_actor(), utc_now()
    ready = _reason(request.form.get("ready", type=int))
    if ready is not None:
        form = replace(form, rule=ready.rule_code, reason=ready.text)
    following = None
    try:
        with unit_of_work() as session:
            decided = decisions.decide(
                session,
                case_id,
                by=actor,
                version=form.version,
                verdict=form.verdict,
                rule=form.rule,
                reason=form.reason,
                sanction=read_sanction(request.form),
                settings=settings(),
                now=now,
                **form.given(),
            )
            if form.then == forms.NEXT:
                following = cases.claim_next(session, by=actor, now=now)
    except Invalid as error:
        # Whoever corrects a form works on the case, and keeps it meanwhile.
        with unit_of_work() as session:
            cases.renew(session, case_id, by=actor, now=now)
        return case_page(case_id, form=replace(form, errors=forms.by_field(error)))
    except Conflict as error:
        return case_page(case_id, form=form, conflict=error)
    flash(_done(case_id, decided.decision), "decided")
    if form.then == forms.NEXT and following is None:
        flash(_("Nothing else waits for you."), "info")
    return go(f"/moderation/cases/{following.id}" if following else "/moderation/")


@blueprint.post("/moderation/decisions/<int:decision_id>/undo")
@needs(Action.UNDO_DECISION)
def undo(decision_id: int) -> Answer:
    form, now = forms.read_decision(request.form), utc_now()
    case_id = listings.case_of_decision(db.session(), decision_id)
    try:
        with unit_of_work() as session:
            decisions.undo(session, decision_id, by=current_actor(), reason=form.reason, settings=settings(), now=now)
            # Whoever takes a decision back wants to decide anew.
            if session.get_one(Case, case_id, populate_existing=True).state is CaseState.OPEN:
                cases.claim(session, case_id, by=current_actor(), now=now)
    except Invalid as error:
        return case_page(case_id, undo=forms.read_decision(request.form, error), undo_id=decision_id)
    except Conflict as error:
        return case_page(case_id, undo=form, undo_id=decision_id, conflict=error)
    flash(_("The decision is taken back. Everything is as it was before, and its author was told."), "success")
    return go(f"/moderation/cases/{case_id}")


@blueprint.post("/moderation/decisions/<int:decision_id>/confirm")
@needs(Action.CONFIRM_DECISION)
def confirm(decision_id: int) -> Answer:
    """The second person: `agrees` is 1 or 0; without a yes nothing happens to the post."""
    form, now = forms.read_decision(request.form), utc_now()
    agrees = request.form.get("agrees") == "1"
    case_id = listings.case_of_decision(db.session(), decision_id)
    try:
        with unit_of_work() as session:
            decisions.confirm(
                session,
                decision_id,
                by=current_actor(),
                agrees=agrees,
                reason=form.reason,
                settings=settings(),
                now=now,
            )
    except Invalid as error:
        return case_page(case_id, second=forms.read_decision(request.form, error))
    except Conflict as error:
        return case_page(case_id, second=form, conflict=error)
    if agrees:
        flash(_("You agreed. The decision has its effect now."), "success")
    else:
        flash(_("You did not agree. The case is open again, with your reason beside it."), "success")
    return go(f"/moderation/cases/{case_id}")


def case_page(
    case_id: int,
    *,
    form: forms.DecisionForm | None = None,
    undo: forms.DecisionForm | None = None,
    undo_id: int | None = None,
    second: forms.DecisionForm | None = None,
    conflict: Conflict | None = None,
    typed: forms.DeskForm | None = None,
    is_opened: bool = False,
) -> Answer:
    """The case as it stands now. What was typed stands in its form again, or, where there is none now, to be copied.

    `is_opened`: somebody came to read it, which is written down.
    """
    session, actor, now = db.session(), current_actor(), utc_now()
    case = queries.case_page(session, case_id, actor, settings=settings(), now=now)
    if case.row.subject_kind is SubjectKind.MEMBER:
        return member_case_page(
            session,
            case,
            form=form or forms.DecisionForm(),
            undo=undo or forms.DecisionForm(),
            undo_id=undo_id,
            second=second or forms.DecisionForm(),
            conflict=conflict,
            sanction=read_sanction(request.form),
        )
    found = reading.grouped(case.findings)
    board_id = member_cases.board_of(session, case_id)
    sanctioning = member_cases.desk(session, case.row.author.id, board_id=board_id, by=actor, now=now)
    reasons = canned.choices(session)
    aside = beside.beside(session, case.row, by=actor, board_id=board_id, reasons=reasons, now=now)
    wrong = form or undo or second or typed
    status = 409 if conflict else 422 if wrong and wrong.errors else 200
    answer = page(
        "case",
        status,
        case=case,
        found=found,
        title=reading.marked(case.title_segments, found),
        body=reading.marked(case.body_segments, found),
        changed=differences.words(case.live_text, case.text) if case.live_text is not None else (),
        around=listings.around(session, case.row.post_id or 0),
        sanctioning=sanctioning if set(case.allowed_verdicts) & terms.SANCTIONING else None,
        sanction=read_sanction(request.form),
        reasons=reasons,
        beside=aside,
        entry=typed or forms.DeskForm(),
        is_prefetch=is_prefetch(),
        sections=labels.choices(session, board_id) if Verdict.LABEL in case.allowed_verdicts else [],
        form=form or forms.DecisionForm(),
        undo=undo or forms.DecisionForm(),
        undo_id=undo_id,
        second=second or forms.DecisionForm(),
        conflict=conflict,
    )
    if is_opened:
        with unit_of_work() as writing:
            desk.opened(writing, case_id, by=actor, hard=aside.is_hard, now=now)
    return answer


# Taking these back is a decision of its own.
NO_QUICK_UNDO = frozenset({Verdict.ESCALATE, Verdict.RESTORE})


def _done(case_id: int, decision: Decision) -> Any:
    """What was done, for the banner with the button that takes it back at once."""
    words = {
        Verdict.APPROVE: _("Approved. Readers can see it now."),
        Verdict.REJECT: _("Not published. The author gets your reason."),
        Verdict.REQUEST_CHANGES: _("The author gets your reason and is asked to change the text."),
        Verdict.REDACT: _("The words are taken out. The author gets your reason."),
        Verdict.LABEL: _("The note stands beside the post. The author gets your reason."),
        Verdict.SHIELD: _("Shown to members only. The author gets your reason."),
        Verdict.HIDE: _("Hidden. The author gets your reason."),
        Verdict.REMOVE: _("Removed. The author gets your reason."),
        Verdict.RESTORE: _("Shown again."),
        Verdict.DISMISS: _("Left as it is."),
        Verdict.ESCALATE: _("Passed on to the leads."),
        Verdict.SANCTION: _("Recorded. The member gets your reason."),
    }
    said = words[decision.verdict]
    if decision.needs_second:
        said = _("Written down. It takes effect when a second person agrees.")
    may_undo = not decision.needs_second and decision.verdict not in NO_QUICK_UNDO
    return {"said": said, "case": case_id, "undo": decision.id if may_undo else None}
