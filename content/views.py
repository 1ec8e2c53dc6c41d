"""Pages of the reference, and the pages that say who we are and which rules hold."""

from datetime import date
from functools import lru_cache
from html import escape
from typing import Any

from flask import Blueprint, Response, g, has_request_context, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _

from auth.doors import current_actor, needs, public, who_is_there
from content import articles, queries, sections
from content.forms import SectionForm
from content.queries import ReferencePage
from core.db import db, unit_of_work, utc_now
from core.errors import Conflict, Invalid, NotFound
from core.markup import render
from core.vocabulary import Action
from core.web import settings

blueprint = Blueprint("content", __name__)

PAGE_SIZE = 60


class Help:
    """The reader's emergency number and help lines: read once per request, when something first asks for them."""

    @property
    def lines(self) -> queries.HelpLines:
        if "help_lines" not in g:
            g.help_lines = queries.help_lines(db.session(), reader_country(), utc_now().date())
        return g.help_lines

    @property
    def country(self) -> str:
        return self.lines.country

    @property
    def emergency(self) -> str:
        return self.lines.emergency

    @property
    def resources(self) -> tuple[queries.Resource, ...]:
        return self.lines.resources


def context() -> dict[str, Any]:
    """What every template of the site is given."""
    return {"help_line": Help()}


def reader_country() -> str:
    """The country that the reader told us, else the site's own."""
    actor = who_is_there() if has_request_context() else None
    return (actor.country if actor else None) or settings().country


def emergency() -> str:
    """The emergency number that texts of this request name."""
    return Help().emergency


# --- The reference -----------------------------------------------------------------------------------------------


@blueprint.get("/reference/")
@public
def index() -> str:
    """All conditions, A to Z; also by category, or by part of a name."""
    q, letter, category = (request.args.get(name, "").strip() for name in ("q", "letter", "category"))
    session = db.session()
    narrowed = bool(q or letter or category)
    # Names that begin with a digit sort first and would make a strange first page.
    letter = letter if narrowed else "A"
    found = queries.conditions_list(
        session, q=q[:200], letter=letter[:1], category=category[:80], after=request.args.get("after"), limit=PAGE_SIZE
    )
    return render_template(
        "content/index.html",
        found=found,
        own=[] if narrowed else queries.own_articles(session),
        letters=queries.letters(session),
        categories=queries.categories(session),
        q=q,
        letter=letter[:1].upper(),
        category=category,
        more={k: v for k, v in (("q", q), ("letter", letter), ("category", category)) if v},
    )


@blueprint.get("/reference/<slug>/")
@public
def reference(slug: str) -> ResponseReturnValue:
    """One condition: teasers with "more", definitions, warning signs, sources."""
    page = queries.reference_page(db.session(), slug, emergency=emergency())
    if page.condition.slug != slug:
        return redirect(page.condition.url, 301)
    return render_template("content/reference.html", page=page, today=utc_now().date(), names=sections.NAMES)


@blueprint.get("/reference/<slug>/questions-a-doctor-asks")
@public
def questions(slug: str) -> ResponseReturnValue:
    """The questions that a doctor asks, each with why: to print and take along."""
    page = queries.reference_page(db.session(), slug, emergency=emergency(), with_text=True)
    if page.condition.slug != slug:
        return redirect(sections.url(page.condition.slug, "questions_a_doctor_asks"), 301)
    texts = [(a, s) for a in page.articles for s in a.sections if s.key == "questions_a_doctor_asks"]
    if not texts and not page.intake:
        raise NotFound("no-such-section", "This article has no such section.")
    return render_template("content/questions.html", page=page, texts=texts, today=utc_now().date())


@blueprint.get("/reference/<slug>/<part>")
@public
def section(slug: str, part: str) -> ResponseReturnValue:
    """All sections of one key, ours and then the archived ones, each with its source."""
    key = sections.key_of_path(part)
    if key is None:
        raise NotFound("no-such-section", "This article has no such section.")
    page = queries.section_page(db.session(), slug, key, emergency=emergency())
    if page.condition.slug != slug:
        return redirect(sections.url(page.condition.slug, key), 301)
    return render_template(
        "content/section.html",
        page=page,
        title=_section_title(page),
        names=sections.NAMES,
        today=utc_now().date(),
        flags=queries.red_flags(db.session(), page.condition.id, emergency=emergency()) if key == "red_flags" else (),
    )


def _section_title(page: queries.SectionPage) -> str:
    article, first = page.sections[0]
    return first.heading if not article.is_archived else _(sections.NAMES[page.key])


# --- For editors -------------------------------------------------------------------------------------------------


@blueprint.get("/reference/<slug>/edit")
@needs(Action.EDIT_REFERENCE)
def edit(slug: str) -> ResponseReturnValue:
    """The sections of our own article that an editor can change, and what waits for an editor's look."""
    page: ReferencePage = queries.reference_page(db.session(), slug, emergency=articles.EMERGENCY)
    if page.condition.slug != slug:
        return redirect(f"{page.condition.url}edit", 301)
    history = queries.versions(db.session(), page.own.id) if page.own else ()
    return render_template("content/edit.html", page=page, history=history, names=sections.NAMES)


@blueprint.route("/reference/<slug>/edit/<int:section_id>", methods=["GET", "POST"])
@needs(Action.EDIT_REFERENCE)
def edit_section(slug: str, section_id: int) -> Any:
    """One section's Markdown: preview it, then save it as the article's next version."""
    found = articles.editable(db.session(), section_id)
    if found.slug != slug:
        return redirect(f"/reference/{found.slug}/edit/{section_id}", 301)
    if request.method == "GET":
        return _editor(found, SectionForm.of(found))
    form = SectionForm.parse(request.form)
    try:
        if form.wants_preview:
            return _editor(found, form, preview=_preview(form))
        with unit_of_work() as session:
            articles.edit_section(
                session,
                section_id,
                version=form.version,
                heading=form.heading,
                markdown=form.markdown,
                note=form.note,
                checked_on=utc_now().date() if form.is_checked else None,
                editor_id=current_actor().id or 0,
                now=utc_now(),
            )
    except (Invalid, Conflict) as error:
        return _editor(found, form, errors=error.errors or [("markdown", error.detail)]), error.status
    return redirect(sections.url(found.slug, found.key), 303)


def _preview(form: SectionForm) -> str:
    articles.check_text(form.heading, form.markdown)
    return queries.fill_html(render(form.markdown, "article").html, emergency())


def _editor(found: articles.Editable, form: SectionForm, *, preview: str = "", errors: Any = ()) -> str:
    return render_template("content/edit_section.html", section=found, form=form, preview=preview, errors=errors)


# --- The house's own pages ---------------------------------------------------------------------------------------


@blueprint.get("/rules")
@public
def rules() -> str:
    """The board rules in force, each with its anchor."""
    session, now = db.session(), utc_now()
    # "none" is what a decision cites when no rule was broken; nobody has to keep it.
    found = [rule for rule in queries.rule_texts(session, now) if rule.code != "none"]
    try:
        intro = queries.page_text(session, "rules-intro", now).html
    except NotFound:
        intro = ""
    number = emergency()
    views = [(rule, queries.fill_html(_rule_html(rule.body), number)) for rule in found]
    return render_template("content/rules.html", rules=views, intro=intro)


@lru_cache(maxsize=64)
def _rule_html(body: str) -> str:
    """Rules are stored as text, for statements quote them; a version never changes, so its HTML is kept."""
    return render(body, "article").html


def _house_text(code: str) -> str:
    text = queries.page_text(db.session(), code, utc_now())
    contact = settings().contact or _("the address of the operator has not been set yet")
    html = queries.fill_html(text.html, emergency()).replace("{contact}", escape(contact))
    return render_template("content/house.html", text=text, html=html)


@blueprint.get("/about")
@public
def about() -> str:
    """Who runs this site and what it is not."""
    return _house_text("about")


@blueprint.get("/terms")
@public
def terms() -> str:
    """The terms of use."""
    return _house_text("terms")


@blueprint.get("/privacy")
@public
def privacy() -> str:
    """What is kept about people, and what is not."""
    return _house_text("privacy")


@blueprint.get("/contact")
@public
def contact() -> str:
    """How to reach the people who run this site."""
    return _house_text("contact")


@blueprint.get("/help")
@public
def help_page() -> str:
    """Numbers to call, for the reader's country or another one."""
    session = db.session()
    known = queries.countries(session)
    wanted = request.args.get("country", "").strip().upper()[:2]
    lines = queries.help_lines(session, wanted or reader_country(), utc_now().date())
    return render_template(
        "content/help.html", lines=lines, countries=known, wanted=wanted, elsewhere=queries.ELSEWHERE
    )


@blueprint.get("/site-map")
@public
def site_map() -> str:
    """Every kind of page in one list, for people."""
    session = db.session()
    return render_template(
        "content/site_map.html",
        own=queries.own_articles(session),
        categories=queries.categories(session),
        letters=queries.letters(session),
    )


ROBOTS = """User-agent: *
Disallow: /me/
Disallow: /moderation/
Disallow: /search
Disallow: /login
Disallow: /register
Disallow: /reports/
Disallow: /decisions/
Disallow: /api/
Allow: /
"""


@blueprint.get("/robots.txt")
@public
def robots() -> Response:
    """What crawlers may read; pages that must not be listed say so themselves as well."""
    return Response(ROBOTS, mimetype="text/plain")


@blueprint.app_template_filter("country_name")
def country_name(code: str) -> str:
    """The name of a country in the reader's language."""
    locale = get_locale()
    return (locale.territories.get(code) if locale else None) or code


@blueprint.app_template_filter("review_is_due")
def review_is_due(article: Any, today: date) -> bool:
    """Whether the article should have been looked at again by now."""
    return article.next_review_due is not None and article.next_review_due < today
