"""The forum's blueprint, and what its doors share. The other files of this folder register their routes on it."""

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, current_app, flash, redirect, request
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from auth.doors import current_actor
from content import sidebars
from content.sidebars import Sidebar
from content.views import emergency
from core.db import db, unit_of_work, utc_now
from core.errors import NotFound
from core.web import drop_parked, parked_form, resumed_fields, settings
from forum import drafts, forms
from forum import gate as gates
from forum.forms import Composed
from forum.gate import Gate

blueprint = Blueprint("forum", __name__)


def the_gate() -> Gate:
    """The gate that this application was given."""
    return gates.of(current_app)


def sidebar_for(condition_id: int | None, text: str = "") -> Sidebar:
    """What stands beside a board, or beside a text about its condition."""
    today = utc_now().date()
    return sidebars.choose(db.session(), condition_id, text=text, emergency=emergency(), today=today)


# --- Addresses ---------------------------------------------------------------------------------------------------


def here(**changes: Any) -> str:
    """This page's address with some query values changed; None takes one out. Another list starts at its first page."""
    values = {name: value for name, value in request.args.items() if name != "after"} | changes
    query = urlencode({name: value for name, value in values.items() if value not in (None, "")})
    return f"{request.path}?{query}" if query else request.path


def asked(name: str, choices: tuple[str, ...], default: str) -> str:
    """One of the offered values of a query parameter; anything else counts as the default."""
    value = request.args.get(name, default)
    return value if value in choices else default


def typed(name: str, most: int = 200) -> str:
    """A short text from the address, without the space around it; what is beyond `most` finds nothing anyway."""
    return request.args.get(name, "").strip()[:most]


# --- Composers ---------------------------------------------------------------------------------------------------


def opened_fields() -> MultiDict[str, str]:
    """What a composer opens with: a draft of one's own, a form that waited for its writer to sign in, or nothing."""
    actor = current_actor()
    draft_id = forms.number(request.args.get("draft"))
    if draft_id is not None and actor.is_signed_in:
        draft = drafts.get(db.session(), actor, draft_id)
        return forms.from_draft(draft.title, draft.body, draft.extra, draft.id)
    return MultiDict(resumed_fields(request.path, actor.id))


def keep_draft(composed: Composed) -> Response:
    """Keep the text on the server and come back to it. A visitor's text waits until they have signed in."""
    actor = current_actor()
    with unit_of_work() as session:
        draft = drafts.save(
            session,
            actor,
            path=request.path,
            title=composed.title,
            body=composed.body,
            settings=settings(),
            now=utc_now(),
            extra=forms.extra_fields(request.form),
            draft_id=_own_draft(session, composed.draft_id),
        )
        forget_kept(session)
    flash(_("Your draft is saved. You find it under “My drafts” for 30 days."), "success")
    return redirect(f"{request.path}?draft={draft.id}", 303)


def _own_draft(session: Session, draft_id: int | None) -> int | None:
    """The draft to go on with; None where it was deleted meanwhile, so that the text becomes a new one."""
    if draft_id is None:
        return None
    try:
        return drafts.get(session, current_actor(), draft_id).id
    except NotFound:
        return None


def forget_sent(session: Session, composed: Composed) -> None:
    """The text was sent: its draft and the form that waited for the sign-in are needed no longer."""
    if composed.draft_id is not None:
        drafts.drop(session, current_actor(), composed.draft_id)
    forget_kept(session)


def forget_kept(session: Session) -> None:
    """Forget the form that waited for the sign-in, if it is the one of this page."""
    actor = current_actor()
    kept = parked_form(actor.id)
    if kept is not None and kept.path == request.path:
        drop_parked(session, actor.id)


def linked(errors: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Errors with the id of the field on the page, for the summary's links."""
    ids = {"title": "compose-title", "body": "compose-body"}
    return [(ids.get(field, field), message) for field, message in errors]
