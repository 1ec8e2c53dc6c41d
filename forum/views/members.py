"""A member as others see them: handle, roles, and what they wrote in public."""

from flask import render_template, request

from auth.doors import current_actor, public
from core.db import db
from forum import listings, queries
from forum.views.site import asked, blueprint, here


@blueprint.get("/members/<handle>")
@public
def member(handle: str) -> str:
    session, actor, after = db.session(), current_actor(), request.args.get("after")
    profile = listings.profile(session, handle)
    replies = asked("show", ("threads", "replies"), "threads") == "replies"
    threads = None if replies else queries.member_threads(session, actor, profile.id, after=after)
    posts = listings.public_replies(session, profile.id, after=after) if replies else None
    part = posts or threads
    return render_template(
        "forum/member.html",
        profile=profile,
        threads=threads.items if threads else [],
        replies=posts.items if posts else [],
        shows_replies=replies,
        next_url=here(after=part.next) if part and part.next else None,
    )
