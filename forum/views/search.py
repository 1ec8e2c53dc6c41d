"""Search over threads, posts and articles."""

from typing import Any

from flask import render_template, request

from auth.doors import public
from core.db import db
from forum import boards, listings, search
from forum.views.site import asked, blueprint, here, typed

FILTERS = ("", "question", "experience", "thread", "post", "article")


@blueprint.get("/search")
@public
def search_page() -> str:
    session, q, slug = db.session(), typed("q"), typed("board")
    kind = asked("kind", FILTERS, "")
    place = boards.find(session, slug) if slug else None
    results = search.search(session, q, board=slug or None, kind=kind or None, after=request.args.get("after"))
    return render_template(
        "forum/search.html",
        q=q,
        kind=kind,
        place=place,
        results=[_found(result) for result in results.items],
        next_url=here(after=results.next) if results.next else None,
        boards=listings.find_boards(session, q, limit=3) if q and not place and not request.args.get("after") else [],
        choices=listings.popular_boards(session, limit=40).items,
        here=here,
    )


def _found(result: search.Result) -> dict[str, Any]:
    """A result as the page shows it: an answer is no question, and the words found are marked."""
    kind = result.type if result.type == search.ARTICLE else result.detail
    return {
        "kind": "post" if result.type == "post" else kind,
        "url": result.url,
        "title": result.title,
        "board_name": result.board_name or result.about,
        "segments": [{"text": text, "mark": is_found} for text, is_found in result.segments],
    }
