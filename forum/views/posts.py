"""One post: its permanent address, its history, and what its author and readers can do with it."""

from flask import flash, redirect, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from auth.doors import current_actor, needs, public, require
from core import markup
from core.db import db, unit_of_work, utc_now
from core.errors import Conflict, Invalid
from core.vocabulary import Action, PostKind
from core.web import settings
from forum import differences, forms, posting, queries, revisions, votes
from forum.forms import Composed
from forum.queries import PostView
from forum.subjects import load_post
from forum.views.site import blueprint, forget_sent, keep_draft, linked, opened_fields, the_gate

# So many versions with their differences on one page of a history.
VERSIONS_PER_PAGE = 5


@blueprint.get("/posts/<int:post_id>")
@public
def show_post(post_id: int) -> Response:
    return redirect(queries.place_of(db.session(), current_actor(), post_id).url, 302)


def _view(post_id: int) -> tuple[PostView, queries.ThreadView, queries.BoardView]:
    return queries.post(db.session(), current_actor(), post_id, gate=the_gate(), settings=settings(), now=utc_now())


# --- Editing -----------------------------------------------------------------------------------------------------


@blueprint.get("/posts/<int:post_id>/edit")
@needs(Action.EDIT_POST)
def edit_post(post_id: int) -> str:
    require(Action.EDIT_POST, load_post(db.session(), post_id, current_actor()).subject)
    fields = opened_fields()
    return _edit_page(post_id, forms.read(fields) if fields else None)


@blueprint.post("/posts/<int:post_id>/edit")
@needs(Action.EDIT_POST)
def send_edit(post_id: int) -> Response | tuple[str, int]:
    composed = forms.read(request.form)
    require(Action.EDIT_POST, load_post(db.session(), post_id, current_actor()).subject)
    if composed.intent == "draft":
        return keep_draft(composed)
    if composed.intent == "preview":
        return _edit_page(post_id, composed, preview=True), 200
    try:
        posted = _store_edit(post_id, composed)
    except Invalid as error:
        return _edit_page(post_id, composed, error.errors), 422
    except Conflict as error:
        if error.code != "post-changed":
            raise
        return _edit_page(post_id, composed, conflict=True), 409
    if posted.held:
        flash(_("Your change is saved. A person reads it before others can see it."), "held")
    else:
        flash(_("Your change is saved."), "success")
    return redirect(queries.place_of(db.session(), current_actor(), post_id).url, 303)


def _store_edit(post_id: int, composed: Composed) -> posting.Posted:
    with unit_of_work() as session:
        posted = posting.edit_post(
            session,
            current_actor(),
            post_id,
            # A form without its version must not overwrite anything.
            version=composed.version or 0,
            title=composed.title if "title" in request.form else None,
            body=composed.body,
            gate=the_gate(),
            settings=settings(),
            now=utc_now(),
        )
        forget_sent(session, composed)
    return posted


def _edit_page(
    post_id: int,
    composed: Composed | None,
    errors: list[tuple[str, str]] | None = None,
    *,
    preview: bool = False,
    conflict: bool = False,
) -> str:
    view, thread, board = _view(post_id)
    with_title = view.kind is PostKind.OPENING
    current_title = (view.waiting.title if view.waiting else None) or thread.title
    current_body = view.waiting.source if view.waiting else view.source or ""
    if preview and composed is not None:
        checked = posting.check_texts(settings(), title=composed.title if with_title else None, body=composed.body)
        errors = checked[1]
    return render_template(
        "forum/edit_post.html",
        post=view,
        thread=thread,
        board=board,
        with_title=with_title,
        title=composed.title if composed else current_title,
        body=composed.body if composed else current_body,
        draft_id=composed.draft_id if composed else None,
        version=view.version if conflict or composed is None or not composed.version else composed.version,
        current_title=current_title,
        current_body=current_body,
        conflict=conflict,
        errors=dict(errors or ()),
        summary=linked(errors or []),
        preview=markup.render(composed.body, posting.PROFILE) if preview and composed and not errors else None,
        settings=settings(),
    )


# --- Withdrawing, marking, history -------------------------------------------------------------------------------


@blueprint.get("/posts/<int:post_id>/withdraw")
@needs(Action.WITHDRAW_POST)
def ask_withdraw(post_id: int) -> str:
    require(Action.WITHDRAW_POST, load_post(db.session(), post_id, current_actor()).subject)
    view, thread, board = _view(post_id)
    return render_template("forum/withdraw_post.html", post=view, thread=thread, board=board)


@blueprint.post("/posts/<int:post_id>/withdraw")
@needs(Action.WITHDRAW_POST)
def withdraw_post(post_id: int) -> Response:
    with unit_of_work() as session:
        posting.withdraw(session, current_actor(), post_id, gate=the_gate(), now=utc_now())
    flash(_("Your post is withdrawn. Others can no longer read it."), "success")
    return redirect(queries.place_of(db.session(), current_actor(), post_id).url, 303)


@blueprint.post("/posts/<int:post_id>/helpful")
@needs(Action.MARK_HELPFUL)
def mark_post(post_id: int) -> Response:
    with unit_of_work() as session:
        if request.form.get("mark") == "0":
            votes.unmark_helpful(session, current_actor(), post_id)
        else:
            votes.mark_helpful(session, current_actor(), post_id, settings=settings(), now=utc_now())
    return redirect(queries.place_of(db.session(), current_actor(), post_id).url, 303)


@blueprint.get("/posts/<int:post_id>/history")
@public
def post_history(post_id: int) -> str:
    entries = revisions.history(db.session(), post_id, current_actor())
    view, thread, board = _view(post_id)
    before = forms.number(request.args.get("before")) or len(entries) + 1
    shown = [entry for entry in entries if entry.number < before][-VERSIONS_PER_PAGE:]
    older = {entry.number: entry for entry in entries}
    return render_template(
        "forum/history.html",
        post=view,
        thread=thread,
        board=board,
        versions=[differences.against(older.get(entry.number - 1), entry) for entry in reversed(shown)],
        count=len(entries),
        next_before=shown[0].number if shown and shown[0].number > 1 else None,
    )
