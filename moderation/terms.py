"""What comes with a verdict: the words to take out, the label, an end, a sanction, where the same was asked before.

Read and checked once, when the decision is made; stored in `Decision.terms`, so that a second person confirms the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeGuard

from sqlalchemy import select
from sqlalchemy.orm import Session

from auth.policy import Actor, Subject
from core.errors import Invalid
from core.vocabulary import PostState, Verdict
from forum import labels, redaction
from forum.models import Thread
from moderation import sanctions
from moderation.models import Case
from moderation.rulings import Situation, situation_of

MOST_REDACTIONS = 100
MOST_DAYS = 365
LIMITED = frozenset({Verdict.HIDE, Verdict.SHIELD})
DUPLICATES = frozenset({Verdict.REJECT, Verdict.HIDE, Verdict.REMOVE})
# A sanction comes with what finds something against the text, or stands alone.
SANCTIONING = frozenset(
    {
        Verdict.REJECT,
        Verdict.REDACT,
        Verdict.LABEL,
        Verdict.SHIELD,
        Verdict.HIDE,
        Verdict.REMOVE,
        Verdict.SANCTION,
    }
)


@dataclass(frozen=True)
class Given:
    """As it was sent, nothing checked. `words`: words to take out, typed instead of marked."""

    redactions: Sequence[Mapping[str, Any]] | None = None
    words: Sequence[str] | None = None
    label: Mapping[str, Any] | None = None
    until: datetime | str | None = None
    sanction: Mapping[str, Any] | None = None
    duplicate_of: int | None = None


def read(
    session: Session, situation: Situation, verdict: Verdict, given: Given, *, by: Actor, now: datetime
) -> dict[str, Any]:
    """What is stored with the decision: checked, and JSON alone. Raises Invalid naming every wrong field."""
    errors: list[tuple[str, str]] = []
    stored: dict[str, Any] = {}
    _refuse_strangers(verdict, given, errors)
    if verdict is Verdict.REDACT:
        spans = _spans(situation, given, errors)
        stored["redactions"] = [{"start": start, "end": end} for start, end in spans]
    if verdict is Verdict.LABEL:
        stored["label"] = _label(session, given.label, errors)
    if given.until not in (None, "") and verdict in LIMITED:
        end = _instant(given.until)
        if end is None or not now < end <= now + timedelta(days=MOST_DAYS):
            errors.append(("until", f"An instant from now to {MOST_DAYS} days ahead."))
        else:
            stored["until"] = end.isoformat()
    if given.duplicate_of is not None and verdict in DUPLICATES:
        stored["duplicate_of"] = _thread(session, situation, given.duplicate_of, errors)
    if errors:
        raise Invalid("invalid-field", "The decision cannot be recorded like this.", errors=errors)
    if given.sanction:
        author_id = situation.case.author_id
        assert author_id is not None  # posts have authors; a case about a member names them
        checked = sanctions.check_spec(session, given.sanction, member_id=author_id, by=by, now=now)
        stored["sanction"] = dict(given.sanction)
        if checked.until is not None:
            # The end counts from the decision, however long the second person takes.
            stored["sanction"] = {k: v for k, v in given.sanction.items() if k != "days"}
            stored["sanction"]["until"] = checked.until.isoformat()
    elif verdict is Verdict.SANCTION:
        raise Invalid("invalid-field", "Choose a sanction.", errors=[("sanction.kind", "Choose a sanction.")])
    if situation.is_edit and verdict in (Verdict.REDACT, Verdict.LABEL):
        stored["is_edit"] = True
    return stored


def named(
    session: Session, case_id: int, redactions: Sequence[Mapping[str, Any]] | None, words: Sequence[str] | None
) -> list[str]:
    """The words that are to be taken out, unchecked and before anything is locked: to know what to lock."""
    case = session.get(Case, case_id)
    if case is None or case.post_id is None or not (redactions or words):
        return []
    text = situation_of(session, case, Subject()).text
    found = [str(one) for one in words or ()][: MOST_REDACTIONS + 1]
    for one in list(redactions or ())[: MOST_REDACTIONS + 1]:
        start: Any = one.get("start") if isinstance(one, Mapping) else None
        end: Any = one.get("end") if isinstance(one, Mapping) else None
        if _is_number(start) and _is_number(end) and 0 <= start < end:
            found.append(text[start:end])
    return found


def _refuse_strangers(verdict: Verdict, given: Given, errors: list[tuple[str, str]]) -> None:
    """A field of another verdict is a mistake of whoever sent it, not something to leave out in silence."""
    fits = {
        "redactions": (given.redactions, frozenset({Verdict.REDACT})),
        "words": (given.words, frozenset({Verdict.REDACT})),
        "label": (given.label, frozenset({Verdict.LABEL})),
        "until": (given.until, LIMITED),
        "sanction": (given.sanction, SANCTIONING),
        "duplicate_of": (given.duplicate_of, DUPLICATES),
    }
    for name, (value, verdicts) in fits.items():
        if value and verdict not in verdicts:
            known = ", ".join(sorted(v.value for v in verdicts))
            errors.append((name, f"This belongs to another verdict: {known}."))


def _spans(situation: Situation, given: Given, errors: list[tuple[str, str]]) -> list[tuple[int, int]]:
    text = situation.text
    found: list[tuple[int, int]] = []
    for one in list(given.redactions or ())[: MOST_REDACTIONS + 1]:
        start: Any = one.get("start") if isinstance(one, Mapping) else None
        end: Any = one.get("end") if isinstance(one, Mapping) else None
        if not _is_number(start) or not _is_number(end) or not 0 <= start < end <= len(text):
            errors.append(("redactions", f"Each needs a start and an end within the text of {len(text):,} characters."))
            return []
        if not text[start:end].strip():
            errors.append(("redactions", "There is nothing but space between a start and its end."))
            return []
        found.append((start, end))
    for words in given.words or ():
        if not words.strip():
            continue
        places = redaction.words_in(text, [words])
        if not places:
            errors.append(("words", f'The text does not hold the words "{words.strip()}".'))
        found += places
    found = redaction.merged(found)
    if len(found) > MOST_REDACTIONS:
        errors.append(("redactions", f"At most {MOST_REDACTIONS} at a time."))
    elif not found and not errors:
        errors.append(("redactions", "Mark the words that are to be taken out."))
    return found


def _is_number(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _label(session: Session, label: Mapping[str, Any] | None, errors: list[tuple[str, str]]) -> dict[str, Any]:
    given = label or {}
    try:
        text, reference, version = labels.check(
            session, str(given.get("text") or ""), str(given.get("reference") or "")
        )
    except Invalid as error:
        errors += error.errors
        return {}
    return {"text": text, "reference": reference, "article_version": version}


def _instant(sent: Any) -> datetime | None:
    """An instant; without an offset it is UTC, and a day alone ends at its midnight."""
    if isinstance(sent, datetime):
        return sent if sent.tzinfo else sent.replace(tzinfo=UTC)
    try:
        found = datetime.fromisoformat(str(sent).strip())
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _thread(session: Session, situation: Situation, thread_id: int, errors: list[tuple[str, str]]) -> int | None:
    stmt = select(Thread.id).where(Thread.id == thread_id, Thread.state == PostState.PUBLISHED)
    if not _is_number(thread_id) or not 0 < thread_id < 2**31 or session.execute(stmt).scalar() is None:
        errors.append(("duplicate_of", "There is no public thread of this number."))
    elif situation.post is not None and situation.post.thread_id == thread_id:
        errors.append(("duplicate_of", "This is the thread in which the post stands."))
    return thread_id


def split(situation: Situation, spans: Sequence[Mapping[str, int]]) -> list[tuple[str, int, int]]:
    """Stretches of the whole text as (part, start, end) of its title and its body."""
    revision = situation.revision
    assert revision is not None  # only a text has stretches
    offset = len(situation.text) - len(revision.source)
    title = revision.title or ""
    found = []
    for span in spans:
        start, end = span["start"], span["end"]
        if start < len(title):
            found.append(("title", start, min(end, len(title))))
        if end > offset:
            found.append(("source", max(start, offset) - offset, end - offset))
    return [part for part in found if part[1] < part[2]]
