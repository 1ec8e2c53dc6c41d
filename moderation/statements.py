"""The statement of reasons: for every restriction, what was done, why, and what its author can do now.

Each part is a ready sentence, stored as it was sent. Source: DSA Art. 17(3); docs/moderation.md, statements.
"""

import calendar
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from auth.models import Member
from content.models import RuleText
from core.config import Settings
from core.vocabulary import PostKind, PostState, Verdict
from forum.models import Post, Thread
from moderation import help_lines
from moderation.models import Case, Decision, Finding, Report, Statement
from moderation.signals import crisis, rulebook

QUOTE_CHARS = 300
OBJECT_MONTHS = 6  # Source: DSA Art. 20(1), six months from the day on which the person was informed
REFERENCE_BYTES = 16

# The order in which the parts are shown: support first where a crisis is near, then the facts, then the ways out.
PARTS = (
    "support",
    "restriction",
    "scope",
    "duration",
    "quote",
    "facts",
    "source",
    "automation",
    "ground",
    "options",
    "redress",
    "other_routes",
)


@dataclass(frozen=True)
class Kind:
    """What one restriction is called, and what it means for the author. {what} is "question", "answer" …"""

    restriction: str
    done: str
    duration: str
    options: str


# Restriction word -> its texts. A held edit has words of its own, because the earlier text stays public.
KINDS = {
    "rejected": Kind(
        "rejected",
        "We did not publish your {what}{named}. Nobody but you and our team can read it.",
        "This has no end date. It changes only if we take the decision back.",
        "Your text is kept and you can read it. You can write a new {what} that keeps to the rule.",
    ),
    "edit_rejected": Kind(
        "edit_rejected",
        "We did not publish your change of your {what}{named}. The text that stood there before stays.",
        "This has no end date. It changes only if we take the decision back.",
        "Nothing needs to be done. You can also edit your {what} again.",
    ),
    "changes_requested": Kind(
        "changes_requested",
        "We ask you to change your {what}{named} before it appears. Until then only you and our team can read it.",
        "This lasts until you have sent a new text and a person has read it.",
        "Edit your {what} and send it again; it keeps its place, and nothing of it is lost. You can also withdraw it.",
    ),
    "edit_changes_requested": Kind(
        "edit_changes_requested",
        "We ask you to look again at your change of your {what}{named}. The text that stood there before stays.",
        "This lasts until you have sent a new text and a person has read it.",
        "Edit your {what} and send it again, or leave it as it was before.",
    ),
    "hidden": Kind(
        "hidden",
        "We have hidden your {what}{named}. Others see that something stood there, but not your text.",
        "This has no end date. We can show it again if we take the decision back.",
        "Your text is kept and you can read it. You can withdraw it, or write a new one that keeps to the rule.",
    ),
    "removed": Kind(
        "removed",
        "We have removed your {what}{named}. Others see that something stood there, but not your text.",
        "This has no end date. It changes only if we take the decision back.",
        "Your text is kept and you can read it. You can write a new one that keeps to the rule.",
    ),
    "held_again": Kind(
        "held_again",
        "We took back our decision to publish your {what}{named}. It waits again, and others cannot read it.",
        "This lasts until a person has decided again.",
        "Nothing needs to be done. You can edit your text or withdraw it while it waits.",
    ),
    "edit_held_again": Kind(
        "edit_held_again",
        "We took back our decision to publish your change of your {what}{named}. The text from before stands there.",
        "This lasts until a person has decided again.",
        "Nothing needs to be done. You can edit your text again while it waits.",
    ),
}

WHAT = {PostKind.ANSWER: "answer", PostKind.COMMENT: "comment"}
SCOPE = "This holds everywhere on this site, in every country."
OTHER_ROUTES = (
    "If we do not agree in the end, you can turn to a certified body that settles such disputes out of court, "
    "to the regulator for online services in your country, or to a court."
)


def restriction_of(verdict: Verdict, *, is_edit: bool) -> str | None:
    """The stable word for what a decision takes from the author; None where it takes nothing."""
    words = {
        Verdict.REJECT: "edit_rejected" if is_edit else "rejected",
        Verdict.REQUEST_CHANGES: "edit_changes_requested" if is_edit else "changes_requested",
        Verdict.HIDE: "hidden",
        Verdict.REMOVE: "removed",
    }
    return words.get(verdict)


def restriction_by_undo(undone: Verdict, after: PostState, *, is_edit: bool) -> str | None:
    """An undo restricts where it takes back a publication (of a post or an edit) or a restoration."""
    if undone is Verdict.APPROVE:
        return "edit_held_again" if is_edit else "held_again"
    if undone is Verdict.RESTORE:
        return {PostState.HIDDEN: "hidden", PostState.REMOVED: "removed"}.get(after)
    return None


def write(
    session: Session,
    decision: Decision,
    *,
    case: Case,
    restriction: str,
    settings: Settings,
    now: datetime,
) -> Statement:
    """Store the statement of a decision. Four queries; the sentences hold nothing about reporters."""
    post, thread = session.execute(
        select(Post, Thread).join(Thread, Thread.id == Post.thread_id).where(Post.id == case.post_id)
    ).one()
    findings = _findings(session, case, decision)
    reports = session.execute(select(func.count(Report.id)).where(Report.case_id == case.id)).scalar_one()
    reference_word = new_reference()
    texts = _sentences(
        session,
        decision,
        post=post,
        thread=thread,
        restriction=restriction,
        findings=findings,
        was_reported=reports > 0,
        reference_word=reference_word,
        settings=settings,
        now=now,
    )
    statement = Statement(
        reference=reference_word,
        decision_id=decision.id,
        member_id=post.author_id,
        restriction=restriction,
        content={key: texts[key] for key in PARTS if texts.get(key)},
        created_at=now,
    )
    session.add(statement)
    session.flush()  # the door answers with it
    return statement


def new_reference() -> str:
    """128 random bits: whoever holds it may read what it names."""
    return secrets.token_hex(REFERENCE_BYTES)


def _findings(session: Session, case: Case, decision: Decision) -> Sequence[Finding]:
    stmt = select(Finding).where(Finding.case_id == case.id, Finding.revision_id == decision.revision_id)
    return session.execute(stmt.order_by(Finding.id)).scalars().all()


def _sentences(
    session: Session,
    decision: Decision,
    *,
    post: Post,
    thread: Thread,
    restriction: str,
    findings: Sequence[Finding],
    was_reported: bool,
    reference_word: str,
    settings: Settings,
    now: datetime,
) -> dict[str, str]:
    kind = KINDS[restriction]
    what = WHAT.get(post.kind, thread.kind.value)
    named = f' "{thread.title}"' if post.kind is PostKind.OPENING else f' in the thread "{thread.title}"'
    title = session.execute(
        select(RuleText.title).where(RuleText.code == decision.rule_code, RuleText.version == decision.rule_version)
    ).scalar_one()
    held = any(finding.holds for finding in findings)
    return {
        "support": _support(session, post.author_id, findings, settings=settings, now=now),
        "restriction": kind.done.format(what=what, named=named),
        "scope": SCOPE,
        "duration": kind.duration,
        "quote": quote(decision.text_judged, findings),
        "facts": decision.reason,
        "source": _source(was_reported=was_reported, held=held),
        "automation": _automation(findings, held=held),
        "ground": f"This is about our rule {decision.rule_code}, version {decision.rule_version}: {title}.",
        "options": kind.options.format(what=what),
        "redress": (
            f"If you think that we are wrong, you can object until {deadline(now):%-d %B %Y}. It costs nothing. Write "
            f"to us by the contact page and name the reference {reference_word}. Somebody who had no part in this "
            "decision reads it and answers you with reasons."
        ),
        "other_routes": OTHER_ROUTES,
    }


def _support(
    session: Session, author_id: int, findings: Sequence[Finding], *, settings: Settings, now: datetime
) -> str:
    kinds = {finding.kind for finding in findings} & crisis.KINDS
    if not kinds:
        return ""
    country = session.execute(select(Member.country).where(Member.id == author_id)).scalar() or settings.country
    lines = help_lines.of(session, country, now=now)
    named = "; ".join(f"{line.name}: {line.phone or line.url}" for line in lines.resources)
    kind = crisis.PLAN if crisis.PLAN in kinds else crisis.THOUGHTS
    message = rulebook.shipped()[crisis.RULES].data["kinds"][kind]["after_decision"]
    return f"{message.format(emergency=lines.emergency)} {named}"


def quote(text: str, findings: Sequence[Finding]) -> str:
    """The words concerned, at most 300 characters: around the first marked span, else from the beginning."""
    spans = [(f.start, f.end) for f in findings if f.start is not None and f.end is not None]
    if len(text) <= QUOTE_CHARS:
        return text
    start, end = spans[0] if spans else (0, 0)
    first = max(0, min(start, end - QUOTE_CHARS // 2, len(text) - QUOTE_CHARS + 2))
    cut = text[first : first + QUOTE_CHARS - 2]
    return f"{'…' if first else ''}{cut}{'…' if first + QUOTE_CHARS - 2 < len(text) else ''}"


def _source(*, was_reported: bool, held: bool) -> str:
    if was_reported:
        return "A member reported it to us. We do not say who reports something."
    if held:
        return "It came up in our own check before publication."
    return "It came up in our own check."


def _automation(findings: Sequence[Finding], *, held: bool) -> str:
    if held:
        return "An automatic rule held the text back. A person read it and decided."
    if findings:
        return "An automatic rule pointed us to it. A person read it and decided."
    return "No automatic tool was used. People found it and decided."


def deadline(informed_at: datetime) -> datetime:
    """Six calendar months later, at the end of a shorter month where it must be."""
    month = informed_at.month - 1 + OBJECT_MONTHS
    year, month = informed_at.year + month // 12, month % 12 + 1
    day = min(informed_at.day, calendar.monthrange(year, month)[1])
    return informed_at.replace(year=year, month=month, day=day)
