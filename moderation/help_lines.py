"""The help lines of a country, in the form in which the gate hands them on."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from content import queries as reference
from forum.gate import Resource


@dataclass(frozen=True)
class Lines:
    """`emergency` fits into a sentence; `resources` begin with it, so that no unverified line stands alone."""

    emergency: str
    resources: tuple[Resource, ...]


def of(session: Session, country: str, *, now: datetime) -> Lines:
    """For this country, or for "everywhere else" where we know none. One query."""
    found = reference.help_lines(session, country, now.date())
    lines = [Resource(name=line.name, phone=line.phone, url=line.url, hours=line.hours) for line in found.resources]
    if not lines or lines[0].phone != found.emergency:
        lines.insert(0, Resource(name="Emergency services", phone=found.emergency, hours="day and night"))
    return Lines(found.emergency, tuple(lines))
