"""What an import did, for people and for programs."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Report:
    """Counts of documents by what became of them, and every file that a person should look at, with the reason.

    `merged` names each document that joined a condition of another document or article, and why.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    retired: int = 0
    skipped_empty: int = 0
    answers: int = 0
    conditions: int = 0
    refused: list[dict[str, str]] = field(default_factory=list)
    review: list[dict[str, str]] = field(default_factory=list)
    merged: list[dict[str, str]] = field(default_factory=list)
    # Rows of the tables that come with the texts: licences, categories, rules, house texts, help lines.
    tables: dict[str, int] = field(default_factory=lambda: {"created": 0, "updated": 0, "unchanged": 0})

    def refuse(self, file: str, why: str) -> None:
        self.refused.append({"file": file, "why": why})

    def look_at(self, file: str, why: str) -> None:
        self.review.append({"file": file, "why": why})

    def merge(self, file: str, why: str) -> None:
        self.merged.append({"file": file, "why": why})

    @property
    def is_change(self) -> bool:
        """Whether the database is other than before."""
        return bool(self.created or self.updated or self.retired or self.tables["created"] or self.tables["updated"])

    def counts(self) -> dict[str, int]:
        return {
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "retired": self.retired,
            "refused": len(self.refused),
            "skipped_empty": self.skipped_empty,
        }

    def as_dict(self) -> dict[str, Any]:
        """The line of `--json`."""
        return {
            "documents": self.counts(),
            "answers": self.answers,
            "conditions": self.conditions,
            "refused": self.refused,
            "review": self.review,
            "merged": self.merged,
            "tables": self.tables,
        }
