"""What pages and API are given: contents, who sees what, and how many queries it costs."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from auth.models import Member, RoleGrant
from auth.policy import ANONYMOUS, Actor, Sight
from content.models import Condition
from core.errors import Invalid, NotFound
from core.vocabulary import Action, PostState, Role, ThreadKind
from forum import boards, lifecycle, queries, reading, search, votes
from forum.intake import IntakeInput
from forum.queries import ThreadPage
from tests.forum.counting import counting
from tests.forum.stage import Stage, ask_intake

S = PostState


def page(stage: Stage, thread_id: int, actor: Actor = ANONYMOUS, **more: Any) -> ThreadPage:
    values = {"now": stage.now, **more}
    return queries.thread_page(stage.session, actor, thread_id, gate=stage.gate, settings=stage.settings, **values)


def board_id(stage: Stage) -> int:
    found = boards.find(stage.session, "backache").id
    assert found is not None
    return found


def rows(stage: Stage, actor: Actor = ANONYMOUS, **more: Any) -> list[str]:
    return [row.title for row in queries.board_threads(stage.session, actor, board_id(stage), **more).items]


# --- Lists -------------------------------------------------------------------------------------------------------


def test_a_board_lists_its_threads_by_kind_and_in_each_order(stage: Stage) -> None:
    hours = [stage.now + timedelta(hours=n) for n in range(4)]
    old = stage.ask(title="old", now=hours[0]).thread
    stage.ask(title="story", kind=ThreadKind.EXPERIENCE, now=hours[1])
    stage.ask(title="new", now=hours[2])
    answer = stage.answer(old.id, now=hours[3]).post
    votes.mark_helpful(stage.session, stage.cora, answer.id, settings=stage.settings, now=hours[3])
    assert rows(stage) == ["old", "new", "story"]
    assert rows(stage, sort="new") == ["new", "story", "old"]
    assert rows(stage, sort="helpful")[0] == "old"
    assert rows(stage, sort="unanswered") == ["new"]
    assert rows(stage, kind=ThreadKind.EXPERIENCE) == ["story"]
    with pytest.raises(Invalid):
        rows(stage, sort="random")


def test_a_board_is_read_to_its_end_by_cursor_without_gaps_or_repeats(stage: Stage) -> None:
    for n in range(7):
        stage.ask(title=str(n), now=stage.now + timedelta(minutes=n // 2))
    for sort in queries.SORTS:
        seen, after = [], None
        while True:
            part = queries.board_threads(stage.session, ANONYMOUS, board_id(stage), sort=sort, after=after, limit=3)
            seen += [row.title for row in part.items]
            after = part.next
            if after is None:
                break
        assert sorted(seen) == [str(n) for n in range(7)], sort


@pytest.mark.parametrize("state", ["HOLD", "HIDDEN", "WITHDRAWN"])
def test_a_list_shows_nobody_but_its_author_a_thread_that_is_not_public(stage: Stage, state: str) -> None:
    stage.ask(title="public")
    post = stage.ask(title="secret", body=f"{state} it").post
    if state != "HOLD":
        lifecycle.move(stage.session, post.id, PostState(state.lower()), expected_version=1, now=stage.now)
    for actor in (ANONYMOUS, stage.ann, stage.ben, stage.mo):
        assert rows(stage, actor) == ["public"]
        assert [r.title for r in queries.unanswered(stage.session, actor).items] == ["public"]
        assert [r.title for r in queries.recent_threads(stage.session, actor)] == ["public"]
        assert [r.title for r in queries.member_threads(stage.session, actor, stage.ann.id or 0).items] == ["public"]
    own = [r.title for r in queries.waiting_threads(stage.session, stage.ann, board_id(stage))]
    assert own == (["secret"] if state == "HOLD" else [])
    assert queries.waiting_threads(stage.session, stage.ben, board_id(stage)) == []


def test_members_find_a_shielded_thread_in_the_list_and_visitors_do_not(stage: Stage) -> None:
    for n in range(3):
        stage.ask(title=f"public {n}")
    stage.ask(title="shielded", body="SHIELD it")
    for sort in ("active", "new", "helpful", "unanswered"):
        assert "shielded" in rows(stage, stage.ben, sort=sort)
        assert "shielded" not in rows(stage, sort=sort)


def test_unanswered_questions_of_my_boards(stage: Stage) -> None:
    stage.ask(title="here")
    stage.ask(title="there", board_slug="unsorted")
    boards.follow(stage.session, stage.ben, "backache", now=stage.now)
    assert [r.title for r in queries.unanswered(stage.session, stage.ben, mine=True).items] == ["here"]
    assert {r.title for r in queries.unanswered(stage.session, stage.ben).items} == {"here", "there"}


def test_a_row_says_whether_something_is_new_for_its_reader(stage: Stage) -> None:
    thread = stage.ask().thread

    def has_news() -> bool:
        return queries.board_threads(stage.session, stage.ben, board_id(stage)).items[0].has_news

    assert not has_news()
    reading.see(stage.session, stage.ben, thread.id, 0, now=stage.now + timedelta(minutes=1))
    assert not has_news()
    stage.answer(thread.id, stage.cora, now=stage.now + timedelta(hours=1))
    assert has_news()


def test_authors_carry_their_chips_and_former_members_nothing(stage: Stage) -> None:
    stage.ask()
    ann = stage.session.get_one(Member, stage.ann.id)
    stage.session.add(RoleGrant(member_id=ann.id, role=Role.MODERATOR, board_id=board_id(stage), granted_at=stage.now))
    stage.session.add(RoleGrant(member_id=ann.id, role=Role.EDITOR, granted_at=stage.now))
    stage.session.flush()
    author = queries.board_threads(stage.session, ANONYMOUS, board_id(stage)).items[0].author
    assert (author.handle, author.chips) == ("Ann", ("moderator", "editor"))
    # On other boards she is no moderator.
    elsewhere = stage.ask(board_slug="unsorted").thread
    assert page(stage, elsewhere.id).opening.author == queries.AuthorView("Ann", chips=("editor",))
    ann.closed_at = stage.now
    stage.session.flush()
    assert page(stage, elsewhere.id).opening.author == queries.AuthorView("Former member", is_former=True)


# --- A thread ----------------------------------------------------------------------------------------------------


def test_a_thread_is_read_by_ranges_of_positions(stage: Stage) -> None:
    thread = stage.ask().thread
    for n in range(45):
        stage.answer(thread.id, body=f"answer {n}")
    pages = [page(stage, thread.id, number=n) for n in (1, 2, 3)]
    assert [[p.position for p in one.posts] for one in pages] == [
        list(range(1, 21)),
        list(range(21, 41)),
        list(range(41, 46)),
    ]
    assert {one.page_count for one in pages} == {3}
    assert pages[2].posts[0].page == 3
    for number in (0, 4):
        with pytest.raises(NotFound):
            page(stage, thread.id, number=number)


def test_the_api_reads_a_thread_by_cursor(stage: Stage) -> None:
    thread = stage.ask().thread
    for _ in range(5):
        stage.answer(thread.id)
    first = page(stage, thread.id, limit=3)
    rest = page(stage, thread.id, limit=3, after=first.next)
    assert [p.position for p in (*first.posts, *rest.posts)] == [1, 2, 3, 4, 5]
    assert (rest.next, rest.helpful) == (None, ())


def test_page_one_opens_with_up_to_three_most_helpful_answers(stage: Stage) -> None:
    thread = stage.ask().thread
    answers = [stage.answer(thread.id).post for _ in range(5)]
    for post, fans in ((answers[1], [stage.ann]), (answers[3], [stage.ann, stage.cora]), (answers[4], [stage.cora])):
        for fan in fans:
            votes.mark_helpful(stage.session, fan, post.id, settings=stage.settings, now=stage.now)
    shown = page(stage, thread.id)
    assert [p.id for p in shown.helpful] == [answers[3].id, answers[1].id, answers[4].id]
    assert [p.id for p in shown.posts] == [a.id for a in answers]
    marked = page(stage, thread.id, stage.ann)
    assert [p.marked_helpful for p in marked.posts] == [False, True, False, True, False]


def test_a_held_answer_is_on_the_page_of_its_author_and_moderator_alone(stage: Stage) -> None:
    thread = stage.ask().thread
    held = stage.answer(thread.id, body="HOLD secret").post
    for actor in (ANONYMOUS, stage.ann, stage.cora):
        assert page(stage, thread.id, actor).posts == ()
    mine = page(stage, thread.id, stage.ben).posts[0]
    assert (mine.id, mine.source, mine.is_mine) == (held.id, "HOLD secret", True)
    assert mine.held is not None
    assert (mine.held.position, mine.held.hours, len(mine.guidance)) == (1, (8, 20), 1)
    judged = page(stage, thread.id, stage.mo).posts[0]
    assert (judged.source, judged.held, judged.guidance) == ("HOLD secret", None, ())


def test_a_tombstone_has_a_place_and_no_words(stage: Stage) -> None:
    thread = stage.ask().thread
    post = stage.answer(thread.id, body="secret words").post
    lifecycle.move(stage.session, post.id, S.HIDDEN, expected_version=1, now=stage.now)
    stone = page(stage, thread.id, stage.cora).posts[0]
    assert (stone.sight, stone.is_tombstone, stone.state) == (Sight.TOMBSTONE, True, S.HIDDEN)
    assert (stone.html, stone.text, stone.excerpt, stone.source) == ("", "", "", None)
    assert stone.may == frozenset()
    assert page(stage, thread.id, stage.ben).posts[0].text == "secret words"


def test_the_title_of_a_hidden_question_is_hidden_with_it_and_its_answers_stay(stage: Stage) -> None:
    posted = stage.ask(title="Secret title")
    stage.answer(posted.thread.id)
    lifecycle.move(stage.session, posted.post.id, S.HIDDEN, expected_version=1, now=stage.now)
    shown = page(stage, posted.thread.id, stage.cora)
    assert (shown.thread.title, shown.thread.slug, shown.words) == ("", "", "")
    assert (shown.thread.is_noindex, shown.takes_answers, len(shown.posts)) == (True, False, 1)
    assert shown.thread.url == f"/threads/{posted.thread.id}"


def test_a_held_thread_has_a_page_for_its_author_and_moderator_alone(stage: Stage) -> None:
    posted = stage.ask(body="HOLD it")
    for actor in (ANONYMOUS, stage.ben):
        with pytest.raises(NotFound):
            page(stage, posted.thread.id, actor)
        with pytest.raises(NotFound):
            queries.place_of(stage.session, actor, posted.post.id)
    for actor in (stage.ann, stage.mo):
        assert page(stage, posted.thread.id, actor).opening.source == "HOLD it"


def test_an_answer_is_gone_for_others_while_its_thread_waits_again(stage: Stage) -> None:
    posted = stage.ask()
    answer = stage.answer(posted.thread.id).post
    lifecycle.move(stage.session, posted.post.id, S.HELD, expected_version=1, now=stage.now)
    for actor in (ANONYMOUS, stage.cora):
        with pytest.raises(NotFound):
            queries.post(stage.session, actor, answer.id, gate=stage.gate, settings=stage.settings, now=stage.now)


def test_an_edit_that_waits_is_shown_to_author_and_moderator_beside_the_live_text(stage: Stage) -> None:
    posted = stage.ask(body="live")
    stage.edit(posted.post, body="HOLD waiting")
    mine = page(stage, posted.thread.id, stage.ann).opening
    assert mine.waiting is not None
    assert (mine.text, mine.waiting.source, mine.held is not None) == ("live", "HOLD waiting", True)
    assert page(stage, posted.thread.id, stage.mo).opening.waiting == mine.waiting
    assert page(stage, posted.thread.id, stage.ben).opening.waiting is None


@pytest.mark.parametrize("seen_by", ["anonymous", "member", "moderator", "author"])
def test_intake_answers_reach_only_those_who_may_see_them(stage: Stage, seen_by: str) -> None:
    ask_intake(stage.session, stage.session.get_one(Condition, stage.condition.id))
    posted = stage.ask(
        intake=[
            IntakeInput("age_band", ("25-34",)),
            IntakeInput("site", ("low",)),
            IntakeInput("severity_0_10", ("3",), "private"),
            IntakeInput("tried", ("Heat",)),
        ]
    )
    actor, keys = {
        "anonymous": (ANONYMOUS, ["site"]),
        "member": (stage.ben, ["age_band", "site"]),
        "moderator": (stage.mo, ["age_band", "site", "tried"]),
        "author": (stage.ann, ["age_band", "site", "severity_0_10", "tried"]),
    }[seen_by]
    assert [answer.key for answer in page(stage, posted.thread.id, actor).intake] == keys
    lifecycle.move(stage.session, posted.post.id, S.HIDDEN, expected_version=1, now=stage.now)
    hidden = page(stage, posted.thread.id, actor).intake
    assert [a.key for a in hidden] == (keys if seen_by in ("moderator", "author") else [])


def test_each_reader_may_do_what_the_doors_allow(stage: Stage) -> None:
    posted = stage.ask()
    stage.answer(posted.thread.id)

    def may(actor: Actor) -> tuple[set[Action], set[Action]]:
        shown = page(stage, posted.thread.id, actor)
        return set(shown.opening.may), set(shown.posts[0].may)

    reads = {Action.READ_REVISIONS}
    own = reads | {Action.READ_POST_SOURCE, Action.EDIT_POST, Action.WITHDRAW_POST, Action.COMMENT}
    other = reads | {Action.REPORT_POST, Action.COMMENT}
    assert may(ANONYMOUS) == (reads, reads)
    assert may(stage.ann) == (own | {Action.ANSWER}, other | {Action.MARK_HELPFUL})
    assert may(stage.ben) == (other | {Action.ANSWER}, own)
    assert page(stage, posted.thread.id).takes_answers


def test_the_first_unread_post_is_found_and_the_mark_falls_due_only_when_it_moves(stage: Stage) -> None:
    thread = stage.ask().thread
    posts = [stage.answer(thread.id).post.id for _ in range(25)]
    first = page(stage, thread.id, stage.cora)
    assert (first.first_unread_id, first.mark_is_due, first.seen_to) == (None, True, 20)
    reading.see(stage.session, stage.cora, thread.id, first.seen_to, now=stage.now)
    again = page(stage, thread.id, stage.cora)
    assert (again.first_unread_id, again.read_to, again.mark_is_due) == (posts[20], 20, False)
    second = page(stage, thread.id, stage.cora, number=2)
    assert second.mark_is_due
    reading.see(stage.session, stage.cora, thread.id, 25, now=stage.now)
    reading.see(stage.session, stage.cora, thread.id, 3, now=stage.now)
    assert page(stage, thread.id, stage.cora).first_unread_id is None
    assert page(stage, thread.id).mark_is_due is False


def test_a_thread_without_a_new_post_for_two_years_is_old(stage: Stage) -> None:
    thread = stage.ask().thread
    assert not page(stage, thread.id, now=stage.now + timedelta(days=730)).thread.is_old
    assert page(stage, thread.id, now=stage.now + timedelta(days=731)).thread.is_old


def test_a_permanent_address_leads_to_the_posts_page(stage: Stage) -> None:
    thread = stage.ask(title="Why?").thread
    posts = [stage.answer(thread.id).post for _ in range(21)]
    place = queries.place_of(stage.session, ANONYMOUS, posts[-1].id)
    assert place.url == f"/threads/{thread.id}/why?page=2#post-{posts[-1].id}"
    assert queries.place_of(stage.session, ANONYMOUS, posts[0].id).page == 1


# --- Search ------------------------------------------------------------------------------------------------------


def test_search_finds_public_threads_and_posts_with_their_board(stage: Stage) -> None:
    thread = stage.ask(title="Cycling and pain", body="My saddle").thread
    answer = stage.answer(thread.id, body="Raise the saddle").post
    found = search.search(stage.session, "saddle").items
    assert {(r.type, r.url, r.board_slug) for r in found} == {
        ("thread", f"/threads/{thread.id}/cycling-and-pain", "backache"),
        ("post", f"/posts/{answer.id}", "backache"),
    }
    assert [r.type for r in search.search(stage.session, "saddle", kind="post").items] == ["post"]
    assert len(search.search(stage.session, "saddle", kind="question", board="backache").items) == 2
    assert search.search(stage.session, "saddle", kind="experience").items == []
    assert search.search(stage.session, "saddle", board="unsorted").items == []
    assert next(segment for segment in found[0].segments if segment[1])[0].lower() == "saddle"


@pytest.mark.parametrize("q", ["", "   ", '"', "a OR", "NOT", "(", "*", "'; drop", "saddle:*", "\x02", "x" * 5000])
def test_search_answers_whatever_is_typed(stage: Stage, q: str) -> None:
    stage.ask()
    assert isinstance(search.search(stage.session, q).items, list)
    assert isinstance(search.similar(stage.session, q), list)


def test_search_pages_on_and_refuses_a_foreign_cursor(stage: Stage) -> None:
    for n in range(5):
        stage.ask(title=f"saddle {n}")
    seen, after = [], None
    while True:
        part = search.search(stage.session, "saddle", after=after, limit=2)
        seen += [r.url for r in part.items]
        after = part.next
        if after is None:
            break
    assert len(set(seen)) == len(seen) == 5
    for cursor in ("zzz", "cjA", "é", "MTI"):
        with pytest.raises(Invalid):
            search.search(stage.session, "saddle", after=cursor)


def test_similar_questions_share_some_words(stage: Stage) -> None:
    near = stage.ask(title="Back pain after cycling").thread
    stage.ask(title="Cough at night", body="Dry")
    found = search.similar(stage.session, "Is cycling bad for a back?")
    assert [s.url for s in found] == [f"/threads/{near.id}/back-pain-after-cycling"]
    assert search.similar(stage.session, "Is cycling bad?", besides=near.id) == []


# --- Cost --------------------------------------------------------------------------------------------------------


def grow(stage: Stage, threads: int, answers: int) -> int:
    """More of everything: threads, answers and comments by several people, marks, a waiting post of Ann's."""
    first = stage.ask(title="saddle 0").thread
    for n in range(1, threads):
        stage.ask(title=f"saddle {n}")
    for n in range(answers):
        answer = stage.answer(first.id, (stage.ben, stage.cora)[n % 2]).post
        stage.comment(first.id, stage.ann, parent_id=answer.id)
        votes.mark_helpful(stage.session, stage.ann, answer.id, settings=stage.settings, now=stage.now)
    stage.answer(first.id, stage.ann, body="HOLD it")
    stage.session.commit()
    return first.id


@pytest.mark.parametrize(
    "what, most",
    [
        ("board", 2),
        ("board list", 3),
        ("unanswered", 2),
        ("thread", 13),
        ("thread for a visitor", 8),
        ("thread for a moderator", 12),
        ("post", 11),
        ("search", 2),
        ("similar", 2),
        ("place", 3),
    ],
)
def test_the_number_of_queries_is_pinned_and_does_not_grow(stage: Stage, what: str, most: int) -> None:
    thread_id, here = grow(stage, threads=2, answers=1), board_id(stage)

    def act() -> None:
        asks: dict[str, Callable[[], Any]] = {
            "board": lambda: queries.board(stage.session, stage.ann, "backache"),
            "board list": lambda: queries.board_threads(stage.session, stage.ann, here),
            "unanswered": lambda: queries.unanswered(stage.session, stage.ann, mine=True),
            "thread": lambda: page(stage, thread_id, stage.ann),
            "thread for a visitor": lambda: page(stage, thread_id),
            "thread for a moderator": lambda: page(stage, thread_id, stage.mo),
            "post": lambda: queries.post(
                stage.session, stage.ann, first_answer, gate=stage.gate, settings=stage.settings, now=stage.now
            ),
            "search": lambda: search.search(stage.session, "saddle"),
            "similar": lambda: search.similar(stage.session, "saddle"),
            "place": lambda: queries.place_of(stage.session, ANONYMOUS, first_answer),
        }
        asks[what]()

    first_answer = page(stage, thread_id).posts[0].id
    counts = []
    for _ in range(2):
        stage.session.commit()
        stage.session.expire_all()
        with counting(stage.session) as sent:
            act()
        counts.append(len(sent))
        for _ in range(8):
            stage.ask(title="saddle more")
            stage.answer(thread_id, stage.ben)
    assert counts[0] == counts[1] <= most, counts
