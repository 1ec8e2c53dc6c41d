"""The statement of reasons: for every restriction, what was done, why, and what its author can do now.

Each part is a ready sentence, stored as it was sent, and beside it the form for the Transparency Database, which holds
nothing personal. Source: DSA Art. 17(3); docs/moderation.md, statements.
"""

import calendar
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from auth.models import Member
from content.models import RuleText
from core.config import Settings
from core.vocabulary import PostKind, PostState, SanctionKind, Verdict
from forum import labels, redaction
from forum.models import Post, Revision, Thread
from moderation import help_lines, rules, sanctions, transparency
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
    "sanction",
    "quote",
    "label",
    "facts",
    "misuse",
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
    "shielded": Kind(
        "shielded",
        "We limited who sees your {what}{named}: members who are signed in can read it and answer, others cannot.",
        "This has no end date. A person of our team looks at it and can show it to everybody again.",
        "Your text is kept. You can edit it or withdraw it at any time.",
    ),
    "redacted": Kind(
        "redacted",
        "We took some words out of your {what}{named}. The rest stands as you wrote it.",
        "This has no end date. It changes only if we take the decision back.",
        "Nothing needs to be done. You can edit your {what}; please leave these words out.",
    ),
    "labelled": Kind(
        "labelled",
        "We put a note of caution beside your {what}{named}, with a link to what is known. Your text stands unchanged.",
        "This has no end date. It changes only if we take the decision back.",
        "Nothing needs to be done. You can edit your {what}, for example to say where something comes from.",
    ),
    "locked": Kind(
        "locked",
        "We closed your thread{named} to new posts. Everything that stands there can still be read.",
        "This lasts until we open the thread again.",
        "Nothing needs to be done. You can start a new thread that keeps to the rule.",
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
PARAGRAPH = "\n\n"
# Where only a publication was taken back.
NO_BREACH = "We do not say that it breaks a rule. We read it again before others see it."
OTHER_ROUTES = (
    "If we do not agree in the end, you can turn to a certified body that settles such disputes out of court, "
    "to the regulator for online services in your country, or to a court."
)


def restriction_of(verdict: Verdict, *, is_edit: bool, sanction: Mapping[str, Any] | None = None) -> str | None:
    """The stable word for what a decision takes from the author; None where it takes nothing.

    Where it only lays a sanction on a member, the word is the sanction's kind.
    """
    words = {
        Verdict.REJECT: "edit_rejected" if is_edit else "rejected",
        Verdict.REQUEST_CHANGES: "edit_changes_requested" if is_edit else "changes_requested",
        Verdict.REDACT: "redacted",
        Verdict.LABEL: "labelled",
        Verdict.SHIELD: "shielded",
        Verdict.HIDE: "hidden",
        Verdict.REMOVE: "removed",
        Verdict.LOCK: "locked",
    }
    if verdict is Verdict.SANCTION and sanction:
        return str(sanction["kind"])
    return words.get(verdict)


def restriction_by_undo(undone: Verdict, after: PostState | None, *, is_edit: bool) -> str | None:
    """An undo restricts where it takes back a publication (of a post or an edit) or a restoration."""
    if undone in (Verdict.APPROVE, Verdict.REDACT, Verdict.LABEL):
        if is_edit:
            return "edit_held_again"
        back = {PostState.HELD: "held_again", PostState.SHIELDED: "shielded"}
        return back.get(after) if after is not None else None
    if undone is Verdict.RESTORE and after is not None:
        back = {PostState.HIDDEN: "hidden", PostState.REMOVED: "removed", PostState.SHIELDED: "shielded"}
        return back.get(after)
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
    """Store the statement of a decision with its export. Six queries; nothing in it says who reported."""
    assert case.author_id is not None  # posts have authors; a case about a member names them
    subject = None
    if case.post_id is not None:
        subject = session.execute(
            select(Post, Thread).join(Thread, Thread.id == Post.thread_id).where(Post.id == case.post_id)
        ).one()
    spec = decision.terms.get("sanction")
    about = _About(
        decision=decision,
        post=subject.Post if subject else None,
        thread=subject.Thread if subject else None,
        member_id=case.author_id,
        restriction=restriction,
        findings=_findings(session, case, decision),
        reports=session.execute(select(func.count(Report.id)).where(Report.case_id == case.id)).scalar_one(),
        rule=session.execute(
            select(RuleText).where(RuleText.code == decision.rule_code, RuleText.version == decision.rule_version)
        ).scalar_one(),
        sanction=sanctions.read(session, spec, member_id=case.author_id, now=now) if spec else None,
        reference=new_reference(),
        now=now,
    )
    texts = _sentences(session, about, settings=settings)
    statement = Statement(
        reference=about.reference,
        decision_id=decision.id,
        member_id=about.member_id,
        restriction=restriction,
        content={key: texts[key] for key in PARTS if texts.get(key)},
        export=_export(session, about, settings=settings),
        created_at=now,
    )
    session.add(statement)
    session.flush()  # the door answers with it
    return statement


@dataclass(frozen=True)
class _About:
    """Every fact that a statement is written from."""

    decision: Decision
    # None for a decision about a member.
    post: Post | None
    thread: Thread | None
    member_id: int
    restriction: str
    findings: Sequence[Finding]
    reports: int
    rule: RuleText
    sanction: sanctions.Terms | None
    reference: str
    now: datetime

    @property
    def held(self) -> bool:
        return any(finding.holds for finding in self.findings)

    @property
    def by_system(self) -> bool:
        return self.decision.moderator_id is None

    @property
    def until(self) -> datetime | None:
        end = self.decision.terms.get("until")
        return datetime.fromisoformat(end) if end else None

    @property
    def kind(self) -> SanctionKind | None:
        return self.sanction.kind if self.sanction else None


def new_reference() -> str:
    """128 random bits: whoever holds it may read what it names."""
    return secrets.token_hex(REFERENCE_BYTES)


def _findings(session: Session, case: Case, decision: Decision) -> Sequence[Finding]:
    stmt = select(Finding).where(Finding.case_id == case.id, Finding.revision_id == decision.revision_id)
    return session.execute(stmt.order_by(Finding.id)).scalars().all()


def _sentences(session: Session, about: _About, *, settings: Settings) -> dict[str, str]:
    decision, rule = about.decision, about.rule
    said = {
        "support": _support(session, about.member_id, about.findings, settings=settings, now=about.now),
        "scope": SCOPE,
        "facts": _facts(about),
        "source": _source(was_reported=about.reports > 0, held=about.held),
        "automation": _automation(about),
        "ground": _ground(decision, rule),
        "redress": (
            f"If you think that we are wrong, you can object until {deadline(about.now):%-d %B %Y}. It costs nothing. "
            f"Use the button on this page, at {settings.base_url}/decisions/{about.reference}; you need not sign in. "
            "Somebody who had no part in this decision reads it and answers you with reasons."
        ),
        "other_routes": OTHER_ROUTES,
    }
    said |= _about_post(about, settings=settings)
    if about.sanction is not None:
        said = _with_sanction(about, said)
    return said


def _ground(decision: Decision, rule: RuleText) -> str:
    if decision.rule_code == rules.NONE:
        return NO_BREACH
    named = f"This is about our rule {decision.rule_code}, version {decision.rule_version}: {rule.title}."
    # What the rule says, as it was in force; the examples that follow stand at /rules.
    return f"{named} {rule.body.split(PARAGRAPH)[0].strip()}".strip()


def _about_post(about: _About, *, settings: Settings) -> dict[str, str]:
    post, thread, decision = about.post, about.thread, about.decision
    if post is None or thread is None:
        return {}
    kind = KINDS[about.restriction]
    what = WHAT.get(post.kind, thread.kind.value)
    named = f' "{thread.title}"' if post.kind is PostKind.OPENING else f' in the thread "{thread.title}"'
    options = kind.options.format(what=what)
    duplicate = decision.terms.get("duplicate_of")
    if duplicate:
        options = f"{options} The same is talked about here: {settings.base_url}/threads/{duplicate}"
    said = {
        "restriction": kind.done.format(what=what, named=named),
        "duration": f"It ends by itself on {about.until:%-d %B %Y, %H:%M} UTC." if about.until else kind.duration,
        "quote": _quote(about),
        "options": options,
    }
    label = decision.terms.get("label")
    if label and about.restriction == "labelled":
        said["label"] = f"{label['text']} {settings.base_url}{labels.view(**_named(label)).url}"
    return said


def _named(label: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(label[name]) for name in ("text", "reference")}


def _quote(about: _About) -> str:
    """The words concerned. What was taken out is shown by what stands there now: nothing keeps it but the team."""
    decision = about.decision
    if about.restriction == "locked":
        return ""
    spans = [(span["start"], span["end"]) for span in decision.terms.get("redactions", ())]
    if not spans:
        return quote(decision.text_judged, about.findings)
    text, first = decision.text_judged, 0
    for start, end in reversed(redaction.merged(spans)):
        text, first = text[:start] + redaction.REPLACEMENT + text[end:], start
    text = redaction.without(text, [decision.text_judged[a:b] for a, b in spans if b - a >= redaction.FREE_CHARS])
    return quote_at(text, first, first + len(redaction.REPLACEMENT))


def _facts(about: _About) -> str:
    """The moderator's words, without the words that were taken out."""
    spans = about.decision.terms.get("redactions", ())
    words = [about.decision.text_judged[span["start"] : span["end"]] for span in spans]
    return redaction.without(about.decision.reason, [w for w in words if len(w.strip()) >= redaction.FREE_CHARS])


def _with_sanction(about: _About, said: dict[str, str]) -> dict[str, str]:
    """What is laid on the member: the whole statement of a case about them, a part of its own beside a text."""
    assert about.sanction is not None  # asked for
    words = sanctions.sentences(about.sanction)
    if about.post is None:
        return said | {k: words[k] for k in ("restriction", "scope", "duration", "options")} | _misuse(words)
    said["sanction"] = f"{words['restriction']} {words['scope']} {words['duration']}"
    said["options"] = f"{said['options']} {words['options']}"
    return said | _misuse(words)


def _misuse(words: Mapping[str, str]) -> dict[str, str]:
    return {"misuse": words["facts"]} if "facts" in words else {}


def _export(session: Session, about: _About, *, settings: Settings) -> dict[str, Any]:
    """The same for the Transparency Database: from rule, kind and figures, from nothing that anybody typed."""
    written = None
    if about.decision.revision_id is not None:
        written = session.execute(select(Revision.created_at).where(Revision.id == about.decision.revision_id)).scalar()
    return transparency.payload(
        transparency.Facts(
            puid=new_reference(),
            verdict=about.decision.verdict,
            restriction=about.restriction if about.post is not None else None,
            sanction=about.kind,
            rule_code=about.decision.rule_code,
            rule_version=about.decision.rule_version,
            rule_title=about.rule.title,
            is_breach=about.decision.rule_code != rules.NONE,
            category=about.rule.dsa_category or transparency.NO_CATEGORY,
            keywords=tuple(about.rule.dsa_keywords or ()),
            language=about.post.language if about.post else "en",
            content_on=(written or about.decision.at).date(),
            decided_at=about.now,
            was_reported=about.reports > 0,
            was_detected=about.decision.automated_detection or about.by_system,
            was_held=about.held,
            by_system=about.by_system,
            two_people=about.decision.needs_second,
            until=about.until,
            sanction_until=about.sanction.until if about.sanction else None,
            rules_url=f"{settings.base_url}/rules"[:500],
        )
    )


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
    return quote_at(text, *(spans[0] if spans else (0, 0)))


def quote_at(text: str, start: int, end: int) -> str:
    """At most 300 characters of a text, around this stretch."""
    if len(text) <= QUOTE_CHARS:
        return text
    first = max(0, min(start, end - QUOTE_CHARS // 2, len(text) - QUOTE_CHARS + 2))
    cut = text[first : first + QUOTE_CHARS - 2]
    return f"{'…' if first else ''}{cut}{'…' if first + QUOTE_CHARS - 2 < len(text) else ''}"


def _source(*, was_reported: bool, held: bool) -> str:
    if was_reported:
        return "A member reported it to us. We do not say who reports something."
    if held:
        return "It came up in our own check before publication."
    return "It came up in our own check."


def _automation(about: _About) -> str:
    if about.by_system:
        return "A rule of this site decided so by itself, for the time being. A person reads it next."
    read = "Two persons read it and agreed." if about.decision.needs_second else "A person read it and decided."
    if about.held:
        return f"An automatic rule held the text back. {read}"
    if about.findings:
        return f"An automatic rule pointed us to it. {read}"
    return f"No automatic tool was used. {read}"


def deadline(informed_at: datetime) -> datetime:
    """Six calendar months later, at the end of a shorter month where it must be."""
    month = informed_at.month - 1 + OBJECT_MONTHS
    year, month = informed_at.year + month // 12, month % 12 + 1
    day = min(informed_at.day, calendar.monthrange(year, month)[1])
    return informed_at.replace(year=year, month=month, day=day)


def exports(
    session: Session, *, since: datetime | None = None, until: datetime | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """(statement id, export form) of every statement, oldest first; `since` and `until` are the first and last day."""
    stmt = select(Statement.id, Statement.export).order_by(Statement.id)
    if since is not None:
        stmt = stmt.where(Statement.created_at >= since)
    if until is not None:
        stmt = stmt.where(Statement.created_at < until + timedelta(days=1))
    for statement_id, export in session.execute(stmt.execution_options(yield_per=500)):
        if export:
            yield statement_id, export
