"""What a member sees of moderation: own posts that wait, decisions about them, and each statement of reasons."""

from flask import Blueprint, request

from auth.doors import current_actor, needs
from core.db import db, utc_now
from core.vocabulary import Action
from core.web import settings
from moderation import listings, queries
from moderation.doors import Answer, page

blueprint = Blueprint("about_me", __name__)


@blueprint.get("/decisions/<reference>")
@needs(Action.READ_STATEMENT)
def statement(reference: str) -> Answer:
    """For whoever holds the reference, a 128-bit secret."""
    found = queries.statement_page(db.session(), reference)
    return page("statement", statement=found, is_author=listings.is_about(db.session(), found, current_actor()))


@blueprint.get("/me/held")
@needs(Action.MANAGE_OWN_ACCOUNT)
def held() -> Answer:
    after = request.args.get("after") or None
    found = queries.my_held(db.session(), current_actor(), settings=settings(), now=utc_now(), after=after)
    return page("held", posts=found.items, next=found.next, after=after)


@blueprint.get("/me/decisions")
@needs(Action.MANAGE_OWN_ACCOUNT)
def about_me() -> Answer:
    after = request.args.get("after") or None
    found = queries.my_decisions(db.session(), current_actor(), after=after)
    return page("my_decisions", decisions=found.items, next=found.next, after=after)
