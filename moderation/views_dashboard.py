"""The dashboard: how moderation and the forum are doing."""

from flask import Blueprint, request

from auth.doors import needs
from core.db import db, utc_now
from core.vocabulary import Action
from moderation import metrics, plots
from moderation.doors import Answer, page

blueprint = Blueprint("dashboard", __name__)


@blueprint.get("/moderation/dashboard")
@needs(Action.SEE_QUEUE)
def show() -> Answer:
    """Days that are no choice count as none: an old bookmark still opens."""
    asked = request.args.get("days", "")
    days = next((days for days in metrics.WINDOWS if str(days) == asked), metrics.WINDOWS[0])
    found = metrics.metrics(db.session(), days=days, now=utc_now())
    return page("dashboard", found=found, drawn=plots.draw(found), windows=metrics.WINDOWS)
