"""What composers send: read from a form, a kept draft, or a form that waited for its writer to sign in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict

from content.queries import IntakeFieldView
from core.vocabulary import Visibility
from forum.intake import MAX_TEXT_CHARS, IntakeInput

INTENTS = ("send", "preview", "draft")
INTAKE = "intake."
SEEN_BY = ".visibility"
# More answers than any board has questions are not kept in a draft.
MAX_EXTRA_FIELDS = 200


@dataclass(frozen=True)
class Composed:
    """The fields of a composer, exactly as they were typed."""

    title: str = ""
    body: str = ""
    intent: str = "send"
    parent_id: int | None = None
    draft_id: int | None = None
    version: int | None = None
    was_misdiagnosed: bool = False
    intake: tuple[IntakeInput, ...] = ()

    @property
    def text(self) -> str:
        """Title and body in one, for finding what is like it."""
        return f"{self.title}\n{self.body}"

    @property
    def answered(self) -> dict[str, IntakeInput]:
        return {given.key: given for given in self.intake}


def read(values: MultiDict[str, str]) -> Composed:
    """Never refuses anything: what is wrong with it, the rules say."""
    intent = values.get("intent", "send")
    return Composed(
        title=values.get("title", ""),
        body=values.get("body", ""),
        intent=intent if intent in INTENTS else "send",
        parent_id=number(values.get("parent_id")),
        draft_id=number(values.get("draft")),
        version=number(values.get("version")),
        was_misdiagnosed=bool(values.get("was_misdiagnosed")),
        intake=tuple(_intake(values)),
    )


def number(value: str | None) -> int | None:
    """A key of ours, or None for anything else."""
    plain = bool(value) and value is not None and value.isascii() and value.isdigit() and len(value) < 10
    return int(value) if plain and value is not None else None


def _intake(values: MultiDict[str, str]) -> list[IntakeInput]:
    names = [name for name in values if name.startswith(INTAKE) and not name.endswith(SEEN_BY)]
    return [
        IntakeInput(name.removeprefix(INTAKE), tuple(values.getlist(name)), values.get(name + SEEN_BY) or None)
        for name in names
        if any(values.getlist(name))
    ]


def extra_fields(values: MultiDict[str, str]) -> dict[str, Any]:
    """What a draft keeps beside title and body."""
    kept = [
        [name, value]
        for name, value in values.items(multi=True)
        if (name in ("parent_id", "version", "was_misdiagnosed") or name.startswith(INTAKE))
        and value
        and len(name) <= 60
        and len(value) <= MAX_TEXT_CHARS
    ]
    return {"fields": kept[:MAX_EXTRA_FIELDS]}


def from_draft(title: str, body: str, extra: Mapping[str, Any], draft_id: int) -> MultiDict[str, str]:
    """The fields that a draft was kept from."""
    kept = [(str(name), str(value)) for name, value in extra.get("fields", ())]
    return MultiDict([*kept, ("title", title), ("body", body), ("draft", str(draft_id))])


@dataclass(frozen=True)
class IntakeQuestion:
    """One question that a doctor would ask, as the form shows it, with what was answered so far."""

    name: str
    type: str
    label: str
    hint: str
    why_asked: str
    options: tuple[tuple[str, str], ...]
    values: tuple[str, ...]
    visibility: str
    allowed_visibility: tuple[str, ...]
    error: str | None

    @property
    def value(self) -> str:
        return self.values[0] if self.values else ""


def intake_questions(
    fields: Sequence[IntakeFieldView], given: Mapping[str, IntakeInput], errors: Mapping[str, str]
) -> list[IntakeQuestion]:
    """A board's questions, filled with the answers given so far."""
    questions = []
    for field in fields:
        answer = given.get(field.key)
        visibility = answer.visibility if answer and answer.visibility else field.default_visibility
        questions.append(
            IntakeQuestion(
                name=INTAKE + field.key,
                type=field.type,
                label=field.label,
                hint=field.help,
                why_asked=field.why_asked,
                options=field.options,
                values=answer.values if answer else (),
                visibility=str(visibility),
                allowed_visibility=tuple(v for v in Visibility if v in field.allowed_visibility),
                error=errors.get(INTAKE + field.key),
            )
        )
    return questions
