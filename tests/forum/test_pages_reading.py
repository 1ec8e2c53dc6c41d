"""The pages that read: front page, boards, threads, search, members."""

import re
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from auth.models import Member
from core.db import utc_now
from core.vocabulary import PostKind, PostState
from forum import boards, lifecycle, posting, votes
from forum import gate as gates
from forum.intake import IntakeInput
from forum.models import Post
from tests.forum.pages import House, send, text_of
from tests.support.cast import actor_of, sign_in


def path_of(thread_id: int, client: FlaskClient) -> str:
    return client.get(f"/threads/{thread_id}").headers["Location"]


def test_the_front_page_shows_boards_questions_without_answer_and_how_it_works(
    client: FlaskClient, house: House, ann: Member
) -> None:
    empty = text_of(client.get("/"))
    assert "No board is open yet" in empty and "Every question has an answer" in empty
    house.ask(ann, "Who else is stiff at dawn?")
    page = text_of(client.get("/"))
    assert 'href="/boards/backache/"' in page and "Who else is stiff at dawn?" in page
    assert "waiting for" in page and "How it works" in page


@pytest.mark.parametrize(
    "query, found",
    [
        ("q=lumbago", True),
        ("q=BACK", True),
        ("q=zebra", False),
        ("letter=b", True),
        ("letter=g", False),
        ("category=bones", True),
        ("category=none", False),
        ("sort=popular", True),
    ],
)
def test_boards_are_found_by_name_alias_letter_category_and_popularity(
    client: FlaskClient, house: House, ann: Member, query: str, found: bool
) -> None:
    house.ask(ann)
    answer = client.get(f"/boards/?{query}")
    assert answer.status_code == 200
    assert ('<a href="/boards/backache/"' in text_of(answer)) is found


def test_a_board_that_is_not_open_invites_the_first_question_and_is_not_indexed(
    client: FlaskClient, house: House, ann: Member
) -> None:
    page = text_of(client.get("/boards/backache/"))
    assert "This board opens with its first question" in page and 'content="noindex, follow"' in page
    house.ask(ann, "Who else is stiff at dawn?")
    page = text_of(client.get("/boards/backache/"))
    assert "Who else is stiff at dawn?" in page and 'content="index, follow"' in page
    assert "You cannot pass urine" in page and "Lumbago" in page


def test_a_former_address_of_a_board_and_of_its_composers_moves_for_good(client: FlaskClient, house: House) -> None:
    for old, new in [
        ("/boards/back-pain/", "/boards/backache/"),
        ("/boards/back-pain/ask", "/boards/backache/ask"),
        ("/boards/back-pain/share", "/boards/backache/share"),
    ]:
        answer = client.get(old)
        assert (answer.status_code, answer.headers["Location"]) == (301, new)
    assert client.get("/boards/nowhere/").status_code == 404


def test_a_board_filters_and_sorts_its_threads_and_pages_on(client: FlaskClient, house: House, ann: Member) -> None:
    for n in range(21):
        house.ask(ann, f"Question number {n} of many", f"Text {n}", now=house.now + timedelta(minutes=n))
    house.share(ann, "My long way", now=house.now - timedelta(days=1))
    first = text_of(client.get("/boards/backache/?sort=new"))
    assert first.index("Question number 20 of") < first.index("Question number 1 of")
    assert "My long way" not in first
    more = re.search(r'rel="next" href="([^"]+)"', first)
    assert more and "My long way" in text_of(client.get(more[1]))
    assert "Question number" not in text_of(client.get("/boards/backache/?kind=experience"))
    assert client.get("/boards/backache/?after=rubbish").status_code == 422


def test_nobody_else_sees_anything_of_a_waiting_question(
    client: FlaskClient, house: House, ben: Member, cora: Member, mo: Member
) -> None:
    posted = house.ask(cora, "A secret of mine", "Nobody may read this yet.")
    assert posted.held
    paths = [f"/threads/{posted.thread.id}", f"/threads/{posted.thread.id}/a-secret-of-mine", "/", "/boards/backache/"]
    paths += [f"/posts/{posted.post.id}", f"/posts/{posted.post.id}/history", "/search?q=secret", "/members/cora"]
    paths += ["/unanswered", "/boards/backache/ask", f"/threads/{posted.thread.id}/comment?parent={posted.post.id}"]
    for reader in (client, sign_in(house.app.test_client(), ben)):
        for path in paths:
            answer = reader.get(path)
            assert answer.status_code == (404 if str(posted.post.id) in path else 200), path
            assert "secret of mine" not in text_of(answer) and "Nobody may read" not in text_of(answer), path
    author = sign_in(house.app.test_client(), cora)
    page = text_of(author.get(path_of(posted.thread.id, author)))
    assert "Waiting for a person to read it" in page and "Place in line" in page and "/edit" in page
    assert "A secret of mine" in text_of(author.get("/boards/backache/"))
    moderator = sign_in(house.app.test_client(), mo)
    assert "Nobody may read this yet." in text_of(moderator.get(path_of(posted.thread.id, moderator)))


def test_a_thread_has_one_address_and_its_answers_carry_their_comments(
    client: FlaskClient, house: House, ann: Member, ben: Member
) -> None:
    thread = house.ask(ann, "Stiff in the morning").thread
    answer = house.answer(ben, thread.id, "A short walk first.").post
    house.answer(ben, thread.id, "And then a long one, as I found.")
    comment = house.comment(ann, thread.id, "How short is short?", parent_id=answer.id).post
    for wrong in (f"/threads/{thread.id}", f"/threads/{thread.id}/other"):
        moved = client.get(wrong)
        assert (moved.status_code, moved.headers["Location"]) == (301, f"/threads/{thread.id}/stiff-in-the-morning")
    page = text_of(client.get(f"/threads/{thread.id}/stiff-in-the-morning"))
    places = [page.index(words) for words in ("short walk first", "How short is short?", "then a long one")]
    assert places == sorted(places)
    assert f'id="post-{comment.id}"' in page and 'content="index, follow"' in page
    assert "You can write first" in page and "Report" in page


def test_the_most_helpful_answer_is_linked_first_while_answers_stay_in_order(
    client: FlaskClient, house: House, ann: Member, ben: Member, cora: Member
) -> None:
    thread = house.ask(ann).thread
    house.answer(ben, thread.id, "The early one.")
    late = house.answer(ben, thread.id, "The late one.").post
    settings = house.app.extensions["boardwell.settings"]
    votes.mark_helpful(house.session, actor_of(cora), late.id, settings=settings, now=house.now)
    page = text_of(client.get(path_of(thread.id, client)))
    first, rest = page.split('id="answers"')
    assert f'href="#post-{late.id}"' in first and "The early one" not in first
    assert rest.index("The early one.") < rest.index("The late one.")


def test_a_long_thread_has_pages_and_permanent_addresses_lead_to_them(
    client: FlaskClient, house: House, ann: Member, ben: Member
) -> None:
    thread = house.ask(ann, "Long").thread
    posts = [house.answer(ben, thread.id, f"Thought {n}, unlike any other {n * 7}.").post for n in range(22)]
    early, late = client.get(f"/posts/{posts[3].id}"), client.get(f"/posts/{posts[21].id}")
    assert early.headers["Location"] == f"/threads/{thread.id}/long#post-{posts[3].id}"
    assert late.headers["Location"] == f"/threads/{thread.id}/long?page=2#post-{posts[21].id}"
    second = text_of(client.get(f"/threads/{thread.id}/long?page=2"))
    assert "Thought 21," in second and "Thought 3," not in second and 'rel="prev"' in second
    for page in ("0", "3", "x", "99999999999"):
        assert client.get(f"/threads/{thread.id}/long?page={page}").status_code == 404


def test_a_member_is_led_to_the_first_unread_post(house: House, ann: Member, ben: Member) -> None:
    thread = house.ask(ann, "Long").thread
    reader = sign_in(house.app.test_client(), ann)
    assert "Jump to first unread" not in text_of(reader.get(f"/threads/{thread.id}/long"))
    news = house.answer(ben, thread.id, now=utc_now()).post
    assert 'class="unread"' in text_of(reader.get("/boards/backache/"))
    page = text_of(reader.get(f"/threads/{thread.id}/long"))
    assert f'href="/posts/{news.id}">' in page and "post--new" in page
    assert "Jump to first unread" not in text_of(reader.get(f"/threads/{thread.id}/long"))


def test_what_was_withdrawn_or_hidden_leaves_a_tombstone_and_the_thread_is_closed_and_not_indexed(
    client: FlaskClient, house: House, ann: Member, ben: Member
) -> None:
    opened = house.ask(ann, "A private matter", "Very private words.")
    answer = house.answer(ben, opened.thread.id, "I went through it.").post
    lifecycle.move(house.session, answer.id, PostState.HIDDEN, expected_version=answer.version, now=house.now)
    page = text_of(client.get(f"/threads/{opened.thread.id}/a-private-matter"))
    assert "A moderator has hidden this post." in page and "I went through it." not in page
    posting.withdraw(house.session, actor_of(ann), opened.post.id, gate=gates.of(house.app), now=house.now)
    moved = client.get(f"/threads/{opened.thread.id}/a-private-matter")
    assert (moved.status_code, moved.headers["Location"]) == (302, f"/threads/{opened.thread.id}")
    page = text_of(client.get(f"/threads/{opened.thread.id}"))
    assert "The author has withdrawn this post." in page and 'content="noindex"' in page
    assert "rivate matter" not in page and "private words" not in page and "closed to new posts" in page


def test_an_old_thread_says_so(client: FlaskClient, house: House, ann: Member) -> None:
    new = house.ask(ann, now=utc_now() - timedelta(days=700)).thread
    old = house.ask(ann, "Of old", "It began long ago.", now=utc_now() - timedelta(days=800)).thread
    words = "Nothing new here for more than two years"
    assert words in text_of(client.get(path_of(old.id, client)))
    assert words not in text_of(client.get(path_of(new.id, client)))


def test_an_experience_takes_comments_only_and_says_that_it_is_no_advice(
    client: FlaskClient, house: House, ann: Member, ben: Member
) -> None:
    thread = house.share(ann, "The wrong name for years", was_misdiagnosed=True).thread
    house.comment(ben, thread.id, "Thank you for this.")
    page = text_of(client.get(path_of(thread.id, client)))
    assert "It is not advice" in page and "I was misdiagnosed first" in page and "Thank you for this." in page
    assert f"/threads/{thread.id}/comment" in page and f"/threads/{thread.id}/answer" not in page


def test_intake_answers_are_shown_to_whom_they_are_meant_for(
    client: FlaskClient, house: House, ann: Member, ben: Member, mo: Member
) -> None:
    answers = [
        IntakeInput("site", ("low",)),
        IntakeInput("age_band", ("35-44",)),
        IntakeInput("tried", ("Heat pads",)),
        IntakeInput("severity_0_10", ("7",), "private"),
    ]
    thread = house.ask(ann, intake=answers).thread
    seen = {
        "visitor": client,
        "member": sign_in(house.app.test_client(), ben),
        "moderator": sign_in(house.app.test_client(), mo),
        "author": sign_in(house.app.test_client(), ann),
    }
    words = ("Low back", "35 to 44", "Heat pads", "<dd>7")
    found = {}
    for name, reader in seen.items():
        page = text_of(reader.get(path_of(thread.id, reader)))
        found[name] = sum(word in page for word in words)
    assert found == {"visitor": 1, "member": 2, "moderator": 3, "author": 4}


def test_search_filters_and_marks_what_it_found_and_never_lets_markup_through(
    client: FlaskClient, house: House, ann: Member, ben: Member
) -> None:
    thread = house.ask(ann, "Cycling <b>every</b> day", "Does the saddle <script>alert(1)</script> matter?").thread
    house.answer(ben, thread.id, "My saddle was too high.")
    house.share(ann, "A softer saddle", "It made the difference.")
    found = client.get("/search?q=saddle").get_data(as_text=True)
    assert "<mark>saddle</mark>" in found and "Cycling &lt;b&gt;every" in found and "<script>alert" not in found
    assert "A softer saddle" not in text_of(client.get("/search?q=saddle&kind=question"))
    assert "Cycling" not in text_of(client.get("/search?q=saddle&kind=experience"))
    assert "Nothing found" in text_of(client.get("/search?q=saddle&board=unsorted"))
    assert "Nothing found" in text_of(client.get("/search?q=zebra"))
    assert "What are you looking for?" in text_of(client.get("/search"))
    for odd in ('"', "a OR", "NEAR(", "*", "\\", "%27%3B--", "x" * 5000):
        assert client.get("/search", query_string={"q": odd}).status_code == 200
    assert client.get("/search?q=a&board=nowhere").status_code == 404


def test_a_members_page_shows_public_posts_and_roles_and_a_former_member_has_none(
    client: FlaskClient, house: House, ann: Member, ben: Member, cora: Member, mo: Member
) -> None:
    thread = house.ask(ann, "Mine in public").thread
    house.ask(cora, "Not public yet")
    house.answer(ben, thread.id, "Walking it off.")
    assert "Mine in public" in text_of(client.get("/members/ann"))
    assert "Walking it off." in text_of(client.get("/members/ben?show=replies"))
    assert "Not public yet" not in text_of(client.get("/members/cora")) and "New member" in text_of(
        client.get("/members/cora")
    )
    assert "Moderator" in text_of(client.get("/members/mo"))
    ann.closed_at = house.now
    assert client.get("/members/ann").status_code == 404
    assert client.get("/members/nobody").status_code == 404
    assert "Former member" in text_of(client.get(path_of(thread.id, client)))


def test_my_boards_are_followed_and_list_their_open_questions(house: House, ann: Member, ben: Member) -> None:
    house.ask(ann, "On my board")
    reader = sign_in(house.app.test_client(), ben)
    assert "You follow no board yet" in text_of(reader.get("/unanswered?boards=mine"))
    answer = send(reader, "/boards/backache/follow", follow="1")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/boards/backache/")
    assert "On my board" in text_of(reader.get("/unanswered?boards=mine"))
    send(reader, "/boards/backache/follow", follow="0")
    assert "On my board" not in text_of(reader.get("/unanswered?boards=mine"))
    visitor = house.app.test_client()
    assert visitor.get("/unanswered?boards=mine").status_code == 302
    assert send(visitor, "/boards/backache/follow").headers["Location"].startswith("/login")


def test_my_posts_show_what_became_of_each(house: House, ann: Member, cora: Member) -> None:
    house.ask(cora, "Waiting one")
    thread = house.ask(ann, "Of somebody else").thread
    house.answer(cora, thread.id, "Mine too.")
    page = text_of(sign_in(house.app.test_client(), cora).get("/me/posts"))
    assert "Waiting one" in page and "Mine too." in page and "state--held" in page
    assert "Waiting one" not in text_of(sign_in(house.app.test_client(), ann).get("/me/posts"))


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_comment_whose_answer_stands_on_another_page_leads_there(
    client: FlaskClient, house: House, ann: Member, ben: Member
) -> None:
    thread = house.ask(ann, "Long").thread
    first = house.answer(ben, thread.id, "The very first.").post
    for n in range(20):
        house.answer(ben, thread.id, f"Thought {n}, unlike any other {n * 7}.")
    late = house.comment(ann, thread.id, "Late, to the first.", parent_id=first.id).post
    page = text_of(client.get(f"/threads/{thread.id}/long?page=2"))
    assert f'href="/posts/{first.id}">see the answer' in page and f'id="post-{late.id}"' in page
    assert house.session.get_one(Post, late.id).kind is PostKind.COMMENT


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_an_editor_can_open_a_board_before_its_first_thread(client: FlaskClient, house: House, ed: Member) -> None:
    boards.open_board(house.session, actor_of(ed), "gout", now=house.now)
    page = text_of(client.get("/boards/gout/"))
    assert "Nothing here yet" in page and 'content="index, follow"' in page


@pytest.mark.parametrize(
    "state, own, moderator",
    [
        (PostState.HIDDEN, "A moderator has hidden this post", "You see the text as a moderator."),
        (PostState.REMOVED, "A moderator has removed this post", "You see the text as a moderator."),
        (PostState.SHIELDED, "Only signed-in members see this", "Only signed-in members see this"),
        (PostState.WITHDRAWN, "You have withdrawn this post", "The author has withdrawn this post"),
    ],
)
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_author_and_moderator_read_on_with_a_word_on_what_became_of_the_post(
    house: House, ann: Member, ben: Member, mo: Member, state: PostState, own: str, moderator: str
) -> None:
    thread = house.ask(ann, "Long").thread
    post = house.answer(ben, thread.id, "Words that stay with their author.").post
    lifecycle.move(house.session, post.id, state, expected_version=post.version, now=house.now)
    for who, words in ((ben, own), (mo, moderator)):
        page = text_of(sign_in(house.app.test_client(), who).get(f"/threads/{thread.id}/long"))
        assert "Words that stay with their author." in page and words in page


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_changes_that_were_asked_for_lead_their_author_to_the_edit(
    house: House, cora: Member, client: FlaskClient
) -> None:
    posted = house.ask(cora, "Long")
    asked = PostState.CHANGES_REQUESTED
    lifecycle.move(house.session, posted.post.id, asked, expected_version=posted.post.version, now=house.now)
    page = text_of(sign_in(house.app.test_client(), cora).get(f"/threads/{posted.thread.id}/long"))
    assert "A moderator asks you to change something" in page and f"/posts/{posted.post.id}/edit" in page
    assert client.get(f"/threads/{posted.thread.id}/long").status_code == 404
