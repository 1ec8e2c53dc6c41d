"""Answers to the questions that a doctor would ask: checked, stored with their visibility, shown to whom they may be.

Nothing is required. An age is only ever a band: it is a choice among bands, and a number is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from auth.policy import Actor, Subject, allowed
from content.models import IntakeField
from core.errors import Invalid, invalid
from core.text import is_blank, normalise
from core.vocabulary import Action, Visibility
from forum.models import IntakeAnswer

MAX_TEXT_CHARS = 500
# Scales such as "how bad, from 0 to 10".
NUMBER_RANGE = (0, 10)


@dataclass(frozen=True)
class IntakeInput:
    """One answer as it came from a door. `visibility` None: the question's own default."""

    key: str
    values: tuple[str, ...]
    visibility: str | None = None


@dataclass(frozen=True)
class IntakeView:
    """One stored answer, for a reader who may see it."""

    key: str
    label: str
    shown: str
    values: tuple[Any, ...]
    visibility: Visibility


def from_json(given: Mapping[str, Any]) -> tuple[list[IntakeInput], list[tuple[str, str]]]:
    """The API's object: key -> value, list of values, or {"values": …, "visibility": …}. Returns inputs and errors."""
    inputs, errors = [], []
    for key, value in given.items():
        visibility = None
        if isinstance(value, Mapping):
            visibility = value.get("visibility")
            value = value.get("values", value.get("value"))
        values = value if isinstance(value, list) else [value]
        plain = all(isinstance(v, str | int | float) and not isinstance(v, bool) for v in values)
        if not plain or not (visibility is None or isinstance(visibility, str)):
            errors.append((f"intake.{key}", 'Give a value, a list of values, or {"values": […], "visibility": "…"}.'))
            continue
        inputs.append(IntakeInput(str(key), tuple(str(v) for v in values), visibility))
    return inputs, errors


def check(
    session: Session, condition_id: int | None, inputs: Sequence[IntakeInput]
) -> tuple[list[IntakeAnswer], list[tuple[str, str]]]:
    """The rows to store (without their thread) and every error as (field, sentence). Blank answers are left out."""
    fields: dict[str, IntakeField] = {}
    if inputs and condition_id is not None:
        stmt = select(IntakeField).where(IntakeField.condition_id == condition_id)
        fields = {field.key: field for field in session.execute(stmt).scalars()}
    rows, errors = [], []
    for given in inputs:
        values = [v for v in given.values if not is_blank(v)]
        if not values:
            continue
        name = f"intake.{given.key}"
        field = fields.get(given.key)
        if field is None:
            errors.append((name, "This board does not ask that question."))
            continue
        try:
            stored, shown = _TYPES[field.type](field, values)
            visibility = _visibility(field, given.visibility)
        except Invalid as error:
            errors.append((name, error.detail))
            continue
        rows.append(
            IntakeAnswer(
                key=field.key,
                label=field.label,
                values=stored,
                shown=shown,
                visibility=visibility,
                position=field.position,
            )
        )
    doubled = {row.key for row in rows if sum(row.key == other.key for other in rows) > 1}
    errors.extend((f"intake.{key}", "This question was answered twice.") for key in sorted(doubled))
    return rows, errors


def _visibility(field: IntakeField, wanted: str | None) -> Visibility:
    if wanted in (None, ""):
        return field.default_visibility
    if wanted not in field.allowed_visibility:
        raise invalid("visibility", f"Who may see this can be: {', '.join(field.allowed_visibility)}.")
    return Visibility(wanted)


def _choice(field: IntakeField, values: list[str]) -> tuple[list[Any], str]:
    if len(values) > 1:
        raise invalid("values", "Choose one answer only.")
    return _multi(field, values)


def _multi(field: IntakeField, values: list[str]) -> tuple[list[Any], str]:
    labels = {option["value"]: option["label"] for option in field.options}
    chosen = list(dict.fromkeys(values))
    if any(value not in labels for value in chosen):
        if field.key == "age_band":
            raise invalid("values", "Please choose an age group; an exact age is not stored.")
        raise invalid("values", "Choose from the answers that are offered.")
    return list(chosen), "; ".join(labels[value] for value in chosen)


def _text(_field: IntakeField, values: list[str]) -> tuple[list[Any], str]:
    text = normalise(values[0], field="values")
    if len(values) > 1 or len(text) > MAX_TEXT_CHARS:
        raise invalid("values", f"Write one text of at most {MAX_TEXT_CHARS} characters.")
    return [text], text


def _number(_field: IntakeField, values: list[str]) -> tuple[list[Any], str]:
    low, high = NUMBER_RANGE
    typed = values[0].strip()
    whole = typed.isascii() and typed.isdigit() and len(typed) <= 3
    if len(values) > 1 or not whole or not low <= int(typed) <= high:
        raise invalid("values", f"Give a whole number from {low} to {high}.")
    return [int(typed)], str(int(typed))


_TYPES = {"choice": _choice, "multi": _multi, "text": _text, "number": _number}


def shown_to(session: Session, actor: Actor, thread_id: int, subject: Subject) -> tuple[IntakeView, ...]:
    """The answers of a thread that this reader may see; `subject` is the opening post's."""
    visible = [v for v in Visibility if _may_see(actor, subject, v)]
    if not visible:
        return ()
    rows = session.execute(
        select(IntakeAnswer)
        .where(IntakeAnswer.thread_id == thread_id, IntakeAnswer.visibility.in_(visible))
        .order_by(IntakeAnswer.position, IntakeAnswer.id)
    ).scalars()
    return tuple(IntakeView(row.key, row.label, row.shown, tuple(row.values), row.visibility) for row in rows)


def _may_see(actor: Actor, subject: Subject, visibility: Visibility) -> bool:
    return allowed(actor, Action.READ_PRIVATE_INTAKE, replace(subject, visibility=visibility))
