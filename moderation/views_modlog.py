"""The public log of moderation, and the heads of the audit chain."""

from flask import Blueprint, Response, render_template, request

from auth.doors import public
from core import audit
from core.db import db, utc_now
from core.vocabulary import Verdict
from moderation import forms, modlog
from moderation.doors import Answer

blueprint = Blueprint("modlog", __name__)


@blueprint.get("/modlog")
@public
def show() -> Answer:
    session, chosen = db.session(), forms.read_log_filter(request.args)
    found = modlog.entries(
        session,
        rule=chosen.rule,
        verdict=chosen.verdict,
        board=chosen.board,
        month=chosen.month,
        after=chosen.after,
    )
    return render_template(
        "moderation/modlog.html",
        entries=found.items,
        next=found.next,
        chosen=chosen,
        rules=modlog.rules(session, now=utc_now()),
        verdicts=list(Verdict),
        boards=modlog.boards(session),
        months=modlog.months(session),
        heads=audit.recorded_heads(session, limit=modlog.SHOWN_HEADS),
        few=modlog.BOARD_THREADS,
    )


@blueprint.get("/modlog/heads.txt")
@public
def heads() -> Answer:
    """Every head, newest first, as `verify-log --against` reads them."""
    lines = [f"{head.day.isoformat()} {head.count}:{head.hash}\n" for head in audit.recorded_heads(db.session())]
    return Response("".join(lines), mimetype="text/plain")
