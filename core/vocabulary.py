"""Every enum the house speaks. Values are stored in the database and shown by the API; renaming one is a migration."""

from enum import StrEnum


class Role(StrEnum):
    """What a person is trusted with. A member has no grant row; the others have one or more."""

    MEMBER = "member"
    MODERATOR = "moderator"
    LEAD = "lead"
    EDITOR = "editor"
    ADMIN = "admin"


STAFF_ROLES = frozenset({Role.MODERATOR, Role.LEAD, Role.EDITOR, Role.ADMIN})


class Action(StrEnum):
    """Everything that somebody may be allowed or refused; `auth.policy.RULES` has one predicate for each."""

    # Reading
    READ_POST = "read_post"
    READ_POST_SOURCE = "read_post_source"
    READ_REVISIONS = "read_revisions"
    READ_PRIVATE_INTAKE = "read_private_intake"
    # Writing
    START_THREAD = "start_thread"
    ANSWER = "answer"
    COMMENT = "comment"
    EDIT_POST = "edit_post"
    WITHDRAW_POST = "withdraw_post"
    MARK_HELPFUL = "mark_helpful"
    REPORT_POST = "report_post"
    KEEP_DRAFT = "keep_draft"
    # Own account
    MANAGE_OWN_ACCOUNT = "manage_own_account"
    CLOSE_OWN_ACCOUNT = "close_own_account"
    READ_OWN_RECORD = "read_own_record"
    # Moderation
    SEE_QUEUE = "see_queue"
    READ_CASE = "read_case"
    CLAIM_CASE = "claim_case"
    DECIDE_CASE = "decide_case"
    UNDO_DECISION = "undo_decision"
    READ_STATEMENT = "read_statement"
    SWITCH_PANIC = "switch_panic"
    CONFIRM_DECISION = "confirm_decision"
    ASSIGN_CASE = "assign_case"
    APPEAL = "appeal"
    SEE_APPEALS = "see_appeals"
    DECIDE_APPEAL = "decide_appeal"
    SEE_MEMBER_RECORD = "see_member_record"
    SANCTION_MEMBER = "sanction_member"
    EDIT_DESK = "edit_desk"
    OPERATE_THREAD = "operate_thread"
    PATROL = "patrol"
    TALK_AS_TEAM = "talk_as_team"
    TALK_AS_MEMBER = "talk_as_member"
    EDIT_BOARD_NOTICE = "edit_board_notice"
    ANNOUNCE = "announce"
    # Reference, boards, administration
    EDIT_REFERENCE = "edit_reference"
    OPEN_BOARD = "open_board"
    GRANT_ROLES = "grant_roles"


class ThreadKind(StrEnum):
    QUESTION = "question"
    EXPERIENCE = "experience"


class PostKind(StrEnum):
    OPENING = "opening"
    ANSWER = "answer"
    COMMENT = "comment"


class PostState(StrEnum):
    DRAFT = "draft"
    HELD = "held"
    CHANGES_REQUESTED = "changes_requested"
    PUBLISHED = "published"
    SHIELDED = "shielded"
    HIDDEN = "hidden"
    REMOVED = "removed"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    ERASED = "erased"


class RevisionState(StrEnum):
    """`live` is what the post shows; `held` waits for a person; the others are history."""

    LIVE = "live"
    HELD = "held"
    CHANGES_REQUESTED = "changes_requested"
    SUPERSEDED = "superseded"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class CaseState(StrEnum):
    OPEN = "open"
    CLAIMED = "claimed"
    AWAITING_AUTHOR = "awaiting_author"
    AWAITING_SECOND = "awaiting_second"
    DECIDED = "decided"
    MOOT = "moot"


LIVE_CASE_STATES = (CaseState.OPEN, CaseState.CLAIMED, CaseState.AWAITING_AUTHOR, CaseState.AWAITING_SECOND)


class SubjectKind(StrEnum):
    POST = "post"
    MEMBER = "member"
    APPEAL = "appeal"


class Verdict(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"
    REQUEST_CHANGES = "request_changes"
    REDACT = "redact"
    LABEL = "label"
    SHIELD = "shield"
    HIDE = "hide"
    REMOVE = "remove"
    RESTORE = "restore"
    DISMISS = "dismiss"
    ESCALATE = "escalate"
    # Of a case about a member, and of an operation on a thread.
    SANCTION = "sanction"
    LOCK = "lock"


class Priority(StrEnum):
    """P0 a human look within minutes; P1 an hour; P2 twelve hours; P3 a day; P4 three days."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"


class ReportStatus(StrEnum):
    OPEN = "open"
    ACTED = "acted"
    NOT_ACTED = "not_acted"
    WITHDRAWN = "withdrawn"


class Visibility(StrEnum):
    """Who sees an intake answer: everybody, signed-in members, moderators (later verified helpers), its author only."""

    PUBLIC = "public"
    MEMBERS = "members"
    HELPERS = "helpers"
    PRIVATE = "private"


class ArticleStatus(StrEnum):
    DRAFT = "draft"
    PUBLISHED = "published"
    RETIRED = "retired"


class NotificationKind(StrEnum):
    PUBLISHED = "published"
    CHANGES_REQUESTED = "changes_requested"
    REJECTED = "rejected"
    HIDDEN = "hidden"
    REMOVED = "removed"
    RESTORED = "restored"
    ANSWERED = "answered"
    REPLIED = "replied"
    REPORT_DECIDED = "report_decided"
    REDACTED = "redacted"
    LABELLED = "labelled"
    SHIELDED = "shielded"
    LOCKED = "locked"
    MOVED = "moved"
    SANCTIONED = "sanctioned"
    SANCTION_ENDED = "sanction_ended"
    APPEAL_DECIDED = "appeal_decided"
    TALK = "talk"


class RestrictionKind(StrEnum):
    """The enforced fact, read with every request; `moderation.sanctions` writes it."""

    SUSPENDED = "suspended"
    READ_ONLY = "read_only"
    BOARD = "board"
    # A warning that its member has not acknowledged yet: nothing is written until then.
    WARNING = "warning"
    # At most `daily_limit` posts in 24 hours.
    POSTING_LIMIT = "posting_limit"


class SanctionKind(StrEnum):
    """The steps of the ladder, from a friendly word to the end of an account."""

    REMINDER = "reminder"
    WARNING = "warning"
    POSTING_LIMIT = "posting_limit"
    BOARD_RESTRICTION = "board_restriction"
    SUSPENSION = "suspension"
    TERMINATION = "termination"


class AppealOutcome(StrEnum):
    """`upheld`: the decision stands. `partly`: what was laid on the member falls, the decision on the text stands."""

    UPHELD = "upheld"
    OVERTURNED = "overturned"
    PARTLY = "partly"
    INADMISSIBLE = "inadmissible"


class Operation(StrEnum):
    """What a moderator may do to a whole thread."""

    MOVE = "move"
    MERGE = "merge"
    SPLIT = "split"
    LOCK = "lock"
    UNLOCK = "unlock"
    PIN = "pin"
    UNPIN = "unpin"


class NoteKind(StrEnum):
    """Why a moderator left a note on a case."""

    NOTE = "note"
    HAND_OVER = "hand_over"
    ESCALATION = "escalation"


SECTION_KEYS = (
    "introduction",
    "symptoms",
    "causes",
    "diagnosis",
    "tests",
    "treatments",
    "misdiagnosis",
    "home_testing",
    "undiagnosed",
    "complications",
    "outlook",
    "prevention",
    "red_flags",
    "questions_a_doctor_asks",
    "find_doctor",
    "videos",
    "related",
    "other",
)
