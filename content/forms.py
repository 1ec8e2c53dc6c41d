"""What editors send."""

from collections.abc import Mapping
from dataclasses import dataclass

from content.articles import Editable


@dataclass(frozen=True)
class SectionForm:
    """One section as it was typed; nothing is cut or tidied here."""

    version: int
    heading: str
    markdown: str
    note: str = ""
    is_checked: bool = False
    wants_preview: bool = False

    @classmethod
    def of(cls, found: Editable) -> "SectionForm":
        """The form as it opens."""
        return cls(version=found.version, heading=found.heading, markdown=found.markdown)

    @classmethod
    def parse(cls, sent: Mapping[str, str]) -> "SectionForm":
        """The form as it was sent. A missing version counts as 0, which no article has."""
        version = sent.get("version", "")
        return cls(
            version=int(version) if version.isascii() and version.isdigit() and len(version) < 10 else 0,
            heading=sent.get("heading", ""),
            markdown=sent.get("markdown", "").replace("\r\n", "\n"),
            note=" ".join(sent.get("note", "").split()),
            is_checked="checked" in sent,
            wants_preview=sent.get("intent") == "preview",
        )
