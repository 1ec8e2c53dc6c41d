"""What members see of themselves: their standing, warnings to confirm, the reports that they sent."""

from flask import Blueprint, flash, request
from flask_babel import gettext as _

from auth.doors import current_actor, needs
from core.db import db, unit_of_work, utc_now
from core.errors import Conflict
from core.vocabulary import Action
from moderation import own_record, reporting, sanctions
from moderation.doors import Answer, go, page

blueprint = Blueprint("standing", __name__)


@blueprint.get("/me/standing")
@needs(Action.READ_OWN_RECORD)
def show() -> Answer:
    return page("standing", standing=own_record.standing(db.session(), current_actor(), now=utc_now()))


@blueprint.post("/me/warnings/<int:sanction_id>/acknowledge")
@needs(Action.MANAGE_OWN_ACCOUNT)
def acknowledge(sanction_id: int) -> Answer:
    with unit_of_work() as session:
        sanctions.acknowledge(session, sanction_id, actor=current_actor(), now=utc_now())
    flash(_("Thank you. You can write again."), "success")
    return go("/me/standing")


@blueprint.get("/me/reports")
@needs(Action.MANAGE_OWN_ACCOUNT)
def reports() -> Answer:
    after = request.args.get("after") or None
    found = own_record.my_reports(db.session(), current_actor(), after=after)
    return page("my_reports", reports=found.items, next=found.next, after=after)


@blueprint.post("/reports/<reference>/withdraw")
@needs(Action.REPORT_POST)
def withdraw(reference: str) -> Answer:
    try:
        with unit_of_work() as session:
            reporting.withdraw(session, reference, actor=current_actor(), now=utc_now())
    except Conflict:
        flash(_("It has been decided meanwhile. This is what came of it."), "info")
        return go(f"/reports/{reference}")
    flash(_("You took your report back."), "success")
    return go(f"/reports/{reference}")
