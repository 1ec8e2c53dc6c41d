"""What every door of the house asks first: who is there, and may they come in."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

from flask import g, redirect, request
from flask_login import current_user

from auth import members, policy, tokens
from auth.policy import ANONYMOUS, Actor, Subject
from core.db import db, utc_now
from core.errors import Forbidden, SignInNeeded
from core.notifications import unread_count
from core.vocabulary import Action, Role

View = TypeVar("View", bound=Callable[..., Any])

# Staff actions whose answer depends on the role alone; for the others the view asks again with its subject.
_BY_ROLE = frozenset(
    {
        Action.SEE_QUEUE,
        Action.SWITCH_PANIC,
        Action.EDIT_REFERENCE,
        Action.OPEN_BOARD,
        Action.GRANT_ROLES,
        Action.ASSIGN_CASE,
        Action.SEE_APPEALS,
        Action.EDIT_DESK,
        Action.PATROL,
        Action.ANNOUNCE,
    }
)


def current_actor() -> Actor:
    """Who asks, as the rules see them: on a public page a suspended member is a visitor like any other.

    Raises SignInNeeded("bad-token") for a bearer token that is unknown, taken back or too old.
    """
    actor = who_is_there()
    return policy.reader(actor) if g.get("reads_as_visitor") else actor


def who_is_there() -> Actor:
    """Who is signed in, suspended or not, for the frame of a page. Read once per request.

    Under /api/ a bearer token goes before the browser's session. Raises as `current_actor`.
    """
    if "actor" not in g:
        g.actor = _read_actor()
    return g.actor


def _read_actor() -> Actor:
    sent = request.headers.get("Authorization", "")
    if sent and request.path.startswith("/api/"):
        kind, _, token = sent.partition(" ")
        found = tokens.find(db.session(), token.strip(), now=utc_now()) if kind.lower() == "bearer" else None
        if found is None:
            raise SignInNeeded("bad-token", "This token is unknown, was taken back, or is too old.")
        return members.actor_of_member(db.session(), found[0], now=utc_now(), scopes=found[1])
    if not current_user.is_authenticated:
        return ANONYMOUS
    return members.actor_of_member(db.session(), current_user._get_current_object(), now=utc_now())


def require(action: Action, subject: Subject = policy.NOTHING) -> Actor:
    """`policy.require` for who asks now; returns the actor."""
    actor = current_actor()
    policy.require(actor, action, subject)
    return actor


def needs(action: Action) -> Callable[[View], View]:
    """Mark a view with its action and turn away who cannot do it to anything; the view asks again with its subject.

    Put it right under the route, above `arguments` and `response` of the API, so that 401 and 403 come before 422.
    """

    def mark(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            refused = _refuse(who_is_there(), action)
            _read_as_visitor(action not in policy.WHILE_SUSPENDED)
            return view(*args, **kwargs) if refused is None else refused

        guarded.boardwell_access = action  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    return mark


def public(view: View) -> View:
    """Mark a view that anybody may open; what it shows may still depend on who asks."""

    @wraps(view)
    def opened(*args: Any, **kwargs: Any) -> Any:
        _read_as_visitor(True)
        return view(*args, **kwargs)

    opened.boardwell_access = "public"  # type: ignore[attr-defined]
    return opened  # type: ignore[return-value]


def _read_as_visitor(is_public: bool) -> None:
    """A suspended member reads what every visitor reads. What is sent is refused, with reasons."""
    g.reads_as_visitor = is_public and request.method in ("GET", "HEAD")


def refuse_suspended() -> None:
    """For a composer that a visitor may open before signing in: a suspended member is told before they type."""
    actor = who_is_there()
    if policy.is_suspended(actor):
        raise policy.refusal(actor, Action.START_THREAD)


def _refuse(actor: Actor, action: Action) -> Any:
    if not actor.is_signed_in:
        if action in policy.PUBLIC_ACTIONS:
            return None
        raise SignInNeeded()
    shut = policy.is_suspended(actor) and action not in policy.WHILE_SUSPENDED | policy.PUBLIC_ACTIONS
    if shut or (actor.scopes is not None and policy.scope_of(action) not in actor.scopes):
        raise policy.refusal(actor, action)
    if action not in policy.STAFF_ACTIONS:
        return None
    if policy.needs_second_factor(actor) and not request.path.startswith("/api/"):
        return redirect("/me/two-step", 303 if request.method == "POST" else 302)
    if action in _BY_ROLE:
        policy.require(actor, action)
    elif not policy.moderates_anything(actor):
        raise Forbidden("not-allowed", "Your role does not cover this.")
    return None


# --- What every template is given --------------------------------------------------------------------------------


@dataclass
class Viewer:
    """The reader of a page, as its frame shows them. Moderation adds `queue_count`."""

    signed_in: bool
    id: int | None
    handle: str | None
    is_staff: bool
    is_moderator: bool
    is_lead: bool
    is_editor: bool
    is_admin: bool
    # The suspension that is in force: its end and the reference of its reasons.
    suspension: policy.ActiveRestriction | None = None
    queue_count: int = 0

    @property
    def unread_count(self) -> int:
        """Unread notifications; 100 stands for more. One bounded query, once per page."""
        if self.id is None:
            return 0
        if "unread_count" not in g:
            g.unread_count = unread_count(db.session(), self.id)
        return g.unread_count


def viewer() -> Viewer:
    """The reader of this request's page: one object, so that a room to the right can fill in its counter."""
    if "viewer" not in g:
        actor = _actor_or_nobody(who_is_there)
        suspension = policy.suspension_of(actor)
        # A suspended moderator is shown no way to a door that is shut.
        roles = frozenset() if suspension else actor.roles
        g.viewer = Viewer(
            signed_in=actor.is_signed_in,
            id=actor.id,
            handle=actor.handle,
            is_staff=actor.is_staff and not suspension,
            is_moderator=bool(roles & {Role.MODERATOR, Role.LEAD}),
            is_lead=Role.LEAD in roles,
            is_editor=Role.EDITOR in roles,
            is_admin=Role.ADMIN in roles,
            suspension=suspension,
        )
    return g.viewer


def _actor_or_nobody(ask: Callable[[], Actor]) -> Actor:
    """For error pages too, which must not fail over a bad token."""
    try:
        return ask()
    except SignInNeeded:
        return ANONYMOUS


def context() -> dict[str, Any]:
    """`viewer`, `actor`, `allowed(action, subject)` and `now` for every template."""
    actor = _actor_or_nobody(current_actor)

    def allowed(action: str, subject: Subject = policy.NOTHING) -> bool:
        return policy.allowed(actor, Action(action), subject)

    return {"viewer": viewer(), "actor": actor, "allowed": allowed, "now": utc_now()}
