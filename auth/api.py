"""The account's own corner of the API. Accounts are made, changed and closed on the pages only."""

from typing import Any

from marshmallow import Schema, fields

from auth import queries
from auth.doors import current_actor, needs
from auth.models import Member
from core.db import db
from core.notifications import unread_count
from core.vocabulary import Action
from core.web import ApiBlueprint, PageArgs

blueprint = ApiBlueprint("account-api", __name__, description="Your own account")


class RestrictionSchema(Schema):
    kind = fields.String()
    board_id = fields.Integer(allow_none=True)
    until = fields.AwareDateTime(allow_none=True)


class MeSchema(Schema):
    id = fields.Integer()
    handle = fields.String()
    roles = fields.List(fields.String(), metadata={"description": "member moderator lead editor admin"})
    scopes = fields.List(fields.String(), allow_none=True, metadata={"description": "null for a browser session"})
    country = fields.String(allow_none=True)
    is_new = fields.Boolean(metadata={"description": "the first posts are read by a person before they appear"})
    approved_count = fields.Integer()
    unread_count = fields.Integer(metadata={"description": "unread notifications; 100 stands for more"})
    wants_mail = fields.Boolean()
    restrictions = fields.List(fields.Nested(RestrictionSchema))
    created_at = fields.AwareDateTime()


class NotificationSchema(Schema):
    id = fields.Integer()
    kind = fields.String()
    url = fields.String(metadata={"description": "a path on this site"})
    post_id = fields.Integer(allow_none=True)
    created_at = fields.AwareDateTime()
    read_at = fields.AwareDateTime(allow_none=True)


class NotificationPage(Schema):
    items = fields.List(fields.Nested(NotificationSchema))
    next = fields.String(allow_none=True)


@blueprint.get("/me")
@needs(Action.MANAGE_OWN_ACCOUNT)
@blueprint.response(200, MeSchema)
def me() -> dict[str, Any]:
    """Who this token or session belongs to."""
    actor = current_actor()
    member = db.session.get_one(Member, actor.id)
    return {
        "id": member.id,
        "handle": member.handle,
        "roles": sorted(actor.roles),
        "scopes": sorted(actor.scopes) if actor.scopes is not None else None,
        "country": member.country,
        "is_new": actor.is_new,
        "approved_count": member.approved_count,
        "unread_count": unread_count(db.session(), member.id),
        "wants_mail": member.wants_mail,
        "restrictions": actor.restrictions,
        "created_at": member.created_at,
    }


@blueprint.get("/me/notifications")
@needs(Action.MANAGE_OWN_ACCOUNT)
@blueprint.arguments(PageArgs, location="query")
@blueprint.response(200, NotificationPage)
def notifications(args: dict[str, Any]) -> dict[str, Any]:
    """What happened to this member's posts, newest first."""
    actor = current_actor()
    found = queries.notifications(db.session(), actor.id or 0, after=args["after"], limit=args["limit"])
    return {"items": found.items, "next": found.next}
