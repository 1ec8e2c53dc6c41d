"""Reporting a post, and what came of the report."""

from flask import Blueprint, flash, request
from flask_babel import gettext as _

from auth.doors import current_actor, needs, public, require
from auth.policy import is_author
from content import queries as reference
from core.db import db, unit_of_work, utc_now
from core.errors import Conflict, Invalid
from core.vocabulary import Action
from core.web import drop_parked, resumed_fields, settings
from forum.subjects import load_post
from moderation import appeals, forms, listings, own_record, queries, reporting, reports
from moderation.doors import Answer, go, page

blueprint = Blueprint("reports", __name__)


@blueprint.get("/posts/<int:post_id>/report")
@needs(Action.REPORT_POST)
def compose(post_id: int) -> Answer:
    kept = resumed_fields(request.path, current_actor().id)
    return _composer(post_id, forms.ReportForm(rule=kept.get("rule", [""])[0], note=kept.get("note", [""])[0]))


@blueprint.post("/posts/<int:post_id>/report")
@needs(Action.REPORT_POST)
def send(post_id: int) -> Answer:
    form, actor = forms.read_report(request.form), current_actor()
    try:
        with unit_of_work() as session:
            made = reporting.report(
                session, actor, post_id, rule=form.rule, note=form.note, settings=settings(), now=utc_now()
            )
            drop_parked(session, actor.id)
    except Invalid as error:
        return _composer(post_id, forms.read_report(request.form, error))
    except Conflict:
        # Sent twice at the same moment, or from a second window: the first one counts, and its page says so.
        return _composer(post_id, form)
    flash(_("Thank you. A person will read it. Keep the address of this page: it shows what came of it."), "success")
    return go(f"/reports/{made.reference}")


def _composer(post_id: int, form: forms.ReportForm) -> Answer:
    """The form; for one's own post a kind word instead; for a second report the way to the first."""
    session, actor = db.session(), current_actor()
    loaded = load_post(session, post_id, actor)
    if is_author(actor, loaded.subject):
        return page("report_own", 403, post=loaded.post)
    require(Action.REPORT_POST, loaded.subject)
    known = listings.open_report(session, actor, post_id)
    if known is not None:
        flash(_("You have reported this post already. This is how it stands."), "info")
        return go(f"/reports/{known}")
    rules = [rule for rule in reference.rule_texts(session, utc_now()) if rule.code != "none"]
    author = queries.people(session, [loaded.post.author_id])[loaded.post.author_id]
    return page(
        "report",
        422 if form.errors else 200,
        loaded=loaded,
        author=author,
        rules=rules,
        form=form,
        most=reports.NOTE_CHARS,
    )


@blueprint.get("/reports/<reference>")
@public
def show(reference: str) -> Answer:
    """For whoever holds the reference, a 128-bit secret."""
    return report_page(reference)


def report_page(
    reference: str, *, appeal_form: forms.AppealForm | None = None, conflict: Conflict | None = None
) -> Answer:
    """How the report stands; of a refused one the form too in which its sender can object."""
    session, now = db.session(), utc_now()
    status = 409 if conflict else 422 if appeal_form and appeal_form.errors else 200
    return page(
        "report_status",
        status,
        report=queries.report_page(session, reference, settings=settings(), now=now),
        is_mine=own_record.is_reporter(session, reference, current_actor()),
        way=appeals.way(session, reference, now=now),
        appeal_form=appeal_form or forms.AppealForm(),
        conflict=conflict,
        most=appeals.GROUNDS_CHARS,
    )
