"""What a member has of their own in the forum: unfinished texts, and everything they wrote."""

from flask import flash, redirect, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from auth.doors import current_actor, needs
from core.db import db, unit_of_work
from core.vocabulary import Action
from forum import drafts, listings
from forum.views.site import blueprint, here


@blueprint.get("/me/drafts")
@needs(Action.KEEP_DRAFT)
def my_drafts() -> str:
    return render_template("forum/my_drafts.html", drafts=drafts.mine(db.session(), current_actor()))


@blueprint.post("/me/drafts/<int:draft_id>/delete")
@needs(Action.KEEP_DRAFT)
def delete_draft(draft_id: int) -> Response:
    with unit_of_work() as session:
        drafts.drop(session, current_actor(), draft_id)
    flash(_("The draft is deleted."), "success")
    return redirect("/me/drafts", 303)


@blueprint.get("/me/posts")
@needs(Action.MANAGE_OWN_ACCOUNT)
def my_posts() -> str:
    posts = listings.own_posts(db.session(), current_actor(), after=request.args.get("after"))
    return render_template(
        "forum/my_posts.html", posts=posts.items, next_url=here(after=posts.next) if posts.next else None
    )
