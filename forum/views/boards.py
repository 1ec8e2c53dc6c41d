"""All boards, one board, and the choice of a board to write on."""

from flask import flash, redirect, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from auth.doors import current_actor, needs, public, require
from auth.policy import Subject, allowed
from content import queries as reference
from core.db import db, unit_of_work, utc_now
from core.errors import Invalid
from core.vocabulary import Action, ThreadKind
from forum import boards, listings, queries
from forum.queries import BoardView
from forum.subjects import categories
from forum.views.site import asked, blueprint, here, sidebar_for, typed

LETTERS = (*"abcdefghijklmnopqrstuvwxyz", "#")
KINDS = ("", *ThreadKind)
NAMES_SHOWN = 6
Answer = str | Response | tuple[str, int]


@blueprint.get("/boards/")
@public
def all_boards() -> str:
    session, after = db.session(), request.args.get("after")
    q, category = typed("q"), typed("category")
    letter = asked("letter", LETTERS, "")
    popular = asked("sort", ("name", "popular"), "name") == "popular"
    found, next_cursor = [], None
    if q:
        found = listings.find_boards(session, q)
    elif popular or letter or category:
        part = (
            listings.popular_boards(session, after=after)
            if popular
            else listings.boards_by_name(session, letter=letter, category=category, after=after)
        )
        found, next_cursor = part.items, part.next
    is_start = not (q or popular or letter or category)
    return render_template(
        "forum/boards.html",
        q=q,
        letter=letter,
        category=category,
        popular=popular,
        is_start=is_start,
        found=found,
        is_cut=len(found) == listings.FOUND_MOST and bool(q),
        next_url=here(after=next_cursor) if next_cursor else None,
        categories=reference.categories(session),
        known_letters=[known.lower() for known in reference.letters(session)],
        letters=LETTERS,
        popular_boards=listings.popular_boards(session, limit=9).items if is_start else [],
        unsorted=listings.unsorted_board(session),
    )


@blueprint.get("/ask", defaults={"kind": "question"})
@blueprint.get("/share", defaults={"kind": "experience"})
@public
def choose_board(kind: str) -> str:
    session, q = db.session(), typed("q")
    return render_template(
        "forum/choose_board.html",
        kind=kind,
        composer="ask" if kind == "question" else "share",
        q=q,
        found=listings.find_boards(session, q, limit=20),
        popular_boards=[] if q else listings.popular_boards(session, limit=12).items,
    )


@blueprint.get("/boards/<slug>/")
@public
def board(slug: str) -> str | Response:
    session, actor = db.session(), current_actor()
    view = queries.board(session, actor, slug)
    if view.slug != slug:
        return redirect(view.url, 301)
    kind, sort = asked("kind", KINDS, ""), asked("sort", queries.SORTS, "active")
    is_first, is_front = not request.args.get("after"), sort == "active" and not kind
    threads = queries.board_threads(
        session,
        actor,
        view.id,
        kind=ThreadKind(kind) if kind else None,
        sort=sort,
        after=request.args.get("after"),
        without_pinned=is_front,
    )
    return render_template(
        "forum/board.html",
        board=view,
        aliases=_other_names(view.condition_id),
        threads=threads.items,
        next_url=here(after=threads.next) if threads.next else None,
        is_first=is_first,
        pinned=queries.pinned_threads(session, actor, view.id) if is_first and is_front else [],
        edits_notice=_edits_notice(view),
        waiting=queries.waiting_threads(session, actor, view.id),
        kind=kind,
        sort=sort,
        here=here,
        sidebar=sidebar_for(view.condition_id),
    )


def _edits_notice(view: BoardView) -> bool:
    actor = current_actor()
    mine = categories(db.session(), view.condition_id, actor)
    return view.id is not None and allowed(
        actor, Action.EDIT_BOARD_NOTICE, Subject(board_id=view.id, category_ids=mine)
    )


@blueprint.get("/boards/<slug>/notice")
@needs(Action.EDIT_BOARD_NOTICE)
def show_notice(slug: str) -> Answer:
    return _notice_form(slug)


@blueprint.post("/boards/<slug>/notice")
@needs(Action.EDIT_BOARD_NOTICE)
def set_notice(slug: str) -> Answer:
    text = request.form.get("text", "")
    try:
        with unit_of_work() as session:
            board = boards.set_notice(session, current_actor(), slug, text=text, now=utc_now())
    except Invalid as error:
        return _notice_form(slug, text, dict(error.errors)), 422
    flash(_("The notice stands above the list of threads.") if board.notice else _("The notice is gone."), "success")
    return redirect(f"/boards/{board.slug}/", 303)


def _notice_form(slug: str, text: str | None = None, errors: dict[str, str] | None = None) -> str:
    session, actor = db.session(), current_actor()
    view = queries.board(session, actor, slug)
    require(
        Action.EDIT_BOARD_NOTICE,
        Subject(board_id=view.id, category_ids=categories(session, view.condition_id, actor)),
    )
    return render_template(
        "forum/board_notice.html",
        board=view,
        text=view.notice if text is None else text,
        errors=errors or {},
        most=boards.NOTICE_CHARS,
    )


def _other_names(condition_id: int | None) -> tuple[str, ...]:
    if condition_id is None:
        return ()
    return reference.aliases_of(db.session(), [condition_id]).get(condition_id, ())[:NAMES_SHOWN]


@blueprint.post("/boards/<slug>/follow")
@needs(Action.KEEP_DRAFT)
def follow_board(slug: str) -> Response:
    actor = current_actor()
    with unit_of_work() as session:
        place = boards.find(session, slug)
        if request.form.get("follow") == "0":
            boards.unfollow(session, actor, slug)
            flash(_("You no longer follow this board."), "success")
        else:
            boards.follow(session, actor, slug, now=utc_now())
            flash(_("You follow this board. Its unanswered questions are under “My boards”."), "success")
    return redirect(f"/boards/{place.slug}/", 303)
