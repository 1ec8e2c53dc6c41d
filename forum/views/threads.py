"""Reading a thread, starting one, replying in one. Whoever is not signed in writes first and signs in to send."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import flash, redirect, render_template, request
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from auth import policy
from auth.doors import current_actor, public, refuse_suspended
from content import queries as reference
from core import markup
from core.db import db, unit_of_work, utc_now
from core.errors import Invalid, NotFound
from core.vocabulary import Action, PostKind, ThreadKind
from core.web import settings
from forum import boards, forms, intake, posting, queries, reading, search
from forum.boards import BoardPlace
from forum.forms import Composed
from forum.posting import Posted
from forum.queries import PostPlace, PostView, ThreadPage, page_of
from forum.views.site import blueprint, forget_sent, keep_draft, linked, opened_fields, sidebar_for, the_gate

COMPOSERS = {ThreadKind.QUESTION: "ask", ThreadKind.EXPERIENCE: "share"}


# --- Reading -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Branch:
    """An answer with its comments on this page; or a comment alone, whose answer stands on an earlier page."""

    post: PostView
    comments: list[PostView]


@blueprint.get("/threads/<int:thread_id>")
@blueprint.get("/threads/<int:thread_id>/<slug>")
@public
def show_thread(thread_id: int, slug: str = "") -> str | Response:
    actor, number = current_actor(), forms.number(request.args.get("page", "1"))
    if number is None:
        raise NotFound()
    try:
        page = queries.thread_page(
            db.session(), actor, thread_id, gate=the_gate(), settings=settings(), now=utc_now(), number=number
        )
    except queries.Merged as merged:
        return redirect(f"/threads/{merged.into}", 301)
    if page.thread.slug != slug:
        # A title that is not shown at present may come back, so that is no move for good.
        return redirect(_page_url(page, number), 301 if page.thread.slug else 302)
    sidebar = sidebar_for(page.board.condition_id, page.words)
    on_opening, branches = _arrange(page)
    if page.mark_is_due:
        with unit_of_work() as session:
            reading.see(session, actor, thread_id, page.seen_to, now=utc_now())
    return render_template(
        "forum/thread.html",
        page=page,
        on_opening=on_opening,
        branches=branches,
        prev_url=_page_url(page, number - 1) if number > 1 else None,
        next_url=_page_url(page, number + 1) if number < page.page_count else None,
        sidebar=sidebar,
        settings=settings(),
    )


def _page_url(page: ThreadPage, number: int) -> str:
    return page.thread.url + (f"?page={number}" if number > 1 else "")


def _arrange(page: ThreadPage) -> tuple[list[PostView], list[Branch]]:
    """The comments on the opening post, and the answers in the order of time with their comments beneath."""
    on_opening: list[PostView] = []
    branches: dict[int, Branch] = {}
    for post in page.posts:
        if post.kind is PostKind.COMMENT and post.parent_id == page.opening.id:
            on_opening.append(post)
        elif post.kind is PostKind.COMMENT and post.parent_id in branches:
            branches[post.parent_id].comments.append(post)
        else:
            branches[post.id] = Branch(post, [])
    return on_opening, list(branches.values())


# --- Starting a thread -------------------------------------------------------------------------------------------


@blueprint.get("/boards/<slug>/ask")
@public
def ask(slug: str) -> str | Response:
    return _open_composer(slug, ThreadKind.QUESTION)


@blueprint.get("/boards/<slug>/share")
@public
def share(slug: str) -> str | Response:
    return _open_composer(slug, ThreadKind.EXPERIENCE)


@blueprint.post("/boards/<slug>/ask")
@public
def send_question(slug: str) -> Response | tuple[str, int]:
    return _take_thread(slug, ThreadKind.QUESTION)


@blueprint.post("/boards/<slug>/share")
@public
def send_experience(slug: str) -> Response | tuple[str, int]:
    return _take_thread(slug, ThreadKind.EXPERIENCE)


def _open_composer(slug: str, kind: ThreadKind) -> str | Response:
    refuse_suspended()
    place = boards.find(db.session(), slug)
    if place.slug != slug:
        return redirect(f"/boards/{place.slug}/{COMPOSERS[kind]}", 301)
    return _thread_composer(place, kind, forms.read(opened_fields()))


def _take_thread(slug: str, kind: ThreadKind) -> Response | tuple[str, int]:
    refuse_suspended()
    place, composed = boards.find(db.session(), slug), forms.read(request.form)
    if composed.intent == "draft":
        return keep_draft(composed)
    errors = _thread_errors(place, composed)
    if errors or composed.intent == "preview":
        page = _thread_composer(place, kind, composed, errors, preview=not errors)
        return page, 422 if errors else 200
    return _send(
        composed,
        lambda: _start(slug, kind, composed),
        lambda wrong: _thread_composer(place, kind, composed, wrong),
    )


def _thread_errors(place: BoardPlace, composed: Composed) -> list[tuple[str, str]]:
    """What is wrong with the text, before anybody is asked to sign in."""
    errors = posting.check_texts(settings(), title=composed.title, body=composed.body)[1]
    return errors + intake.check(db.session(), place.condition_id, composed.intake)[1]


def _start(slug: str, kind: ThreadKind, composed: Composed) -> Posted:
    with unit_of_work() as session:
        posted = posting.start_thread(
            session,
            current_actor(),
            board_slug=slug,
            kind=kind,
            title=composed.title,
            body=composed.body,
            intake=composed.intake,
            was_misdiagnosed=composed.was_misdiagnosed and kind is ThreadKind.EXPERIENCE,
            gate=the_gate(),
            settings=settings(),
            now=utc_now(),
        )
        forget_sent(session, composed)
    return posted


def _thread_composer(
    place: BoardPlace,
    kind: ThreadKind,
    composed: Composed,
    errors: list[tuple[str, str]] | None = None,
    *,
    preview: bool = False,
) -> str:
    session, actor = db.session(), current_actor()
    subject = boards.board_subject(session, place, actor)
    closed = not policy.allowed(actor, Action.START_THREAD, subject) and (
        actor.is_signed_in or subject.board_mode == "closed"
    )
    fields = reference.intake_fields(session, place.condition_id) if place.condition_id else []
    return render_template(
        "forum/compose_thread.html",
        place=place,
        kind=kind,
        composed=composed,
        errors=dict(errors or ()),
        summary=linked(errors or []),
        questions=forms.intake_questions(fields, composed.answered, dict(errors or ())),
        preview=markup.render(composed.body, posting.PROFILE) if preview else None,
        answers=intake.check(session, place.condition_id, composed.intake)[0] if preview else [],
        similar=search.similar(session, composed.text, board_id=place.id) if preview else [],
        sidebar=sidebar_for(place.condition_id, composed.text if preview else ""),
        checked=preview,
        closed=policy.refusal(actor, Action.START_THREAD, subject).detail if closed else None,
        settings=settings(),
    )


# --- Replying ----------------------------------------------------------------------------------------------------


@blueprint.get("/threads/<int:thread_id>/answer")
@public
def answer(thread_id: int) -> str | Response:
    return _open_reply(thread_id, PostKind.ANSWER)


@blueprint.get("/threads/<int:thread_id>/comment")
@public
def comment(thread_id: int) -> str | Response:
    return _open_reply(thread_id, PostKind.COMMENT)


@blueprint.post("/threads/<int:thread_id>/answer")
@public
def send_answer(thread_id: int) -> Response | tuple[str, int]:
    return _take_reply(thread_id, PostKind.ANSWER)


@blueprint.post("/threads/<int:thread_id>/comment")
@public
def send_comment(thread_id: int) -> Response | tuple[str, int]:
    return _take_reply(thread_id, PostKind.COMMENT)


def _open_reply(thread_id: int, kind: PostKind) -> str | Response:
    if not request.args.keys() & {"parent", "draft", "resume"}:
        # The bare address is that of a thread whose title is this very word.
        return show_thread(thread_id, kind.value)
    refuse_suspended()
    fields = opened_fields()
    if "parent_id" not in fields and "parent" in request.args:
        fields = MultiDict([*fields.items(multi=True), ("parent_id", request.args["parent"])])
    return _reply_composer(thread_id, kind, forms.read(fields))


def _take_reply(thread_id: int, kind: PostKind) -> Response | tuple[str, int]:
    refuse_suspended()
    composed = forms.read(request.form)
    if composed.intent == "draft":
        return keep_draft(composed)
    errors = posting.check_texts(settings(), body=composed.body)[1]
    if errors or composed.intent == "preview":
        page = _reply_composer(thread_id, kind, composed, errors, preview=not errors)
        return page, 422 if errors else 200
    return _send(
        composed,
        lambda: _reply(thread_id, kind, composed),
        lambda wrong: _reply_composer(thread_id, kind, composed, wrong),
    )


def _reply(thread_id: int, kind: PostKind, composed: Composed) -> Posted:
    with unit_of_work() as session:
        posted = posting.add_post(
            session,
            current_actor(),
            thread_id=thread_id,
            kind=kind,
            parent_id=composed.parent_id,
            body=composed.body,
            gate=the_gate(),
            settings=settings(),
            now=utc_now(),
        )
        forget_sent(session, composed)
    return posted


def _reply_composer(
    thread_id: int,
    kind: PostKind,
    composed: Composed,
    errors: list[tuple[str, str]] | None = None,
    *,
    preview: bool = False,
) -> str:
    session, actor, now = db.session(), current_actor(), utc_now()
    try:
        page = queries.thread_page(session, actor, thread_id, gate=the_gate(), settings=settings(), now=now, limit=1)
    except queries.Merged as merged:
        return _reply_composer(merged.into, kind, composed, errors, preview=preview)
    parent = page.opening
    if kind is PostKind.COMMENT and composed.parent_id not in (None, page.opening.id):
        parent, thread, _board = queries.post(
            session, actor, composed.parent_id or 0, gate=the_gate(), settings=settings(), now=now
        )
        if thread.id != thread_id:
            raise NotFound()
    return render_template(
        "forum/compose_reply.html",
        page=page,
        parent=parent,
        kind=kind,
        composed=composed,
        errors=dict(errors or ()),
        summary=linked(errors or []),
        preview=markup.render(composed.body, posting.PROFILE) if preview else None,
        settings=settings(),
    )


# --- Sending -----------------------------------------------------------------------------------------------------


def _send(
    composed: Composed, store: Callable[[], Posted], again: Callable[[list[tuple[str, str]]], str]
) -> Response | tuple[str, int]:
    """Store the text and lead to where it stands; what cannot be accepted comes back filled."""
    try:
        posted = store()
    except Invalid as error:
        return again(error.errors or [("body", error.detail)]), 422
    if posted.held:
        flash(_("Thank you. A person reads it before others can see it. Below it says why and how long."), "held")
    else:
        flash(_("Thank you. Others can read it now."), "success")
    place = PostPlace(posted.post.id, posted.thread.id, posted.thread.slug, page_of(posted.post.position))
    return redirect(place.url, 303)
