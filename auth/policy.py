"""The whole policy: who may do what, and who sees what. One predicate for each Action, over plain facts.

Doors ask `require`, templates ask `allowed`: the same table, so a button and its door cannot disagree.
`forum/visibility.py` and `moderation/eligibility.py` repeat parts of it as SQL, and tests compare the twins.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core.errors import AppError, Forbidden, NotFound, SignInNeeded
from core.vocabulary import (
    STAFF_ROLES,
    Action,
    CaseState,
    PostKind,
    PostState,
    RestrictionKind,
    Role,
    ThreadKind,
    Visibility,
)

# A member is new until so many of their posts have become visible; until then a person reads each one first.
NEW_MEMBER_POSTS = 3


@dataclass(frozen=True)
class ActiveRestriction:
    """What a member may not do at present. `board_id` None: everywhere; `until` None: without end.

    `daily_limit`: posts in 24 hours, of a posting limit only. `reference` leads to the statement of reasons.
    """

    kind: RestrictionKind
    board_id: int | None = None
    until: datetime | None = None
    daily_limit: int | None = None
    reference: str | None = None


@dataclass(frozen=True)
class Actor:
    """Who asks: read once per request, frozen. `scopes` None is a browser session; a token has its own."""

    id: int | None = None
    handle: str | None = None
    roles: frozenset[Role] = frozenset()
    # Where a moderator moderates: everywhere, on these boards, in these medical categories.
    all_boards: bool = False
    board_ids: frozenset[int] = frozenset()
    category_ids: frozenset[int] = frozenset()
    approved_count: int = 0
    restrictions: tuple[ActiveRestriction, ...] = ()
    scopes: frozenset[str] | None = None
    country: str | None = None
    # Set up, or a token that staff made; without it a staff role has no effect.
    has_second_factor: bool = False

    @property
    def is_signed_in(self) -> bool:
        return self.id is not None

    @property
    def is_staff(self) -> bool:
        return bool(self.roles & STAFF_ROLES)

    @property
    def is_new(self) -> bool:
        return self.approved_count < NEW_MEMBER_POSTS


ANONYMOUS = Actor()


@dataclass(frozen=True)
class Subject:
    """What is asked about, as plain facts; a door fills those that its action reads.

    For START_THREAD it is the board; for ANSWER and COMMENT the thread, with the facts of its opening post;
    for a case the post in question.
    """

    author_id: int | None = None
    author_is_new: bool = False
    state: PostState | None = None
    post_kind: PostKind | None = None
    thread_kind: ThreadKind | None = None
    thread_state: PostState | None = None
    thread_locked: bool = False
    # Others could read it once. (A shielded post of a new author counts only after a person approved it.)
    was_visible: bool = False
    board_id: int | None = None
    category_ids: frozenset[int] = frozenset()
    board_mode: str | None = None
    reporter_ids: frozenset[int] = frozenset()
    # Everybody who posted in the thread.
    poster_ids: frozenset[int] = frozenset()
    # Whose decision on this case was overturned after an objection.
    overruled_ids: frozenset[int] = frozenset()
    case_state: CaseState | None = None
    claimed_by: int | None = None
    claim_is_live: bool = False
    # Escalated: only leads decide.
    needs_lead: bool = False
    # Who decided first, and who confirmed it where two people had to.
    decider_id: int | None = None
    second_decider_id: int | None = None
    member_id: int | None = None
    visibility: Visibility | None = None


NOTHING = Subject()


class Sight(StrEnum):
    """How much of a post a reader sees. NONE is a 404; a tombstone tells the class of reason, never the text."""

    NONE = "none"
    TOMBSTONE = "tombstone"
    FULL = "full"


# --- Facts about an actor ----------------------------------------------------------------------------------------


def holds(actor: Actor, role: Role) -> bool:
    """Whether this staff role is in force: granted, and the second factor is set up."""
    return role in actor.roles and actor.has_second_factor


def moderates_anything(actor: Actor) -> bool:
    return holds(actor, Role.MODERATOR) or holds(actor, Role.LEAD)


def moderates_everywhere(actor: Actor) -> bool:
    return holds(actor, Role.LEAD) or (holds(actor, Role.MODERATOR) and actor.all_boards)


def moderates(actor: Actor, subject: Subject) -> bool:
    """Whether the subject's board is one of this moderator's."""
    if moderates_everywhere(actor):
        return True
    mine = subject.board_id in actor.board_ids or bool(subject.category_ids & actor.category_ids)
    return holds(actor, Role.MODERATOR) and mine


def is_author(actor: Actor, subject: Subject) -> bool:
    return actor.id is not None and actor.id == subject.author_id


def may_write_on(actor: Actor, board_id: int | None) -> bool:
    """Signed in, and nothing keeps this member from writing on this board."""
    return actor.is_signed_in and restriction_on(actor, board_id) is None


def restriction_on(actor: Actor, board_id: int | None) -> ActiveRestriction | None:
    """The first live restriction that keeps this member from writing there. A posting limit counts elsewhere."""
    return next((r for r in actor.restrictions if _keeps_silent(r, board_id)), None)


def _keeps_silent(restriction: ActiveRestriction, board_id: int | None) -> bool:
    if restriction.kind is RestrictionKind.BOARD:
        return restriction.board_id == board_id
    return restriction.kind is not RestrictionKind.POSTING_LIMIT


def is_suspended(actor: Actor) -> bool:
    """A suspended member still signs in to decisions, appeals and the closing of the account, and nothing else."""
    return suspension_of(actor) is not None


def suspension_of(actor: Actor) -> ActiveRestriction | None:
    """The suspension that is in force, if any."""
    return next((r for r in actor.restrictions if r.kind is RestrictionKind.SUSPENDED), None)


def reader(actor: Actor) -> Actor:
    """Who reads: a suspended member sees what a visitor sees."""
    return ANONYMOUS if is_suspended(actor) else actor


def in_conflict(actor: Actor, subject: Subject) -> bool:
    """The author, the person judged, a reporter, anybody who posted in the thread, and whoever was overruled."""
    involved = subject.reporter_ids | subject.poster_ids | subject.overruled_ids
    return actor.id in involved | {subject.author_id, subject.member_id}


# --- Who sees what (the table of docs/policy.md) -----------------------------------------------------------------


def sight(actor: Actor, subject: Subject) -> Sight:
    """How much of this post the reader sees, by its state and by who the reader is."""
    actor, state = reader(actor), subject.state
    if state is None or state is PostState.DRAFT:
        return Sight.FULL if is_author(actor, subject) else Sight.NONE
    if state is PostState.ERASED:
        return Sight.NONE if is_author(actor, subject) else Sight.TOMBSTONE
    if is_author(actor, subject) or moderates(actor, subject) or state is PostState.PUBLISHED:
        return Sight.FULL
    if state is PostState.SHIELDED:
        looked_at = subject.was_visible or not subject.author_is_new
        return Sight.FULL if actor.is_signed_in and looked_at else Sight.NONE
    if state is PostState.HIDDEN:
        return Sight.TOMBSTONE
    gone = state in (PostState.REMOVED, PostState.REJECTED, PostState.WITHDRAWN)
    return Sight.TOMBSTONE if gone and subject.was_visible else Sight.NONE


# --- Who may do what ---------------------------------------------------------------------------------------------

WAITING = frozenset({PostState.DRAFT, PostState.HELD, PostState.CHANGES_REQUESTED})
SHOWN = frozenset({PostState.PUBLISHED, PostState.SHIELDED})


def _reads(actor: Actor, subject: Subject) -> bool:
    return sight(actor, subject) is Sight.FULL


def _reads_source(actor: Actor, subject: Subject) -> bool:
    return _reads(actor, subject) and (is_author(actor, subject) or moderates(actor, subject))


def _reads_intake(actor: Actor, subject: Subject) -> bool:
    if is_author(actor, subject):
        return True
    if subject.visibility is Visibility.PUBLIC:
        return _reads(actor, subject)
    if subject.visibility is Visibility.MEMBERS:
        return actor.is_signed_in and _reads(actor, subject)
    return subject.visibility is Visibility.HELPERS and moderates(actor, subject)


def _starts_thread(actor: Actor, subject: Subject) -> bool:
    return may_write_on(actor, subject.board_id) and subject.board_mode != "closed"


def _comments(actor: Actor, subject: Subject) -> bool:
    """Replies go where the opening post stands for this reader; unpublished and locked threads take none."""
    if not may_write_on(actor, subject.board_id) or subject.thread_locked or subject.board_mode == "closed":
        return False
    state = subject.thread_state or subject.state
    if state is PostState.SHIELDED and subject.state is PostState.SHIELDED:
        return _reads(actor, subject)
    return state in SHOWN


def _answers(actor: Actor, subject: Subject) -> bool:
    return subject.thread_kind is not ThreadKind.EXPERIENCE and _comments(actor, subject)


def _edits(actor: Actor, subject: Subject) -> bool:
    if not is_author(actor, subject) or not may_write_on(actor, subject.board_id):
        return False
    return subject.state in WAITING or (subject.state in SHOWN and not subject.thread_locked)


def _withdraws(actor: Actor, subject: Subject) -> bool:
    return is_author(actor, subject) and subject.state in WAITING | SHOWN | {PostState.HIDDEN}


def _marks_helpful(actor: Actor, subject: Subject) -> bool:
    mine = is_author(actor, subject)
    return may_write_on(actor, subject.board_id) and not mine and subject.state in SHOWN and _reads(actor, subject)


def _reports(actor: Actor, subject: Subject) -> bool:
    mine = is_author(actor, subject)
    return actor.is_signed_in and not mine and subject.state in SHOWN and _reads(actor, subject)


def _is_member(actor: Actor, _subject: Subject) -> bool:
    return actor.is_signed_in


def _own_account(actor: Actor, subject: Subject) -> bool:
    return actor.is_signed_in and subject.member_id in (None, actor.id)


def _sees_queue(actor: Actor, _subject: Subject) -> bool:
    return moderates_anything(actor)


def _reads_case(actor: Actor, subject: Subject) -> bool:
    """Not the author: a case names those who reported."""
    return moderates(actor, subject) and actor.id not in (subject.author_id, subject.member_id)


def _judges(actor: Actor, subject: Subject) -> bool:
    """Decides cases: on one's boards, without a part in it; what was escalated only as a lead."""
    may = holds(actor, Role.LEAD) or not subject.needs_lead
    return may and moderates(actor, subject) and not in_conflict(actor, subject)


def _confirms(actor: Actor, subject: Subject) -> bool:
    return _judges(actor, subject) and actor.id != subject.decider_id


def _assigns(actor: Actor, _subject: Subject) -> bool:
    return holds(actor, Role.LEAD)


def _judges_appeal(actor: Actor, subject: Subject) -> bool:
    """Leads, but never one who decided or confirmed what is objected to, nor one with a part in it."""
    deciders = (subject.decider_id, subject.second_decider_id)
    return holds(actor, Role.LEAD) and actor.id not in deciders and not in_conflict(actor, subject)


def _knows_member(actor: Actor, subject: Subject) -> bool:
    """The team's own view of a member; nobody reads what the team notes about themselves."""
    return moderates_anything(actor) and actor.id != subject.member_id


def _talks_as_member(actor: Actor, subject: Subject) -> bool:
    return actor.is_signed_in and actor.id == subject.member_id


def _edits_notice(actor: Actor, subject: Subject) -> bool:
    return moderates(actor, subject)


def _announces(actor: Actor, _subject: Subject) -> bool:
    return holds(actor, Role.LEAD) or holds(actor, Role.ADMIN)


def _undoes(actor: Actor, subject: Subject) -> bool:
    mine = actor.id is not None and actor.id == subject.decider_id
    return _judges(actor, subject) and (mine or holds(actor, Role.LEAD))


def _anybody(_actor: Actor, _subject: Subject) -> bool:
    return True


def _switches_panic(actor: Actor, _subject: Subject) -> bool:
    return moderates_everywhere(actor) or holds(actor, Role.ADMIN)


def _edits_reference(actor: Actor, _subject: Subject) -> bool:
    return holds(actor, Role.EDITOR)


def _grants_roles(actor: Actor, _subject: Subject) -> bool:
    return holds(actor, Role.ADMIN)


RULES: dict[Action, Callable[[Actor, Subject], bool]] = {
    Action.READ_POST: _reads,
    Action.READ_POST_SOURCE: _reads_source,
    Action.READ_REVISIONS: _reads,
    Action.READ_PRIVATE_INTAKE: _reads_intake,
    Action.START_THREAD: _starts_thread,
    Action.ANSWER: _answers,
    Action.COMMENT: _comments,
    Action.EDIT_POST: _edits,
    Action.WITHDRAW_POST: _withdraws,
    Action.MARK_HELPFUL: _marks_helpful,
    Action.REPORT_POST: _reports,
    Action.KEEP_DRAFT: _is_member,
    Action.MANAGE_OWN_ACCOUNT: _own_account,
    Action.SEE_QUEUE: _sees_queue,
    Action.READ_CASE: _reads_case,
    Action.CLAIM_CASE: _judges,
    Action.DECIDE_CASE: _judges,
    Action.UNDO_DECISION: _undoes,
    # Whoever holds the reference, a 128-bit secret, may read the statement.
    Action.READ_STATEMENT: _anybody,
    Action.CLOSE_OWN_ACCOUNT: _own_account,
    Action.READ_OWN_RECORD: _own_account,
    Action.CONFIRM_DECISION: _confirms,
    Action.ASSIGN_CASE: _assigns,
    # As with the statement: whoever holds the reference may object.
    Action.APPEAL: _anybody,
    Action.SEE_APPEALS: _assigns,
    Action.DECIDE_APPEAL: _judges_appeal,
    Action.SEE_MEMBER_RECORD: _knows_member,
    Action.SANCTION_MEMBER: _judges,
    Action.EDIT_DESK: _assigns,
    Action.OPERATE_THREAD: _judges,
    Action.PATROL: _sees_queue,
    Action.TALK_AS_TEAM: _knows_member,
    Action.TALK_AS_MEMBER: _talks_as_member,
    Action.EDIT_BOARD_NOTICE: _edits_notice,
    Action.ANNOUNCE: _announces,
    Action.SWITCH_PANIC: _switches_panic,
    Action.EDIT_REFERENCE: _edits_reference,
    Action.OPEN_BOARD: _edits_reference,
    Action.GRANT_ROLES: _grants_roles,
}

READING = frozenset(
    {
        Action.READ_POST,
        Action.READ_POST_SOURCE,
        Action.READ_REVISIONS,
        Action.READ_PRIVATE_INTAKE,
        Action.MANAGE_OWN_ACCOUNT,
        Action.CLOSE_OWN_ACCOUNT,
        Action.READ_OWN_RECORD,
        Action.READ_STATEMENT,
    }
)
STAFF_ACTIONS = frozenset(
    {
        Action.SEE_QUEUE,
        Action.READ_CASE,
        Action.CLAIM_CASE,
        Action.DECIDE_CASE,
        Action.UNDO_DECISION,
        Action.SWITCH_PANIC,
        Action.CONFIRM_DECISION,
        Action.ASSIGN_CASE,
        Action.SEE_APPEALS,
        Action.DECIDE_APPEAL,
        Action.SEE_MEMBER_RECORD,
        Action.SANCTION_MEMBER,
        Action.EDIT_DESK,
        Action.OPERATE_THREAD,
        Action.PATROL,
        Action.TALK_AS_TEAM,
        Action.EDIT_BOARD_NOTICE,
        Action.ANNOUNCE,
        Action.EDIT_REFERENCE,
        Action.OPEN_BOARD,
        Action.GRANT_ROLES,
    }
)
# What a visitor may do, or is simply not shown; everything else asks a visitor to sign in.
PUBLIC_ACTIONS = frozenset(
    {Action.READ_POST, Action.READ_REVISIONS, Action.READ_PRIVATE_INTAKE, Action.READ_STATEMENT, Action.APPEAL}
)
# What a suspended member still does as themselves; beyond it they read what every visitor reads.
WHILE_SUSPENDED = frozenset({Action.READ_STATEMENT, Action.APPEAL, Action.CLOSE_OWN_ACCOUNT, Action.READ_OWN_RECORD})
SCOPES = ("read", "write", "moderate")


def scope_of(action: Action) -> str:
    """The scope that an API token needs for this action."""
    if action in STAFF_ACTIONS:
        return "moderate"
    return "read" if action in READING else "write"


def allowed(actor: Actor, action: Action, subject: Subject = NOTHING) -> bool:
    """Whether the actor may; the same answer for the button and for its door."""
    if actor.scopes is not None and scope_of(action) not in actor.scopes:
        return False
    if is_suspended(actor) and action not in WHILE_SUSPENDED:
        return action in PUBLIC_ACTIONS and RULES[action](ANONYMOUS, subject)
    return RULES[action](actor, subject)


def require(actor: Actor, action: Action, subject: Subject = NOTHING) -> None:
    """Pass, or raise SignInNeeded, NotFound or Forbidden with a code and a sentence that says why."""
    if not allowed(actor, action, subject):
        raise refusal(actor, action, subject)


def refusal(actor: Actor, action: Action, subject: Subject = NOTHING) -> AppError:
    """Why this actor may not. What a reader may not know of does not exist."""
    if not actor.is_signed_in and action not in PUBLIC_ACTIONS:
        return SignInNeeded()
    if subject.state is not None and sight(actor, subject) is Sight.NONE:
        return NotFound()
    if is_suspended(actor) and action not in WHILE_SUSPENDED:
        return _suspended(actor)
    scope = scope_of(action)
    if actor.scopes is not None and scope not in actor.scopes:
        return Forbidden("scope-missing", f"This token lacks the scope {scope!r}.", scope=scope)
    if action in STAFF_ACTIONS:
        return _staff_refusal(actor, subject)
    return _member_refusal(actor, action, subject)


def _suspended(actor: Actor) -> AppError:
    live = suspension_of(actor)
    assert live is not None  # only asked for somebody who is suspended
    end = f" until {live.until:%-d %B %Y, %H:%M} UTC" if live.until else ""
    return Forbidden(
        "suspended",
        f"Your account is suspended{end}. You can still read our decisions, object to them, and close the account.",
        reference=live.reference,
    )


def _staff_refusal(actor: Actor, subject: Subject) -> AppError:
    if needs_second_factor(actor):
        return Forbidden("second-factor-needed", "Set up two-step sign-in first: your role has no effect without it.")
    if moderates(actor, subject) and in_conflict(actor, subject):
        return Forbidden(
            "conflict-of-interest",
            "You are part of this: you wrote it, reported it, posted in its thread, or decided it before an objection "
            "to that was right. Somebody else decides it.",
        )
    if actor.id is not None and actor.id in (subject.decider_id, subject.second_decider_id):
        return Forbidden("first-decider", "You took part in the decision. Somebody else looks at it now.")
    if subject.needs_lead and not holds(actor, Role.LEAD):
        return Forbidden("needs-lead", "This case was passed on to the leads. One of them decides it.")
    return Forbidden("not-allowed", "Your role does not cover this.")


def _member_refusal(actor: Actor, action: Action, subject: Subject) -> AppError:
    if action in (Action.START_THREAD, Action.ANSWER, Action.COMMENT, Action.EDIT_POST, Action.MARK_HELPFUL):
        live = restriction_on(actor, subject.board_id)
        if live is not None and live.kind is RestrictionKind.WARNING:
            return Forbidden(
                "warning-open", "Please read the warning that we sent you and confirm it; then you can write again."
            )
        if live is not None:
            end = f" until {live.until:%-d %B %Y, %H:%M} UTC" if live.until else ""
            return Forbidden("restricted", f"You cannot write here{end}. You can still read.")
        if subject.board_mode == "closed":
            return Forbidden("board-closed", "This board takes no new posts at present.")
    if action is Action.ANSWER and subject.thread_kind is ThreadKind.EXPERIENCE:
        return Forbidden("no-answers-here", "An experience takes comments, not answers.")
    if action in (Action.ANSWER, Action.COMMENT, Action.EDIT_POST) and subject.thread_locked:
        return Forbidden("thread-locked", "This thread is closed to new posts and edits.")
    if action in (Action.ANSWER, Action.COMMENT):
        return Forbidden("thread-not-open", "This thread takes no posts while its first post is not public.")
    if action in (Action.MARK_HELPFUL, Action.REPORT_POST) and is_author(actor, subject):
        return Forbidden("own-post", "This post is your own.")
    return Forbidden("not-allowed", "You may not do this.")


def needs_second_factor(actor: Actor) -> bool:
    """Staff who have not set up two-step sign-in: they are led there before any staff act."""
    return actor.is_staff and not actor.has_second_factor
