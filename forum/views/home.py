"""The front page, and the questions that wait for an answer."""

from flask import render_template, request

from auth.doors import current_actor, public
from core.db import db
from core.errors import SignInNeeded
from forum import listings, queries
from forum.views.site import asked, blueprint, here


@blueprint.get("/")
@public
def home() -> str:
    session, actor = db.session(), current_actor()
    waiting = queries.unanswered(session, actor, limit=4).items
    shown = {thread.id for thread in waiting}
    recent = queries.recent_threads(session, actor, limit=8)
    return render_template(
        "forum/home.html",
        boards=listings.popular_boards(session, limit=6).items,
        followed=queries.followed_boards(session, actor, limit=12) if actor.is_signed_in else [],
        unanswered=waiting,
        recent=[thread for thread in recent if thread.id not in shown][:4],
    )


@blueprint.get("/unanswered")
@public
def unanswered() -> str:
    session, actor = db.session(), current_actor()
    mine = asked("boards", ("all", "mine"), "all") == "mine"
    if mine and not actor.is_signed_in:
        raise SignInNeeded()
    threads = queries.unanswered(session, actor, mine=mine, after=request.args.get("after"))
    return render_template(
        "forum/unanswered.html",
        threads=threads.items,
        next_url=here(after=threads.next) if threads.next else None,
        mine=mine,
        followed=queries.followed_boards(session, actor) if mine else [],
    )
