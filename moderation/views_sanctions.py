"""The team's pages about members: the record, cases about a member, and the ladder of sanctions."""

from typing import Any

from flask import Blueprint, flash, redirect, request
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from auth.doors import current_actor, needs
from core.db import db, unit_of_work, utc_now
from core.errors import Conflict, Invalid, NotFound
from core.vocabulary import Action, SanctionKind
from core.web import settings
from forum import boards
from moderation import ladder, listings, member_cases, reporters, sanctions
from moderation.doors import Answer, go, page

blueprint = Blueprint("sanctions", __name__)

FIELDS = ("kind", "days", "until", "board", "daily_limit")
MISUSE_FIELDS = ("of", "gravity", "intent")


def read_sanction(form: MultiDict[str, str]) -> dict[str, Any] | None:
    """The sanction in a form of a decision, as `sanctions.check_spec` takes it; None where none was chosen.

    The fields are named as in its errors: `sanction.kind`, `sanction.misuse.of` … What does not belong to the kind is
    left out, because a page without scripts sends every field.
    """
    sent = {name: form.get(f"sanction.{name}", "").strip() for name in FIELDS}
    if not sent["kind"]:
        return None
    kind = sent["kind"]
    if kind not in {one.value for one in sanctions.TIMED}:
        sent["days"] = sent["until"] = ""
    if kind not in (SanctionKind.BOARD_RESTRICTION.value, SanctionKind.POSTING_LIMIT.value):
        sent["board"] = ""
    if kind != SanctionKind.POSTING_LIMIT.value:
        sent["daily_limit"] = ""
    about = {name: form.get(f"sanction.misuse.{name}", "").strip() for name in MISUSE_FIELDS}
    spec: dict[str, Any] = {name: value for name, value in sent.items() if value}
    if about["of"]:
        spec["misuse"] = about
    return spec


# --- Members -----------------------------------------------------------------------------------------------------


@blueprint.get("/moderation/members/")
@needs(Action.SEE_QUEUE)
def find() -> Answer:
    """A handle typed into the search leads to its record; below it, whom the numbers point to."""
    asked = request.args.get("handle", "").strip().lstrip("@")
    session, missing = db.session(), False
    if asked:
        try:
            member = member_cases.by_handle(session, asked, by=current_actor())
            return redirect(f"/moderation/members/{member.handle}")
        except NotFound:
            missing = True
    return page(
        "members",
        404 if missing else 200,
        asked=asked,
        missing=missing,
        hints=reporters.hints(session, now=utc_now()),
    )


@blueprint.get("/moderation/members/<handle>")
@needs(Action.SEE_MEMBER_RECORD)
def record(handle: str) -> Answer:
    with unit_of_work() as session:
        member = member_cases.by_handle(session, handle, by=current_actor())
        member_cases.note_reading(session, member.id, by=current_actor(), now=utc_now())
    return record_page(handle)


@blueprint.post("/moderation/members/<handle>/cases")
@needs(Action.SEE_MEMBER_RECORD)
def open_case(handle: str) -> Answer:
    reason, board, actor = request.form.get("reason", ""), request.form.get("board", ""), current_actor()
    try:
        with unit_of_work() as session:
            member = member_cases.by_handle(session, handle, by=actor)
            case = member_cases.open_for_member(
                session, member.id, by=actor, reason=reason, board=board or None, settings=settings(), now=utc_now()
            )
            case_id = case.id
    except Invalid as error:
        return record_page(handle, reason=reason, board=board, errors=dict(error.errors))
    except Conflict as error:
        flash(_("There is an open case about this member already. It stands here."), "info")
        return go(f"/moderation/cases/{error.extra['case_id']}")
    flash(_("The case is open."), "success")
    return go(f"/moderation/cases/{case_id}")


def record_page(handle: str, *, reason: str = "", board: str = "", errors: dict[str, str] | None = None) -> Answer:
    session, actor = db.session(), current_actor()
    member = member_cases.by_handle(session, handle, by=actor)
    return page(
        "member_record",
        422 if errors else 200,
        record=member_cases.record(session, member.id, by=actor, now=utc_now()),
        boards=listings.boards_moderated(session, actor),
        everywhere=member_cases.is_everywhere(actor),
        reason=reason,
        board=board,
        errors=errors or {},
        most=member_cases.REASON_CHARS,
    )


# --- The ladder --------------------------------------------------------------------------------------------------


@blueprint.get("/moderation/ladder")
@needs(Action.EDIT_DESK)
def show_ladder() -> Answer:
    return _ladder_page(request.args.get("board") or None)


@blueprint.post("/moderation/ladder")
@needs(Action.EDIT_DESK)
def save_ladder() -> Answer:
    board = request.form.get("board") or None
    rows = [
        {name: request.form.get(f"{name}-{number}", "") for name in ("strikes", "kind", "days")}
        for number in range(ladder.MOST_STEPS)
    ]
    if request.form.get("turn") == "reset":
        rows = []
    try:
        with unit_of_work() as session:
            ladder.save(session, current_actor(), board=board, rows=rows, now=utc_now())
    except Invalid as error:
        return _ladder_page(board, rows=rows, errors=dict(error.errors))
    flash(_("Kept. It holds from now on; decisions that were made stay as they are."), "success")
    return go(f"/moderation/ladder?board={board}" if board else "/moderation/ladder")


def _ladder_page(
    board: str | None, *, rows: list[dict[str, Any]] | None = None, errors: dict[str, str] | None = None
) -> Answer:
    session = db.session()
    place = boards.find(session, board) if board else None
    found = ladder.of_board(session, place.id if place else None)
    if rows is None:
        rows = [{"strikes": step.strikes, "kind": step.kind, "days": step.days or ""} for step in found.steps]
    rows += [{"strikes": "", "kind": "", "days": ""}] * (ladder.MOST_STEPS - len(rows))
    return page(
        "ladder",
        422 if errors else 200,
        place=place,
        is_own=found.is_own,
        rows=rows,
        kinds=list(SanctionKind),
        own=ladder.boards_with_own(session),
        boards=listings.boards_open(session),
        errors=errors or {},
    )
