"""The reference for programs."""

from typing import Any

from flask_smorest.blueprint import MethodView
from marshmallow import Schema, fields, validate

from auth.doors import public
from content import queries
from content.views import emergency
from core.db import db
from core.web import ApiBlueprint, PageArgs

blueprint = ApiBlueprint("conditions", __name__, description="The reference: conditions, articles, sources")


class ConditionArgs(PageArgs):
    q = fields.String(load_default="", validate=validate.Length(max=200), metadata={"description": "part of a name"})
    letter = fields.String(load_default="", validate=validate.Length(max=1), metadata={"description": "first letter"})
    category = fields.String(load_default="", validate=validate.Length(max=80), metadata={"description": "its slug"})


class ConditionRowSchema(Schema):
    slug = fields.String()
    name = fields.String()
    kind = fields.String(metadata={"enum": ["condition", "symptom"]})
    aliases = fields.List(fields.String())
    board_open = fields.Boolean()


class ConditionsSchema(Schema):
    items = fields.List(fields.Nested(ConditionRowSchema))
    next = fields.String(allow_none=True)


class CodeSchema(Schema):
    system = fields.String()
    code = fields.String()


class CategorySchema(Schema):
    slug = fields.String()
    name = fields.String()


class SourceSchema(Schema):
    name = fields.String()
    publisher = fields.String()
    url = fields.String()
    file = fields.String(allow_none=True, metadata={"description": "its key in the archive that it came from"})
    licence = fields.String()
    credit = fields.String()
    archived = fields.Boolean()
    note = fields.String()


class SectionSchema(Schema):
    key = fields.String()
    heading = fields.String()
    html = fields.String()
    text = fields.String()
    url = fields.String()


class ArticleSchema(Schema):
    title = fields.String()
    version = fields.Integer()
    source = fields.Nested(SourceSchema)
    sources = fields.List(fields.Nested(SourceSchema))
    checked_on = fields.Date(allow_none=True)
    last_reviewed = fields.Date(allow_none=True)
    reviewed_by = fields.String(allow_none=True)
    next_review_due = fields.Date(allow_none=True)
    match_reason = fields.String()
    sections = fields.List(fields.Nested(SectionSchema))


class DefinitionSchema(Schema):
    term = fields.String()
    text = fields.String()
    source = fields.Nested(SourceSchema)


class RelatedSchema(Schema):
    slug = fields.String(allow_none=True)
    name = fields.String()
    relation = fields.String()
    note = fields.String()
    source = fields.Nested(SourceSchema, allow_none=True)


class RedFlagSchema(Schema):
    code = fields.String()
    text = fields.String()
    message = fields.String()
    urgency = fields.String()
    source = fields.Nested(SourceSchema, allow_none=True)
    last_reviewed = fields.Date(allow_none=True)


class OptionSchema(Schema):
    value = fields.String()
    label = fields.String()


class IntakeSchema(Schema):
    key = fields.String()
    label = fields.String()
    help = fields.String()
    why_asked = fields.String()
    type = fields.String()
    options = fields.List(fields.Nested(OptionSchema))
    default_visibility = fields.String()
    allowed_visibility = fields.List(fields.String())


class ConditionSchema(Schema):
    slug = fields.String()
    name = fields.String()
    kind = fields.String()
    summary = fields.String()
    aliases = fields.List(fields.String())
    codes = fields.List(fields.Nested(CodeSchema))
    categories = fields.List(fields.Nested(CategorySchema))
    articles = fields.List(fields.Nested(ArticleSchema))
    definitions = fields.List(fields.Nested(DefinitionSchema))
    related = fields.List(fields.Nested(RelatedSchema))
    red_flags = fields.List(fields.Nested(RedFlagSchema))
    intake = fields.List(fields.Nested(IntakeSchema))


@blueprint.route("/conditions")
class Conditions(MethodView):
    @public
    @blueprint.arguments(ConditionArgs, location="query")
    @blueprint.response(200, ConditionsSchema)
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """Conditions by name."""
        found = queries.conditions_list(db.session(), **args)
        return {"items": found.items, "next": found.next}


@blueprint.route("/conditions/<slug>")
class Condition(MethodView):
    @public
    @blueprint.response(200, ConditionSchema)
    def get(self, slug: str) -> dict[str, Any]:
        """All that the reference says of one condition. A former address answers as the present one."""
        page = queries.reference_page(db.session(), slug, emergency=emergency(), with_text=True)
        found = page.condition
        return {
            "slug": found.slug,
            "name": found.name,
            "kind": found.kind,
            "summary": found.summary,
            "aliases": found.aliases,
            "codes": [{"system": system, "code": code} for system, code in found.codes],
            "categories": [{"slug": slug, "name": name} for slug, name in found.categories],
            "articles": [_article(a) for a in page.articles],
            "definitions": [_definition(d) for d in page.definitions],
            "related": [_related(r) for r in page.related],
            "red_flags": [_red_flag(f) for f in page.red_flags],
            "intake": [_intake(f) for f in page.intake],
        }


def _source(source: queries.SourceView | None) -> dict[str, Any] | None:
    if source is None:
        return None
    return {
        "name": source.name,
        "publisher": source.publisher,
        "url": source.url,
        "file": None,
        "licence": source.licence,
        "credit": source.credit,
        "archived": source.is_archived,
        "note": source.note,
    }


def _article(article: queries.ArticleView) -> dict[str, Any]:
    # The licence and credit are those under which the text itself is shown here.
    source = (_source(article.source) or {}) | {
        "file": article.file,
        "licence": article.licence,
        "credit": article.credit,
        "archived": article.is_archived,
    }
    return {
        "title": article.title,
        "version": article.version,
        "source": source,
        "sources": [_source(s) for s in article.sources],
        "checked_on": article.checked_on,
        "last_reviewed": article.reviewed_on,
        "reviewed_by": article.reviewed_by,
        "next_review_due": article.next_review_due,
        "match_reason": article.match_reason,
        "sections": article.sections,
    }


def _definition(definition: queries.DefinitionView) -> dict[str, Any]:
    return {"term": definition.term, "text": definition.text, "source": _source(definition.source)}


def _related(related: queries.RelatedView) -> dict[str, Any]:
    return {
        "slug": related.slug,
        "name": related.name,
        "relation": related.relation,
        "note": related.note,
        "source": _source(related.source),
    }


def _red_flag(flag: queries.RedFlagView) -> dict[str, Any]:
    return {
        "code": flag.code,
        "text": flag.text,
        "message": flag.message,
        "urgency": flag.urgency,
        "source": _source(flag.source),
        "last_reviewed": flag.reviewed_on,
    }


def _intake(field: queries.IntakeFieldView) -> dict[str, Any]:
    return {
        "key": field.key,
        "label": field.label,
        "help": field.help,
        "why_asked": field.why_asked,
        "type": field.type,
        "options": [{"value": value, "label": label} for value, label in field.options],
        "default_visibility": field.default_visibility,
        "allowed_visibility": list(field.allowed_visibility),
    }
