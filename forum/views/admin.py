"""/admin/members: who is trusted with what. It stands in the forum because a moderator's scope names boards."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response, flash, redirect, render_template, request
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from auth import members
from auth.doors import current_actor, needs
from auth.forms import by_field
from content.models import Category
from core.db import db, unit_of_work, utc_now
from core.errors import AppError, Invalid, invalid
from core.vocabulary import STAFF_ROLES, Action, Role
from forum import boards
from forum.models import Board
from forum.views.site import blueprint


@dataclass(frozen=True)
class TrustRow:
    """One role as the table shows it; `where` None is everywhere."""

    id: int
    handle: str
    role: str
    where: str | None
    granted_at: datetime
    has_second_factor: bool


def trust_rows(session: Session) -> list[TrustRow]:
    """Every role given, with the name of its board or category. Three queries."""
    grants = members.grants(session)
    board_ids = {g.board_id for g in grants if g.board_id is not None}
    board_names = {r.id: r.name for r in session.execute(select(Board.id, Board.name).where(Board.id.in_(board_ids)))}
    category_names = {r.id: r.name for r in session.execute(select(Category.id, Category.name))}
    return [
        TrustRow(
            id=g.id,
            handle=g.handle,
            role=g.role.value,
            where=board_names.get(g.board_id or 0) or category_names.get(g.category_id or 0),
            granted_at=g.granted_at,
            has_second_factor=g.has_second_factor,
        )
        for g in grants
    ]


def page(status: int, errors: Mapping[str, str], form: Any) -> Response:
    categories = db.session.execute(select(Category.slug, Category.name).order_by(Category.position)).all()
    text = render_template(
        "forum/admin_members.html",
        rows=trust_rows(db.session()),
        roles=sorted(role.value for role in STAFF_ROLES),
        categories=[("", _("None"))] + [(slug, name) for slug, name in categories],
        errors=errors,
        form=form,
    )
    return Response(text, status, mimetype="text/html")


@blueprint.get("/admin/members")
@needs(Action.GRANT_ROLES)
def admin_members() -> Response:
    return page(200, {}, {})


@blueprint.post("/admin/members")
@needs(Action.GRANT_ROLES)
def grant_role() -> Any:
    form = request.form
    try:
        with unit_of_work() as session:
            member = find_member(session, form.get("handle", "").strip())
            given = form.get("role", "")
            if given not in {role.value for role in STAFF_ROLES}:
                raise invalid("role", _("Choose a role from the list."))
            changed = members.grant_role(
                session,
                member,
                Role(given),
                by=current_actor().id,
                now=utc_now(),
                board_id=find_board(session, form.get("board", "").strip()),
                category_id=find_category(session, form.get("category", "")),
            )
    except Invalid as error:
        return page(422, by_field(error), form)
    if changed:
        flash(_("Done. The role takes effect as soon as two-step sign-in is set up."), "success")
    else:
        flash(_("This member has this role already."), "info")
    return redirect("/admin/members", 303)


def find_member(session: Session, handle: str) -> Any:
    try:
        return members.find_by_handle(session, handle)
    except AppError as error:
        raise invalid("handle", _("There is no member of this name.")) from error


def find_board(session: Session, slug: str) -> int | None:
    if not slug:
        return None
    try:
        return boards.ensure(session, slug, utc_now()).id
    except AppError as error:
        raise invalid("board", _("There is no board with this address.")) from error


def find_category(session: Session, slug: str) -> int | None:
    if not slug:
        return None
    found = session.execute(select(Category.id).where(Category.slug == slug)).scalar()
    if found is None:
        raise invalid("category", _("Choose a category from the list."))
    return found


@blueprint.post("/admin/grants/<int:number>/revoke")
@needs(Action.GRANT_ROLES)
def revoke_role(number: int) -> Any:
    with unit_of_work() as session:
        members.revoke_grant(session, number, by=current_actor().id, now=utc_now())
    flash(_("The role was taken back."), "success")
    return redirect("/admin/members", 303)
