"""The content table: conditions and all that the reference says of them, each text with its source and licence."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime, enum_column
from core.vocabulary import ArticleStatus, Visibility

condition_category = Table(
    "condition_category",
    Base.metadata,
    Column("condition_id", ForeignKey("condition.id", ondelete="CASCADE"), primary_key=True),
    Column("category_id", ForeignKey("category.id", ondelete="CASCADE"), primary_key=True, index=True),
)
section_source = Table(
    "section_source",
    Base.metadata,
    Column("section_id", ForeignKey("section.id", ondelete="CASCADE"), primary_key=True),
    Column("source_id", ForeignKey("source.id", ondelete="RESTRICT"), primary_key=True, index=True),
)


class Category(Base):
    """A medical category, in lay words."""

    __tablename__ = "category"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(80), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    position: Mapped[int]


class Condition(Base):
    """A condition or symptom; its board has the same slug."""

    __tablename__ = "condition"
    __table_args__ = (CheckConstraint("kind IN ('condition', 'symptom')", name="kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(120), unique=True)
    name: Mapped[str] = mapped_column(String(300))
    name_folded: Mapped[str] = mapped_column(String(300), unique=True)
    kind: Mapped[str] = mapped_column(String(16), default="condition")
    summary: Mapped[str] = mapped_column(Text, default="")
    # Why an editor should look at it (for example: named after a question, because the document had no focus).
    review_note: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # Raised by every change of anything that the sidebar or reference shows.
    version: Mapped[int] = mapped_column(default=1)


class FormerSlug(Base):
    """An address that a condition once had; it redirects."""

    __tablename__ = "former_slug"

    slug: Mapped[str] = mapped_column(String(120), primary_key=True)
    condition_id: Mapped[int] = mapped_column(ForeignKey("condition.id", ondelete="CASCADE"), index=True)


class Alias(Base):
    """Another name. `declared` ones (by an editor or our own article) merge imported documents; others only find."""

    __tablename__ = "alias"
    __table_args__ = (
        UniqueConstraint("condition_id", "folded"),
        CheckConstraint("kind IN ('synonym', 'lay', 'misspelling')", name="kind"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    condition_id: Mapped[int] = mapped_column(ForeignKey("condition.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(300))
    folded: Mapped[str] = mapped_column(String(300), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    is_declared: Mapped[bool] = mapped_column(default=False)


class ConditionCode(Base):
    __tablename__ = "condition_code"
    __table_args__ = (
        UniqueConstraint("condition_id", "system", "code"),
        Index("ix_condition_code_system_code", "system", "code"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    condition_id: Mapped[int] = mapped_column(ForeignKey("condition.id", ondelete="CASCADE"))
    system: Mapped[str] = mapped_column(String(32))
    code: Mapped[str] = mapped_column(String(32))


class Licence(Base):
    __tablename__ = "licence"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    url: Mapped[str | None] = mapped_column(String(500))
    credit_line: Mapped[str] = mapped_column(Text, default="")
    allows_display: Mapped[bool] = mapped_column(default=True)
    allows_edit: Mapped[bool] = mapped_column(default=True)
    requires_credit: Mapped[bool] = mapped_column(default=False)
    importable: Mapped[bool] = mapped_column(default=True)


class Source(Base):
    """Where something is from. `accessed_on` is None where nobody noted it: no date is ever invented."""

    __tablename__ = "source"
    __table_args__ = (UniqueConstraint("name", "url"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(300))
    publisher: Mapped[str] = mapped_column(String(200))
    url: Mapped[str] = mapped_column(String(500))
    licence_id: Mapped[int] = mapped_column(ForeignKey("licence.id", ondelete="RESTRICT"), index=True)
    accessed_on: Mapped[date | None] = mapped_column(Date)
    # Shown to readers beside an archived copy, for example "NIH text of about 2018, not reviewed here".
    note: Mapped[str] = mapped_column(String(300), default="")
    is_archived: Mapped[bool] = mapped_column(default=False)


class Article(Base):
    """One text about one condition: our own, or an archived copy of a public one."""

    __tablename__ = "article"
    __table_args__ = (
        UniqueConstraint("importer", "import_key"),
        CheckConstraint(
            "status <> 'published' OR (source_id IS NOT NULL AND licence_id IS NOT NULL)", name="published_needs_source"
        ),
        CheckConstraint("status <> 'published' OR is_archived OR checked_on IS NOT NULL", name="own_needs_check_date"),
        CheckConstraint("(reviewed_on IS NULL) = (reviewed_by IS NULL)", name="review_has_date_and_name"),
        Index("ix_article_condition_status", "condition_id", "status", "is_archived", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    condition_id: Mapped[int] = mapped_column(ForeignKey("condition.id", ondelete="RESTRICT"))
    title: Mapped[str] = mapped_column(String(300))
    language: Mapped[str] = mapped_column(String(8), default="en")
    status: Mapped[ArticleStatus] = mapped_column(enum_column(ArticleStatus))
    version: Mapped[int] = mapped_column(default=1)
    is_archived: Mapped[bool] = mapped_column(default=False)
    source_id: Mapped[int | None] = mapped_column(ForeignKey("source.id", ondelete="RESTRICT"), index=True)
    licence_id: Mapped[int | None] = mapped_column(ForeignKey("licence.id", ondelete="RESTRICT"), index=True)
    # The day on which our text was last compared with its sources; that is no review.
    checked_on: Mapped[date | None] = mapped_column(Date)
    # A review by a clinician, done here.
    reviewed_on: Mapped[date | None] = mapped_column(Date)
    reviewed_by: Mapped[str | None] = mapped_column(String(200))
    next_review_due: Mapped[date | None] = mapped_column(Date)
    # Which importer brought it (markdown, medquad) and its key there: for medquad "collection/file".
    importer: Mapped[str] = mapped_column(String(32))
    import_key: Mapped[str] = mapped_column(String(200))
    content_hash: Mapped[str] = mapped_column(String(64))
    # Why it stands under this condition: name, alias …; every merge can be explained.
    match_reason: Mapped[str] = mapped_column(String(300), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ArticleVersion(Base):
    """What an article said at one version, whole, as JSON."""

    __tablename__ = "article_version"
    __table_args__ = (UniqueConstraint("article_id", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    article_id: Mapped[int] = mapped_column(ForeignKey("article.id", ondelete="CASCADE"))
    version: Mapped[int]
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    editor_id: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="RESTRICT"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    note: Mapped[str] = mapped_column(String(300), default="")


class Section(Base):
    """One answer of an article. Keys may repeat inside an imported article; `position` is the document's order."""

    __tablename__ = "section"
    __table_args__ = (UniqueConstraint("article_id", "position"), Index("ix_section_article_key", "article_id", "key"))

    id: Mapped[int] = mapped_column(primary_key=True)
    article_id: Mapped[int] = mapped_column(ForeignKey("article.id", ondelete="CASCADE"))
    position: Mapped[int]
    key: Mapped[str] = mapped_column(String(32))
    heading: Mapped[str] = mapped_column(String(500))
    # Markdown for our own texts; the answer exactly as it stood in the document for imported ones.
    source_text: Mapped[str] = mapped_column(Text)
    html: Mapped[str] = mapped_column(Text)
    # What the API gives as `text`: the source text for imported answers, the plain words for our own.
    text: Mapped[str] = mapped_column(Text)
    teaser: Mapped[str] = mapped_column(String(300))
    renderer: Mapped[str] = mapped_column(String(16))
    # Import details: question id and type as given there.
    question_type: Mapped[str | None] = mapped_column(String(80))


class Definition(Base):
    __tablename__ = "definition"
    __table_args__ = (UniqueConstraint("condition_id", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    condition_id: Mapped[int] = mapped_column(ForeignKey("condition.id", ondelete="CASCADE"))
    position: Mapped[int]
    term: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(Text)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id", ondelete="RESTRICT"), index=True)


class Relation(Base):
    """How two conditions are related. The other one may not exist here yet: then only its name is shown."""

    __tablename__ = "relation"
    __table_args__ = (
        UniqueConstraint("condition_id", "kind", "related_name"),
        CheckConstraint("kind IN ('related', 'may_cause', 'differential', 'broader')", name="kind"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    condition_id: Mapped[int] = mapped_column(ForeignKey("condition.id", ondelete="CASCADE"))
    related_id: Mapped[int | None] = mapped_column(ForeignKey("condition.id", ondelete="SET NULL"), index=True)
    related_name: Mapped[str] = mapped_column(String(300))
    kind: Mapped[str] = mapped_column(String(16))
    note: Mapped[str] = mapped_column(Text, default="")
    source_id: Mapped[int | None] = mapped_column(ForeignKey("source.id", ondelete="RESTRICT"), index=True)
    position: Mapped[int]


class RedFlag(Base):
    """A sign that needs care soon. An editor can change it; "not clinically reviewed" until reviewed_on is set."""

    __tablename__ = "red_flag"
    __table_args__ = (
        UniqueConstraint("condition_id", "code"),
        CheckConstraint("urgency IN ('emergency_now', 'same_day', 'soon')", name="urgency"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    condition_id: Mapped[int] = mapped_column(ForeignKey("condition.id", ondelete="CASCADE"))
    code: Mapped[str] = mapped_column(String(64))
    text: Mapped[str] = mapped_column(Text)
    message: Mapped[str] = mapped_column(Text, default="")
    urgency: Mapped[str] = mapped_column(String(16))
    phrases: Mapped[list[str]] = mapped_column(JSON, default=list)
    intake_key: Mapped[str | None] = mapped_column(String(32))
    intake_values: Mapped[list[str]] = mapped_column(JSON, default=list)
    source_id: Mapped[int | None] = mapped_column(ForeignKey("source.id", ondelete="RESTRICT"), index=True)
    reviewed_on: Mapped[date | None] = mapped_column(Date)
    reviewed_by: Mapped[str | None] = mapped_column(String(200))
    position: Mapped[int]
    is_active: Mapped[bool] = mapped_column(default=True)


class IntakeField(Base):
    """One question that a doctor would ask, with why it is asked. Never required."""

    __tablename__ = "intake_field"
    __table_args__ = (
        UniqueConstraint("condition_id", "key"),
        CheckConstraint("type IN ('choice', 'multi', 'text', 'number')", name="type"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    condition_id: Mapped[int] = mapped_column(ForeignKey("condition.id", ondelete="CASCADE"))
    position: Mapped[int]
    key: Mapped[str] = mapped_column(String(32))
    label: Mapped[str] = mapped_column(String(300))
    help: Mapped[str] = mapped_column(Text, default="")
    why_asked: Mapped[str] = mapped_column(Text)
    type: Mapped[str] = mapped_column(String(16))
    # [{"value", "label"}]
    options: Mapped[list[dict[str, str]]] = mapped_column(JSON, default=list)
    scheme: Mapped[str] = mapped_column(String(16), default="")
    default_visibility: Mapped[Visibility] = mapped_column(enum_column(Visibility))
    allowed_visibility: Mapped[list[str]] = mapped_column(JSON)


class RuleText(Base):
    """One version of one board rule. Decisions cite code and version; the newest effective version is in force."""

    __tablename__ = "rule_text"
    __table_args__ = (UniqueConstraint("code", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(32))
    version: Mapped[int]
    title: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)
    dsa_category: Mapped[str] = mapped_column(String(80), default="")
    dsa_keywords: Mapped[list[str]] = mapped_column(JSON, default=list)
    effective_from: Mapped[datetime] = mapped_column(UtcDateTime)


class PageText(Base):
    """One version of a house text: about, terms, privacy, contact, consent …, in Markdown."""

    __tablename__ = "page_text"
    __table_args__ = (UniqueConstraint("code", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(32))
    version: Mapped[int]
    title: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)
    html: Mapped[str] = mapped_column(Text)
    effective_from: Mapped[datetime] = mapped_column(UtcDateTime)


class CrisisResource(Base):
    """A help line of one country. One past `verify_by` (or never verified) is not shown alone."""

    __tablename__ = "crisis_resource"
    __table_args__ = (UniqueConstraint("country", "kind", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    # ISO 3166 alpha-2, or "ZZ" for everywhere else.
    country: Mapped[str] = mapped_column(String(2))
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(120))
    phone: Mapped[str] = mapped_column(String(40), default="")
    url: Mapped[str] = mapped_column(String(300), default="")
    hours: Mapped[str] = mapped_column(String(120), default="")
    position: Mapped[int]
    verified_on: Mapped[date | None] = mapped_column(Date)
    verify_by: Mapped[date | None] = mapped_column(Date)


class ImportRun(Base):
    """One import that changed or confirmed rows; dry runs leave none."""

    __tablename__ = "import_run"

    id: Mapped[int] = mapped_column(primary_key=True)
    importer: Mapped[str] = mapped_column(String(32))
    counts: Mapped[dict[str, Any]] = mapped_column(JSON)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
