"""What people type into the pages of moderation, read and not judged: the rules refuse, and the text comes back."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlencode

from werkzeug.datastructures import MultiDict

from core.errors import AppError
from core.vocabulary import AppealOutcome, CaseState, Priority, Verdict
from moderation import appeal_queries, modlog

Form = MultiDict[str, str]
Choice = TypeVar("Choice", bound=StrEnum)

# Where a decision leads: to the next case, or back to the queue.
NEXT = "next"


@dataclass(frozen=True)
class DecisionForm:
    """A decision as it was sent. `version` is None where it is missing or no number."""

    version: int | None = None
    verdict: str = ""
    rule: str = ""
    reason: str = ""
    then: str = ""
    # Of redact: the stretches that were ticked, each "start-end", and words typed one a line.
    spans: tuple[str, ...] = ()
    words: str = ""
    label_text: str = ""
    label_reference: str = ""
    until: str = ""
    duplicate_of: str = ""
    severe: bool = False
    # Field name -> what is wrong with it; "" for the form as a whole.
    errors: dict[str, str] = field(default_factory=dict)

    def given(self) -> dict[str, Any]:
        """What comes with the verdict, as `decisions.decide` takes it; an empty field is left out."""
        spans = [[_number(edge) for edge in span.split("-", 1)] for span in self.spans]
        label = {"text": self.label_text, "reference": self.label_reference}
        return {
            "redactions": [{"start": span[0], "end": span[-1]} for span in spans] or None,
            "words": [line for line in self.words.splitlines() if line.strip()] or None,
            "label": label if any(label.values()) else None,
            "until": self.until or None,
            "duplicate_of": (_number(self.duplicate_of) or 0) if self.duplicate_of else None,
            "severe": self.severe,
        }


@dataclass(frozen=True)
class DeskForm:
    """What was typed beside a case: a reason to skip it, a note, or to whom it should go."""

    skip: str = ""
    note: str = ""
    handle: str = ""
    errors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ReportForm:
    rule: str = ""
    note: str = ""
    errors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class AppealForm:
    """An objection as it was sent."""

    grounds: str = ""
    errors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class AnswerForm:
    """The answer to an objection as it was sent."""

    outcome: str = ""
    reasons: str = ""
    errors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class AppealFilter:
    """The part of the objections that is shown: those that wait, or those answered."""

    state: str = appeal_queries.OPEN
    role: str | None = None
    outcome: AppealOutcome | None = None
    after: str | None = None

    @property
    def is_set(self) -> bool:
        return bool(self.role or self.outcome)

    def url(self, after: str | None = None) -> str:
        """The address of the same part of the list, from `after` on."""
        values = {
            "state": self.state if self.state != appeal_queries.OPEN else None,
            "role": self.role,
            "outcome": self.outcome,
        }
        query = urlencode({name: value for name, value in (values | {"after": after}).items() if value})
        return f"/moderation/appeals/?{query}" if query else "/moderation/appeals/"


@dataclass(frozen=True)
class QueueFilter:
    """The part of the queue that is shown. `state` None: whatever waits for a person."""

    state: CaseState | None = None
    board: str | None = None
    kind: str | None = None
    priority: Priority | None = None
    # Given to this moderator by a lead; past the time by which a person should have looked.
    assigned: bool = False
    late: bool = False
    after: str | None = None

    @property
    def is_set(self) -> bool:
        return bool(self.board or self.kind or self.priority or self.assigned or self.late)

    @property
    def values(self) -> dict[str, str]:
        """What is chosen, as it stands in an address."""
        chosen = {"state": self.state, "board": self.board, "kind": self.kind, "priority": self.priority}
        switches = {"assigned": "me" if self.assigned else None, "late": "1" if self.late else None}
        return {name: str(value) for name, value in (chosen | switches).items() if value}

    @property
    def query(self) -> str:
        return urlencode(self.values)

    def url(self, after: str | None = None) -> str:
        """The address of the same part of the queue, from `after` on."""
        query = urlencode(self.values | ({"after": after} if after else {}))
        return f"/moderation/?{query}" if query else "/moderation/"


@dataclass(frozen=True)
class LogFilter:
    """The part of the public log that is shown."""

    rule: str | None = None
    verdict: Verdict | None = None
    board: str | None = None
    month: str | None = None
    after: str | None = None

    @property
    def is_set(self) -> bool:
        return bool(self.rule or self.verdict or self.board or self.month)

    def url(self, after: str | None = None) -> str:
        """The address of the same part of the log, from `after` on."""
        values = {"rule": self.rule, "verdict": self.verdict, "board": self.board, "month": self.month}
        query = urlencode({name: value for name, value in (values | {"after": after}).items() if value})
        return f"/modlog?{query}" if query else "/modlog"


def read_decision(form: Form, error: AppError | None = None) -> DecisionForm:
    return DecisionForm(
        version=_number(form.get("version", "")),
        verdict=form.get("verdict", ""),
        rule=form.get("rule", ""),
        reason=form.get("reason", ""),
        then=form.get("then", ""),
        spans=tuple(form.getlist("redactions")),
        words=form.get("words", ""),
        label_text=form.get("label.text", ""),
        label_reference=form.get("label.reference", "").strip(),
        until=form.get("until", "").strip(),
        duplicate_of=form.get("duplicate_of", "").strip(),
        severe=bool(form.get("severe")),
        errors=by_field(error),
    )


def read_report(form: Form, error: AppError | None = None) -> ReportForm:
    return ReportForm(rule=form.get("rule", ""), note=form.get("note", ""), errors=by_field(error))


def read_appeal(form: Form, error: AppError | None = None) -> AppealForm:
    return AppealForm(grounds=form.get("grounds", ""), errors=by_field(error))


def read_answer(form: Form, error: AppError | None = None) -> AnswerForm:
    return AnswerForm(outcome=form.get("outcome", ""), reasons=form.get("reasons", ""), errors=by_field(error))


def read_appeal_filter(args: Form) -> AppealFilter:
    """Unknown values count as none."""
    state, role = args.get("state", ""), args.get("role", "")
    return AppealFilter(
        state=state if state in appeal_queries.STATES else appeal_queries.OPEN,
        role=role if role in (appeal_queries.AUTHOR, appeal_queries.REPORTER) else None,
        outcome=_choice(AppealOutcome, args.get("outcome", "")),
        after=args.get("after") or None,
    )


def read_filter(args: Form) -> QueueFilter:
    """Unknown values count as none: an old bookmark still opens the queue."""
    return QueueFilter(
        state=_choice(CaseState, args.get("state", "")),
        board=args.get("board", "")[:120] or None,
        kind=args.get("kind", "")[:32] or None,
        priority=_choice(Priority, args.get("priority", "")),
        assigned=args.get("assigned") == "me",
        late=args.get("late") == "1",
        after=args.get("after") or None,
    )


def read_log_filter(args: Form) -> LogFilter:
    """As above: unknown values count as none."""
    month = args.get("month", "")
    return LogFilter(
        rule=args.get("rule", "")[:32] or None,
        verdict=_choice(Verdict, args.get("verdict", "")),
        board=args.get("board", "")[:120] or None,
        month=month if modlog.is_month(month) else None,
        after=args.get("after") or None,
    )


def by_field(error: AppError | None) -> dict[str, str]:
    """What a rule refused, for the fields of the form that comes back."""
    if error is None:
        return {}
    return dict(error.errors) or {"": error.detail}


def _choice(kind: type[Choice], sent: str) -> Choice | None:
    return kind(sent) if sent in [one.value for one in kind] else None


def _number(sent: str) -> int | None:
    return int(sent) if sent.isascii() and sent.isdigit() and len(sent) < 10 else None
