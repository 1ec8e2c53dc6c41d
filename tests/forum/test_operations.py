"""Whole threads: moved, merged, split, closed and pinned, with everything that hangs on them kept true."""

import random
from datetime import timedelta

import pytest
from sqlalchemy import select

from core.errors import AppError, Conflict, Invalid
from core.fulltext import SearchEntry
from core.vocabulary import PostKind, PostState, ThreadKind
from forum import boards, lifecycle, operations, posting, queries, reading, search, votes
from forum.models import Board, Post, ReadMark, Revision, Thread
from tests.forum.stage import Stage, make_condition


@pytest.fixture(autouse=True)
def other_board(stage: Stage) -> None:
    make_condition(stage.session, stage.now, "Gout")
    stage.session.commit()


def thread_of(stage: Stage, thread_id: int) -> Thread:
    return stage.session.get_one(Thread, thread_id, populate_existing=True)


def board_of(stage: Stage, slug: str) -> Board:
    stmt = select(Board).where(Board.slug == slug).execution_options(populate_existing=True)
    return stage.session.execute(stmt).scalar_one()


def split(stage: Stage, thread_id: int, *posts: Post, title: str = "Its own thread", **more: str) -> operations.Done:
    return operations.split(
        stage.session,
        thread_id,
        post_ids=[post.id for post in posts],
        title=title,
        settings=stage.settings,
        now=stage.now,
        **more,
    )


def found(stage: Stage, words: str, **more: str) -> list[str]:
    return [hit.url for hit in search.search(stage.session, words, **more).items]


def test_a_moved_thread_stands_on_the_other_board_with_its_counters_and_search_rows(stage: Stage) -> None:
    thread = stage.ask(body="A stiff saddle.").thread
    stage.answer(thread.id, body="Loosen the saddle.")
    stage.answer(thread.id, body="HOLD the saddle.")
    done = operations.move(stage.session, thread.id, board_slug="gout", now=stage.now)
    assert thread_of(stage, thread.id).board_id == done.to_board_id == board_of(stage, "gout").id
    assert (board_of(stage, "backache").thread_count, board_of(stage, "backache").post_count) == (0, 0)
    assert (board_of(stage, "gout").thread_count, board_of(stage, "gout").post_count) == (1, 2)
    assert board_of(stage, "gout").opened_at is not None
    assert len(found(stage, "saddle", board="gout")) == 2
    assert found(stage, "saddle", board="backache") == []
    stage.sound()


def test_a_thread_cannot_be_moved_to_where_it_stands(stage: Stage) -> None:
    thread = stage.ask().thread
    with pytest.raises(Conflict) as refused:
        operations.move(stage.session, thread.id, board_slug="backache", now=stage.now)
    assert refused.value.code == "already-there"


def test_merged_posts_stand_at_the_end_of_the_other_thread_in_their_order(stage: Stage) -> None:
    target, source = stage.ask(title="The older one"), stage.ask(stage.ben, title="The same again")
    first = stage.answer(target.thread.id, stage.cora).post
    on_opening = stage.comment(source.thread.id, stage.cora).post
    answer = stage.answer(source.thread.id, stage.ann).post
    on_answer = stage.comment(source.thread.id, stage.cora, parent_id=answer.id).post
    operations.merge(stage.session, source.thread.id, into_id=target.thread.id, now=stage.now)
    order = stage.session.execute(
        select(Post.id).where(Post.thread_id == target.thread.id).order_by(Post.position)
    ).scalars()
    assert list(order) == [target.post.id, first.id, source.post.id, on_opening.id, answer.id, on_answer.id]
    moved = stage.fresh(source.post)
    assert (moved.kind, moved.parent_id) == (PostKind.COMMENT, target.post.id)
    assert stage.fresh(on_opening).parent_id == target.post.id
    assert stage.fresh(on_answer).parent_id == answer.id
    assert stage.fresh(answer).kind is PostKind.ANSWER
    row = thread_of(stage, target.thread.id)
    assert (row.answer_count, row.comment_count) == (2, 3)
    assert (board_of(stage, "backache").thread_count, board_of(stage, "backache").post_count) == (1, 6)
    stage.sound()


def test_a_merged_thread_only_leads_on(stage: Stage) -> None:
    target, source = stage.ask(title="The older one"), stage.ask(stage.ben, title="A saddle again")
    operations.merge(stage.session, source.thread.id, into_id=target.thread.id, now=stage.now)
    assert queries.place_of(stage.session, stage.cora, source.post.id).thread_id == target.thread.id
    for reader in (stage.ben, stage.cora, stage.mo):
        with pytest.raises(queries.Merged) as merged:
            queries.thread_page(
                stage.session, reader, source.thread.id, gate=stage.gate, settings=stage.settings, now=stage.now
            )
        assert merged.value.into == target.thread.id
        listed = queries.board_threads(stage.session, reader, target.thread.board_id).items
        assert [row.id for row in listed] == [target.thread.id]
    assert found(stage, "saddle") == []
    page = queries.thread_page(
        stage.session, stage.cora, target.thread.id, gate=stage.gate, settings=stage.settings, now=stage.now
    )
    assert [post.former_title for post in page.posts] == ["A saddle again"]


def test_a_reply_to_a_merged_thread_arrives_where_it_went(stage: Stage) -> None:
    target, source = stage.ask(), stage.ask(stage.ben)
    operations.merge(stage.session, source.thread.id, into_id=target.thread.id, now=stage.now)
    posted = stage.answer(source.thread.id, stage.cora)
    assert posted.post.thread_id == target.thread.id
    on_moved = stage.answer(source.thread.id, stage.cora, kind=PostKind.COMMENT, parent_id=posted.post.id)
    assert on_moved.post.parent_id == posted.post.id
    stage.sound()


def test_old_addresses_lead_to_the_end_of_a_chain_of_merges(stage: Stage) -> None:
    a, b, c = (stage.ask().thread for _ in range(3))
    operations.merge(stage.session, a.id, into_id=b.id, now=stage.now)
    operations.merge(stage.session, b.id, into_id=c.id, now=stage.now)
    assert thread_of(stage, a.id).merged_into_id == thread_of(stage, b.id).merged_into_id == c.id
    with pytest.raises(Conflict) as refused:
        operations.merge(stage.session, a.id, into_id=c.id, now=stage.now)
    assert refused.value.code == "thread-merged"
    stage.sound()


def test_waiting_and_hidden_posts_go_along_with_a_merge(stage: Stage) -> None:
    target, source = stage.ask(), stage.ask(stage.ben, body="HOLD this question.")
    assert source.post.state is PostState.HELD
    hidden = stage.ask(stage.ben)
    lifecycle.move(stage.session, hidden.post.id, PostState.HIDDEN, expected_version=hidden.post.version, now=stage.now)
    for one in (source, hidden):
        operations.merge(stage.session, one.thread.id, into_id=target.thread.id, now=stage.now)
    assert thread_of(stage, target.thread.id).comment_count == 0
    for reader, seen in ((stage.cora, 1), (stage.ben, 2), (stage.mo, 2)):
        page = queries.thread_page(
            stage.session, reader, target.thread.id, gate=stage.gate, settings=stage.settings, now=stage.now
        )
        assert len(page.posts) == seen
    held = stage.fresh(source.post)
    lifecycle.move(stage.session, held.id, PostState.PUBLISHED, expected_version=held.version, now=stage.now)
    assert thread_of(stage, target.thread.id).comment_count == 1
    stage.sound()


@pytest.mark.parametrize("why", ["itself", "kind", "unpublished"])
def test_what_cannot_be_merged_is_refused(stage: Stage, why: str) -> None:
    source = stage.ask().thread
    other = {
        "itself": lambda: source,
        "kind": lambda: stage.ask(kind=ThreadKind.EXPERIENCE).thread,
        "unpublished": lambda: stage.ask(body="HOLD it.").thread,
    }[why]()
    with pytest.raises(Invalid) as refused:
        operations.merge(stage.session, source.id, into_id=other.id, now=stage.now)
    assert refused.value.errors[0][0] == "into"


def test_whoever_had_read_both_threads_to_the_end_has_read_the_sum(stage: Stage) -> None:
    target, source = stage.ask().thread, stage.ask(stage.ben).thread
    stage.answer(target.id)
    stage.answer(source.id, stage.ann)
    for thread_id, up_to in ((target.id, 1), (source.id, 1)):
        reading.see(stage.session, stage.cora, thread_id, up_to, now=stage.now)
    reading.see(stage.session, stage.mo, source.id, 1, now=stage.now)
    operations.merge(stage.session, source.id, into_id=target.id, now=stage.now)
    last = stage.session.execute(
        select(Post.position).where(Post.thread_id == target.id).order_by(Post.position.desc()).limit(1)
    ).scalar_one()
    mark = reading.mark(stage.session, stage.cora, target.id)
    assert mark is not None and mark.position == last
    assert reading.mark(stage.session, stage.mo, target.id) is None
    assert stage.session.execute(select(ReadMark).where(ReadMark.thread_id == source.id)).first() is None


def test_split_posts_stand_in_a_thread_of_their_own(stage: Stage) -> None:
    source = stage.ask()
    kept = stage.answer(source.thread.id, stage.cora).post
    first = stage.answer(source.thread.id, stage.ben, body="My saddle hurts me too. What helps?").post
    on_first = stage.comment(source.thread.id, stage.ann, parent_id=first.id).post
    second = stage.answer(source.thread.id, stage.ann).post
    on_kept = stage.comment(source.thread.id, stage.ben, parent_id=kept.id).post
    votes.mark_helpful(stage.session, stage.ann, first.id, settings=stage.settings, now=stage.now)
    reading.see(stage.session, stage.cora, source.thread.id, on_first.position, now=stage.now)
    done = split(stage, source.thread.id, second, first, on_kept, title="A saddle that hurts", board_slug="gout")
    made = thread_of(stage, done.into_id or 0)
    assert (made.title, made.author_id, made.state) == ("A saddle that hurts", stage.ben.id, PostState.PUBLISHED)
    assert (made.answer_count, made.comment_count, made.helpful_count) == (1, 2, 0)
    opening = stage.fresh(first)
    assert (opening.kind, opening.position, opening.parent_id) == (PostKind.OPENING, 0, None)
    assert opening.edited_at is None
    # The comment goes with its answer; one whose answer stays belongs to the new first post.
    assert stage.fresh(on_first).parent_id == first.id
    assert stage.fresh(on_kept).parent_id == first.id
    assert thread_of(stage, source.thread.id).answer_count == 1
    assert f"/threads/{made.id}/{made.slug}" in found(stage, "saddle", board="gout")
    assert f"/posts/{first.id}" not in found(stage, "saddle")
    assert queries.place_of(stage.session, stage.cora, on_first.id).thread_id == made.id
    mark = reading.mark(stage.session, stage.cora, made.id)
    assert mark is not None and mark.position == stage.fresh(on_first).position
    stage.sound()


def test_positions_that_were_left_are_not_given_again(stage: Stage) -> None:
    source = stage.ask()
    gone = stage.answer(source.thread.id).post
    left = gone.position
    split(stage, source.thread.id, gone)
    assert stage.answer(source.thread.id).post.position == left + 1
    stage.sound()


def test_a_merged_thread_can_be_taken_out_again_by_a_split(stage: Stage) -> None:
    target, source = stage.ask(title="One"), stage.ask(stage.ben, title="Two")
    answer = stage.answer(source.thread.id, stage.ann).post
    operations.merge(stage.session, source.thread.id, into_id=target.thread.id, now=stage.now)
    done = split(stage, target.thread.id, stage.fresh(source.post), stage.fresh(answer), title="Two")
    assert thread_of(stage, done.into_id or 0).author_id == stage.ben.id
    titles = select(Revision.title).where(Revision.post_id == source.post.id).order_by(Revision.number)
    assert list(stage.session.execute(titles).scalars()) == ["Two", "Two"]
    stage.sound()


@pytest.mark.parametrize("why", ["none", "opening", "foreign", "waiting", "edit waits", "title", "board"])
def test_what_cannot_be_split_is_refused_and_nothing_moves(stage: Stage, why: str) -> None:
    thread = stage.ask().thread
    answer = stage.answer(thread.id).post
    chosen = {
        "none": list,
        "opening": lambda: [stage.session.execute(select(Post).where(Post.position == 0)).scalar_one()],
        "foreign": lambda: [stage.answer(stage.ask().thread.id).post],
        "waiting": lambda: [stage.answer(thread.id, body="HOLD it.").post],
    }.get(why, lambda: [answer])()
    if why == "edit waits":
        stage.edit(answer, stage.ben, body="HOLD this change.")
    more = {"title": " "} if why == "title" else {"board_slug": "nowhere"} if why == "board" else {}
    with pytest.raises(AppError) as refused:
        split(stage, thread.id, *chosen, **more)
    assert refused.value.status in (404, 422)
    assert stage.fresh(answer).thread_id == thread.id


def test_a_closed_thread_takes_no_posts_until_it_is_open_again(stage: Stage) -> None:
    thread = stage.ask().thread
    operations.set_locked(stage.session, thread.id, locked=True)
    with pytest.raises(AppError) as refused:
        stage.answer(thread.id)
    assert refused.value.code == "thread-locked"
    with pytest.raises(Conflict):
        operations.set_locked(stage.session, thread.id, locked=True)
    operations.set_locked(stage.session, thread.id, locked=False)
    stage.answer(thread.id)


def test_pinned_threads_stand_apart_and_are_few(stage: Stage) -> None:
    threads = [stage.ask(now=stage.now + timedelta(minutes=n)).thread for n in range(5)]
    board_id = threads[0].board_id
    for number, thread in enumerate(threads[: operations.MOST_PINNED]):
        at = stage.now + timedelta(hours=number)
        operations.set_pinned(stage.session, thread.id, pinned=True, now=at)
    with pytest.raises(Invalid) as refused:
        operations.set_pinned(stage.session, threads[4].id, pinned=True, now=stage.now)
    assert refused.value.code == "too-many-pins"
    first = queries.pinned_threads(stage.session, stage.cora, board_id)
    assert [row.id for row in first] == [thread.id for thread in threads[2::-1]]
    listed, after = [], None
    while True:
        part = queries.board_threads(stage.session, stage.cora, board_id, limit=1, after=after, without_pinned=True)
        listed += [row.id for row in part.items]
        after = part.next
        if after is None:
            break
    assert listed == [threads[4].id, threads[3].id]
    operations.set_pinned(stage.session, threads[0].id, pinned=False, now=stage.now)
    assert len(queries.pinned_threads(stage.session, stage.cora, board_id)) == 2
    stage.sound()


CHOICES = ("ask", "ask", "reply", "reply", "reply", "state", "edit", "vote", "see", "withdraw")
CHOICES += ("move", "merge", "merge", "merge", "split", "split", "lock", "pin")


def one_operation(stage: Stage, dice: random.Random) -> str:
    """Anything that members and moderators do, at random; what is refused counts as well."""
    session, now = stage.session, stage.now
    threads = list(session.execute(select(Thread.id).order_by(Thread.id)).scalars())
    posts = list(session.execute(select(Post).execution_options(populate_existing=True)).scalars())
    people = [stage.ann, stage.ben, stage.cora]
    name = dice.choice(CHOICES)
    text = dice.choice(["", "", "", "HOLD "]) + f"Words {dice.random()}."
    if name == "ask" or not threads:
        kind = dice.choice([ThreadKind.QUESTION, ThreadKind.QUESTION, ThreadKind.EXPERIENCE])
        stage.ask(dice.choice(people), body=text, kind=kind, board_slug=dice.choice(["backache", "gout"]))
        return "ask"
    thread_id, post = dice.choice(threads), dice.choice(posts)
    if name == "reply":
        kind = dice.choice([PostKind.ANSWER, PostKind.COMMENT])
        parent = dice.choice([None, post.id]) if kind is PostKind.COMMENT else None
        where = post.thread_id if parent else thread_id
        stage.answer(where, dice.choice(people), body=text, kind=kind, parent_id=parent)
    elif name == "state":
        to = dice.choice([state for before, state in lifecycle.MOVES if before is post.state] or [PostState.DRAFT])
        lifecycle.move(session, post.id, to, expected_version=post.version, now=now)
    elif name == "edit":
        author = next(actor for actor in people if actor.id == post.author_id)
        stage.edit(post, author, body=text)
    elif name == "vote":
        votes.mark_helpful(session, dice.choice(people), post.id, settings=stage.settings, now=now)
    elif name == "see":
        reading.see(session, dice.choice(people), thread_id, dice.randrange(9), now=now)
    elif name == "withdraw":
        author = next(actor for actor in people if actor.id == post.author_id)
        posting.withdraw(session, author, post.id, gate=stage.gate, now=now)
    elif name == "move":
        operations.move(session, thread_id, board_slug=dice.choice(["backache", "gout", "unsorted"]), now=now)
    elif name == "merge":
        public = select(Thread.id).where(Thread.state == PostState.PUBLISHED)
        targets = list(session.execute(public).scalars()) or threads
        operations.merge(session, thread_id, into_id=dice.choice(targets), now=now)
    elif name == "split":
        mine = [one for one in posts if one.thread_id == post.thread_id and one.position > 0]
        some = dice.sample(mine, min(len(mine), dice.randint(1, 4)))
        split(stage, post.thread_id, *some, board_slug=dice.choice([None, "gout"]))
    elif name == "lock":
        operations.set_locked(session, thread_id, locked=dice.random() < 0.5)
    else:
        operations.set_pinned(session, thread_id, pinned=dice.random() < 0.7, now=now)
    return name


@pytest.mark.parametrize(
    ("seed", "steps"),
    [(1, 260), (2, 260), *(pytest.param(seed, 800, marks=pytest.mark.soak) for seed in range(3, 23))],
)
def test_any_operations_in_any_order_keep_everything_true(stage: Stage, seed: int, steps: int) -> None:
    dice, done = random.Random(seed), dict.fromkeys(("move", "merge", "split", "lock", "pin"), 0)
    for step in range(steps):
        try:
            with stage.session.begin_nested():
                name = one_operation(stage, dice)
        except AppError:
            continue
        done[name] = done.get(name, 0) + 1
        if step % 20 == 0:
            stage.sound()
    stage.sound()
    # Without these it would prove little.
    assert all(done[name] for name in ("move", "merge", "split", "lock", "pin")), done
    # No search row leads nowhere: each address of a thread is that of one which others can read.
    urls = stage.session.execute(select(SearchEntry.ref_id).where(SearchEntry.kind == "thread")).scalars()
    public = select(Thread.id).where(Thread.state == PostState.PUBLISHED, Thread.merged_into_id.is_(None))
    assert set(urls) == set(stage.session.execute(public).scalars())
    assert boards.find(stage.session, "gout").board is not None
