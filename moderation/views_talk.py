"""Talk between the team and a member, notes about members, the patrol list, and the site's announcement."""

from datetime import UTC, date, datetime, time
from typing import Any

from flask import Blueprint, flash, redirect, request
from flask_babel import gettext as _

from auth.doors import current_actor, needs, require
from auth.policy import Subject
from core.db import db, unit_of_work, utc_now
from core.errors import Conflict, Invalid, NotFound, invalid
from core.vocabulary import Action
from core.web import drop_parked, resumed_fields, settings
from moderation import announcement, forms, notes, patrol, talk
from moderation.doors import Answer, go, page

blueprint = Blueprint("talk", __name__)


def context() -> dict[str, Any]:
    """What frames and parts of pages ask for: a query each, and only where it is shown."""
    return {
        "announcement": lambda: announcement.current(db.session(), now=utc_now()),
        "talk_waiting": lambda: talk.waiting(db.session(), current_actor(), now=utc_now()),
        "member_notes": lambda handle: notes.about(db.session(), _known(handle), by=current_actor()),
        "member_talks": lambda handle: talk.talks_with(db.session(), current_actor(), _known(handle), now=utc_now()),
        "note_chars": notes.NOTE_CHARS,
    }


def _known(handle: str) -> int:
    return talk.member_of(db.session(), handle)[0]


def kept(name: str) -> str:
    """What was typed into this field before its writer had to sign in again."""
    return resumed_fields(request.path, current_actor().id).get(name, [""])[0]


def read_number(sent: str | None) -> int | None:
    return int(sent) if sent and sent.isascii() and sent.isdigit() and len(sent) < 10 else None


def read_day(sent: str, field: str) -> datetime | None:
    """A day as a browser sends it, at the hour when moderation begins; None for an empty field."""
    if not sent.strip():
        return None
    try:
        day = date.fromisoformat(sent.strip())
    except ValueError as error:
        raise invalid(field, _("Write the day as in 2026-03-31.")) from error
    return datetime.combine(day, time(settings().moderation_hours[0] % 24), UTC)


# --- The member --------------------------------------------------------------------------------------------------


@blueprint.get("/me/talk/")
@needs(Action.TALK_AS_MEMBER)
def my_talks() -> Answer:
    found = talk.own_list(db.session(), current_actor(), now=utc_now(), after=request.args.get("after") or None)
    return page("my_talks", talks=found.items, next=found.next, after=request.args.get("after"))


@blueprint.get("/me/talk/<int:talk_id>")
@needs(Action.TALK_AS_MEMBER)
def my_talk(talk_id: int) -> Answer:
    return _my_page(talk_id, text=kept("text"))


@blueprint.post("/me/talk/<int:talk_id>")
@needs(Action.TALK_AS_MEMBER)
def answer(talk_id: int) -> Answer:
    text, actor = request.form.get("text", ""), current_actor()
    try:
        with unit_of_work() as session:
            talk.answer(session, talk_id, by=actor, text=text, settings=settings(), now=utc_now())
            drop_parked(session, actor.id)
    except Invalid as error:
        return _my_page(talk_id, text=text, errors=forms.by_field(error), status=422)
    except Conflict as error:
        return _my_page(talk_id, text=text, conflict=error, status=409)
    flash(_("Sent. The moderation team reads it and answers here."), "success")
    return go(f"/me/talk/{talk_id}")


def _my_page(
    talk_id: int,
    *,
    text: str = "",
    errors: dict[str, str] | None = None,
    conflict: Conflict | None = None,
    status: int = 200,
) -> Answer:
    found = talk.own_page(db.session(), current_actor(), talk_id, now=utc_now())
    return page("my_talk", status, talk=found, text=text, errors=errors or {}, conflict=conflict, most=talk.TEXT_CHARS)


# --- The team ----------------------------------------------------------------------------------------------------


@blueprint.get("/moderation/talk/")
@needs(Action.TALK_AS_TEAM)
def show_talks() -> Answer:
    actor, session, now = current_actor(), db.session(), utc_now()
    which = request.args.get("list", "open")
    which = which if which in talk.LISTS else "open"
    found = talk.team_list(session, actor, now=now, which=which, after=request.args.get("after") or None)
    waits = talk.waiting(session, actor, now=now)
    return page("talks", talks=found.items, next=found.next, after=request.args.get("after"), which=which, waits=waits)


@blueprint.get("/moderation/talk/new")
@needs(Action.TALK_AS_TEAM)
def compose() -> Answer:
    values = {name: kept(name) or request.args.get(name, "")[:200] for name in ("handle", "case")}
    return _composer(values | {name: kept(name) for name in ("subject", "text", "follow_up")})


@blueprint.post("/moderation/talk/new")
@needs(Action.TALK_AS_TEAM)
def begin() -> Answer:
    typed = {name: request.form.get(name, "") for name in ("handle", "case", "subject", "text", "follow_up")}
    actor, now = current_actor(), utc_now()
    try:
        with unit_of_work() as session:
            made = talk.open_talk(
                session,
                _member(typed["handle"]),
                by=actor,
                case_id=read_number(typed["case"]),
                subject=typed["subject"],
                text=typed["text"],
                follow_up_at=read_day(typed["follow_up"], "follow_up_at"),
                now=now,
            )
            drop_parked(session, actor.id)
            talk_id = made.id
    except Invalid as error:
        return _composer(typed, forms.by_field(error), status=422)
    except Conflict as error:
        return _composer(typed, conflict=error, status=409)
    flash(_("Sent. The member hears of it here and by mail."), "success")
    return go(f"/moderation/talk/{talk_id}")


def _member(handle: str) -> int:
    try:
        return talk.member_of(db.session(), handle.strip().lstrip("@"))[0]
    except NotFound as error:
        raise invalid("handle", _("There is no member of this name.")) from error


def _composer(
    typed: dict[str, str],
    errors: dict[str, str] | None = None,
    *,
    conflict: Conflict | None = None,
    status: int = 200,
) -> Answer:
    return page(
        "talk_new", status, typed=typed, errors=errors or {}, conflict=conflict, most=talk.TEXT_CHARS,
        most_subject=talk.SUBJECT_CHARS,
    )  # fmt: skip


@blueprint.get("/moderation/talk/<int:talk_id>")
@needs(Action.TALK_AS_TEAM)
def show_talk(talk_id: int) -> Answer:
    return _team_page(talk_id, text=kept("text"))


@blueprint.post("/moderation/talk/<int:talk_id>")
@needs(Action.TALK_AS_TEAM)
def write(talk_id: int) -> Answer:
    text, actor = request.form.get("text", ""), current_actor()
    try:
        with unit_of_work() as session:
            talk.write(
                session,
                talk_id,
                by=actor,
                text=text,
                last_message=read_number(request.form.get("last_message")),
                now=utc_now(),
            )
            drop_parked(session, actor.id)
    except Invalid as error:
        return _team_page(talk_id, text=text, errors=forms.by_field(error), status=422)
    except Conflict as error:
        return _team_page(talk_id, text=text, conflict=error, status=409)
    flash(_("Sent. The member hears of it here and by mail."), "success")
    return go(f"/moderation/talk/{talk_id}")


@blueprint.post("/moderation/talk/<int:talk_id>/state")
@needs(Action.TALK_AS_TEAM)
def turn(talk_id: int) -> Answer:
    closes = request.form.get("turn") == "close"
    try:
        with unit_of_work() as session:
            change = talk.close if closes else talk.reopen
            change(session, talk_id, by=current_actor(), now=utc_now())
    except Conflict as error:
        return _team_page(talk_id, conflict=error, status=409)
    flash(_("The conversation is ended.") if closes else _("The conversation is open again."), "success")
    return go(f"/moderation/talk/{talk_id}")


@blueprint.post("/moderation/talk/<int:talk_id>/follow-up")
@needs(Action.TALK_AS_TEAM)
def plan(talk_id: int) -> Answer:
    sent = request.form.get("follow_up", "")
    try:
        at = read_day(sent, "follow_up_at")
        with unit_of_work() as session:
            talk.set_follow_up(session, talk_id, by=current_actor(), at=at, now=utc_now())
    except Invalid as error:
        return _team_page(talk_id, errors=forms.by_field(error), follow_up=sent, status=422)
    flash(_("We remind the team on that day.") if at else _("Nobody is reminded any more."), "success")
    return go(f"/moderation/talk/{talk_id}")


def _team_page(
    talk_id: int,
    *,
    text: str = "",
    follow_up: str | None = None,
    errors: dict[str, str] | None = None,
    conflict: Conflict | None = None,
    status: int = 200,
) -> Answer:
    found = talk.page(db.session(), current_actor(), talk_id, now=utc_now())
    planned = found.row.follow_up_at.strftime("%Y-%m-%d") if found.row.follow_up_at else ""
    return page(
        "talk",
        status,
        talk=found,
        text=text,
        follow_up=planned if follow_up is None else follow_up,
        errors=errors or {},
        conflict=conflict,
        most=talk.TEXT_CHARS,
    )


# --- Notes -------------------------------------------------------------------------------------------------------


@blueprint.get("/moderation/members/<handle>/notes")
@needs(Action.SEE_MEMBER_RECORD)
def show_notes(handle: str) -> Answer:
    return _notes_page(handle, kept("text"))


@blueprint.post("/moderation/members/<handle>/notes")
@needs(Action.SEE_MEMBER_RECORD)
def add_note(handle: str) -> Answer:
    text, actor = request.form.get("text", ""), current_actor()
    try:
        with unit_of_work() as session:
            notes.add(session, talk.member_of(session, handle)[0], by=actor, text=text, now=utc_now())
            drop_parked(session, actor.id)
    except Invalid as error:
        return _notes_page(handle, text, forms.by_field(error), status=422)
    flash(_("Noted. Only the team reads it."), "success")
    return go(f"/moderation/members/{handle}#notes")


def _notes_page(handle: str, text: str, errors: dict[str, str] | None = None, status: int = 200) -> Answer:
    member_id, handle = talk.member_of(db.session(), handle)
    require(Action.SEE_MEMBER_RECORD, Subject(member_id=member_id))
    return page("member_notes", status, handle=handle, note=text, note_errors=errors or {})


# --- Patrol ------------------------------------------------------------------------------------------------------


@blueprint.get("/moderation/patrol")
@needs(Action.PATROL)
def show_patrol() -> Answer:
    session, actor, now = db.session(), current_actor(), utc_now()
    board, after = request.args.get("board", "")[:120] or None, request.args.get("after") or None
    found = patrol.unread(session, actor, now=now, board=board, after=after)
    return page(
        "patrol",
        posts=found.items,
        next=found.next,
        after=after,
        board=board,
        boards=patrol.boards_of(session, actor, now=now),
        days=patrol.WINDOW.days,
    )


@blueprint.get("/moderation/patrol/<int:post_id>")
@needs(Action.PATROL)
def open_post(post_id: int) -> Answer:
    """Opening counts as reading; a page that a browser fetches ahead is not read yet."""
    if "prefetch" in request.headers.get("Sec-Purpose", ""):
        return redirect(f"/posts/{post_id}")
    with unit_of_work() as session:
        address = patrol.open_post(session, current_actor(), post_id, now=utc_now())
    return redirect(address)


@blueprint.post("/moderation/patrol")
@needs(Action.PATROL)
def mark_read() -> Answer:
    sent = [number for number in map(read_number, request.form.getlist("post_ids")) if number]
    with unit_of_work() as session:
        patrol.see(session, current_actor(), sent, now=utc_now())
    board = request.form.get("board", "")
    known = {slug for slug, _name in patrol.boards_of(db.session(), current_actor(), now=utc_now())}
    return go(f"/moderation/patrol?board={board}" if board in known else "/moderation/patrol")


# --- The announcement --------------------------------------------------------------------------------------------


@blueprint.get("/moderation/announcement")
@needs(Action.ANNOUNCE)
def show_announcement() -> Answer:
    return _announcement_page(kept("text"), kept("until"))


@blueprint.post("/moderation/announcement")
@needs(Action.ANNOUNCE)
def announce() -> Answer:
    text, until, actor = request.form.get("text", ""), request.form.get("until", ""), current_actor()
    if request.form.get("turn") == "end":
        with unit_of_work() as session:
            announcement.end(session, by=actor, now=utc_now())
        flash(_("The announcement is gone."), "success")
        return go("/moderation/announcement")
    try:
        at = read_day(until, "until")
        with unit_of_work() as session:
            announcement.announce(session, by=actor, text=text, until=at, now=utc_now())
            drop_parked(session, actor.id)
    except Invalid as error:
        return _announcement_page(text, until, forms.by_field(error), status=422)
    flash(_("It stands above every page now."), "success")
    return go("/moderation/announcement")


def _announcement_page(text: str, until: str, errors: dict[str, str] | None = None, *, status: int = 200) -> Answer:
    found = announcement.latest(db.session(), by=current_actor())
    return page(
        "announcement", status, found=found, text=text, until=until, errors=errors or {}, most=announcement.TEXT_CHARS
    )
