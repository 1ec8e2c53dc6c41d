"""What a member sees of moderation: own posts that wait, decisions about them, and each statement of reasons."""

from flask import Blueprint, request

from auth import policy
from auth.doors import current_actor, needs
from core.db import db, utc_now
from core.errors import Conflict
from core.vocabulary import Action
from core.web import settings
from moderation import appeals, forms, listings, queries
from moderation.doors import Answer, page

blueprint = Blueprint("about_me", __name__)


@blueprint.get("/decisions/<reference>")
@needs(Action.READ_STATEMENT)
def statement(reference: str) -> Answer:
    """For whoever holds the reference, a 128-bit secret."""
    return statement_page(reference)


def statement_page(
    reference: str, *, appeal_form: forms.AppealForm | None = None, conflict: Conflict | None = None
) -> Answer:
    """The statement, and the form in which one can object to it."""
    session, actor = db.session(), current_actor()
    found = queries.statement_page(session, reference)
    status = 409 if conflict else 422 if appeal_form and appeal_form.errors else 200
    return page(
        "statement",
        status,
        statement=found,
        is_author=listings.is_about(session, found, actor),
        shows_export=listings.is_about(session, found, actor) or policy.moderates_anything(actor),
        way=appeals.way(session, reference, now=utc_now()),
        appeal_form=appeal_form or forms.AppealForm(),
        conflict=conflict,
        most=appeals.GROUNDS_CHARS,
    )


@blueprint.get("/me/held")
@needs(Action.MANAGE_OWN_ACCOUNT)
def held() -> Answer:
    after = request.args.get("after") or None
    found = queries.my_held(db.session(), current_actor(), settings=settings(), now=utc_now(), after=after)
    return page("held", posts=found.items, next=found.next, after=after)


@blueprint.get("/me/decisions")
@needs(Action.READ_OWN_RECORD)
def about_me() -> Answer:
    after = request.args.get("after") or None
    found = queries.my_decisions(db.session(), current_actor(), after=after)
    return page("my_decisions", decisions=found.items, next=found.next, after=after)
