"""What the pages and the API of moderation show: frozen, fully loaded.

Functions (all read-only): `queue`, `queue_count`, `case_page`, `statement_page`, `report_page`, `my_held`,
`my_decisions`, `decision_view`.
"""

from dataclasses import dataclass
from datetime import datetime

from core.vocabulary import (
    CaseState,
    PostKind,
    PostState,
    Priority,
    ReportStatus,
    ThreadKind,
    Verdict,
)
from forum.gate import HeldStatus


@dataclass(frozen=True)
class Person:
    """`handle` is None for a former member. `chips`: role labels and "New member" as stable codes."""

    id: int
    handle: str | None
    is_new: bool
    roles: tuple[str, ...] = ()

    @property
    def is_former(self) -> bool:
        return self.handle is None


@dataclass(frozen=True)
class FindingView:
    """`start` and `end` count in the text judged; None: the post as a whole. `quote` are the words concerned."""

    kind: str
    score: float
    holds: bool
    start: int | None
    end: int | None
    explanation: str
    rule_version: str
    quote: str | None = None


@dataclass(frozen=True)
class ReportView:
    """A report as the moderator sees it. `text_then` is the text that was reported, where it differs by now."""

    id: int
    reporter: Person
    rule_code: str
    rule_title: str
    note: str
    status: ReportStatus
    created_at: datetime
    text_then: str | None


@dataclass(frozen=True)
class Segment:
    """A stretch of the text judged; `kinds` are the findings that cover it (none: unmarked)."""

    text: str
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True)
class DecisionView:
    """One decision. `moderator` None is the system; `undoes_id` points at the decision that this one took back."""

    id: int
    case_id: int
    verdict: Verdict
    rule_code: str
    rule_version: int
    rule_title: str
    reason: str
    moderator: Person | None
    state_before: PostState
    state_after: PostState
    undoes_id: int | None
    undone_by_id: int | None
    at: datetime
    statement_reference: str | None = None
    # Whether this reader may take it back now.
    may_undo: bool = False


@dataclass(frozen=True)
class Standing:
    """What a moderator should know of the author before deciding."""

    author: Person
    member_since: datetime
    approved_count: int
    upheld_report_count: int
    restricted_count: int
    waiting_count: int


@dataclass(frozen=True)
class CaseRow:
    """One row of the queue. `is_claimed` means a live claim; `is_mine` that it is this moderator's."""

    id: int
    state: CaseState
    priority: Priority
    due_at: datetime
    is_overdue: bool
    opened_at: datetime
    version: int
    post_id: int
    thread_id: int
    thread_kind: ThreadKind
    thread_slug: str
    title: str
    post_kind: PostKind
    post_state: PostState
    # An edit of a text that readers see already.
    is_edit: bool
    excerpt: str
    board_slug: str
    board_name: str
    author: Person
    kinds: tuple[str, ...]
    report_count: int
    claimed_by: Person | None
    claimed_until: datetime | None
    is_claimed: bool
    is_mine: bool
    # False where this moderator is part of it (reporter, or posted in the thread).
    may_decide: bool


@dataclass(frozen=True)
class RuleChoice:
    code: str
    title: str
    version: int
    body: str


@dataclass(frozen=True)
class SimilarDecision:
    """A decision about another post with the same kinds of findings or the same rule reported."""

    case_id: int
    verdict: Verdict
    rule_code: str
    reason: str
    excerpt: str
    at: datetime


@dataclass(frozen=True)
class CasePage:
    """Everything that one decision needs. `row` is the same as in the queue."""

    row: CaseRow
    # Title + blank line + body (the body alone where there is no title), as typed, and cut into marked stretches.
    text: str
    title_segments: tuple[Segment, ...]
    body_segments: tuple[Segment, ...]
    html: str
    # What readers see now, where the case is about an edit of it.
    live_text: str | None
    revision_number: int
    written_at: datetime
    findings: tuple[FindingView, ...]
    reports: tuple[ReportView, ...]
    standing: Standing
    history: tuple[DecisionView, ...]
    similar: tuple[SimilarDecision, ...]
    allowed_verdicts: tuple[Verdict, ...]
    rules: tuple[RuleChoice, ...]


@dataclass(frozen=True)
class StatementLine:
    """One ready sentence (or few) of the statement, under a stable key such as "restriction", "quote" or "redress"."""

    key: str
    text: str


@dataclass(frozen=True)
class StatementPage:
    """The permanent page of one statement of reasons. `lines` stand in the order in which they are shown."""

    reference: str
    decision_id: int
    verdict: Verdict
    restriction: str
    rule_code: str
    rule_version: int
    rule_title: str
    rule_body: str
    lines: tuple[StatementLine, ...]
    decided_at: datetime
    created_at: datetime
    post_id: int | None
    post_state: PostState | None
    # The decision has been taken back since.
    is_undone: bool
    # The help lines stand first on a page about a crisis.
    is_crisis: bool


@dataclass(frozen=True)
class ReportPage:
    """What whoever holds the reference may read. Nothing of the author, nothing of the moderator."""

    reference: str
    status: ReportStatus
    rule_code: str
    rule_title: str
    outcome: str
    created_at: datetime
    decided_at: datetime | None
    answer_by: datetime | None
    post_id: int


@dataclass(frozen=True)
class HeldPost:
    """One waiting text of the reader's own; `held` says why, the place in line and the expected wait."""

    post_id: int
    thread_id: int
    thread_slug: str
    thread_kind: ThreadKind
    post_kind: PostKind
    title: str
    excerpt: str
    state: PostState
    is_edit: bool
    version: int
    waiting_since: datetime
    held: HeldStatus


@dataclass(frozen=True)
class MyDecision:
    """One decision about the reader's own post."""

    reference: str
    verdict: Verdict
    restriction: str
    rule_code: str
    rule_title: str
    post_id: int
    title: str
    decided_at: datetime
    is_undone: bool
