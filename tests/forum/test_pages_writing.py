"""The pages that write: composers, drafts, edits, marks. Whatever goes wrong, no typed text is lost."""

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from auth.models import Member
from forum.models import Draft, IntakeAnswer, Post, Thread
from tests.forum.pages import House, send, text_of, typed_in, value_of
from tests.support.cast import sign_in

ASK, SHARE = "/boards/backache/ask", "/boards/backache/share"


@pytest.fixture
def as_ann(house: House, ann: Member) -> FlaskClient:
    return sign_in(house.app.test_client(), ann)


@pytest.fixture
def as_ben(house: House, ben: Member) -> FlaskClient:
    return sign_in(house.app.test_client(), ben)


def count(house: House, model: type) -> int:
    return house.session.execute(select(func.count()).select_from(model)).scalar_one()


def newest(house: House) -> Post:
    return house.session.execute(select(Post).order_by(Post.id.desc()).limit(1)).scalar_one()


# --- Starting a thread -------------------------------------------------------------------------------------------


def test_a_question_is_sent_and_stands_at_its_address(house: House, as_ann: FlaskClient) -> None:
    answer = send(as_ann, ASK, title="Why at dawn?", body="It *hurts*.", **{"intake.site": ["low", "neck"]})
    post = newest(house)
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"/threads/{post.thread_id}/why-at-dawn#post-{post.id}"
    page = text_of(as_ann.get(f"/threads/{post.thread_id}/why-at-dawn"))
    assert "<em>hurts</em>" in page and "Low back; Neck" in page and "Others can read it now." in page


def test_a_newcomers_question_waits_and_says_why(house: House, cora: Member) -> None:
    author = sign_in(house.app.test_client(), cora)
    answer = send(author, ASK, title="Why at dawn?", body="It hurts.")
    page = text_of(author.get(answer.headers["Location"]))
    assert "Waiting for a person to read it" in page and "Why it waits" in page and "Withdraw it" in page


def test_a_visitor_writes_first_and_the_text_comes_back_after_signing_in(
    client: FlaskClient, house: House, ann: Member
) -> None:
    typed = {"title": "Typed before", "body": "\nSecond line first.\n ", "intake.site": "neck"}
    answer = send(client, ASK, **typed, **{"intake.site.visibility": "private"})
    assert answer.status_code == 303 and count(house, Thread) == 0
    sign_in(client, ann)
    page = client.get(f"{ASK}?resume=1").get_data(as_text=True)
    assert value_of(page, "title") == "Typed before" and typed_in(page, "body") == "\nSecond line first.\n "
    assert 'value="neck" checked' in page and '<option value="private" selected>' in page
    send(client, ASK, **typed)
    assert newest(house).source == "\nSecond line first.\n "
    again = client.get(f"{ASK}?resume=1").get_data(as_text=True)
    assert typed_in(again, "body") == ""


@pytest.mark.parametrize(
    "fields, words, target",
    [
        ({"title": " ", "body": "Kept text"}, "Please write something here.", "#compose-title"),
        ({"title": "Kept title", "body": ""}, "Please write something here.", "#compose-body"),
        ({"title": "t" * 201, "body": "Kept text"}, "201 characters", "#compose-title"),
        ({"title": "Kept title", "body": "b" * 20001}, "20,001 characters", "#compose-body"),
        ({"title": "Kept title", "body": "a\0b"}, "NUL", "#compose-body"),
        (
            {"title": "Kept title", "body": "Kept", "intake.severity_0_10": "11"},
            "from 0 to 10",
            "#intake.severity_0_10",
        ),
        ({"title": "Kept title", "body": "Kept", "intake.age_band": "37"}, "age group", "#intake.age_band"),
    ],
)
def test_what_cannot_be_accepted_comes_back_filled_with_linked_errors(
    client: FlaskClient, house: House, fields: dict[str, str], words: str, target: str
) -> None:
    answer = send(client, ASK, **fields)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422 and words in text_of(answer) and f'href="{target}"' in page
    assert f'id="{target[1:]}"' in page
    assert value_of(page, "title") == fields["title"]
    if "\0" not in fields["body"]:
        assert typed_in(page, "body") == fields["body"]
    assert count(house, Thread) == 0


def test_a_preview_shows_what_it_will_be_like_and_what_is_there_already_and_stores_nothing(
    client: FlaskClient, house: House, ann: Member
) -> None:
    house.ask(ann, "Cycling with a stiff back")
    answer = send(
        client, ASK, title="Is cycling good?", body="With a **stiff** back.", intent="preview", **{"intake.site": "low"}
    )
    page = text_of(answer)
    assert answer.status_code == 200 and "<strong>stiff</strong>" in page and "Nothing is sent yet" in page
    assert "Cycling with a stiff back" in page and "You cannot pass urine" in page
    assert "Who sees what" in page and "Low back" in page
    assert typed_in(answer.get_data(as_text=True), "body") == "With a **stiff** back."
    assert count(house, Thread) == 1


def test_an_experience_can_be_marked_as_misdiagnosed_first(house: House, as_ann: FlaskClient) -> None:
    send(as_ann, SHARE, title="Three doctors", body="A long way.", was_misdiagnosed="y")
    assert house.session.get_one(Thread, newest(house).thread_id).was_misdiagnosed
    send(as_ann, ASK, title="A question", body="Of mine.", was_misdiagnosed="y")
    assert not house.session.get_one(Thread, newest(house).thread_id).was_misdiagnosed


def test_private_answers_are_stored_as_private(house: House, as_ann: FlaskClient) -> None:
    send(as_ann, ASK, title="A", body="B", **{"intake.tried": "Heat", "intake.tried.visibility": "private"})
    stored = house.session.execute(select(IntakeAnswer)).scalar_one()
    assert (stored.key, stored.visibility) == ("tried", "private")


def test_the_unsorted_board_and_the_choice_of_a_board_are_open_to_visitors(client: FlaskClient, house: House) -> None:
    assert 'href="/boards/backache/ask"' in text_of(client.get("/ask?q=lumbago"))
    assert 'href="/boards/backache/share"' in text_of(client.get("/share?q=lumbago"))
    assert "No board has that name" in text_of(client.get("/ask?q=zebra"))
    assert client.get("/boards/unsorted/ask").status_code == 200
    assert "Questions a doctor would ask" not in text_of(client.get("/boards/unsorted/ask"))
    assert "It helps." in text_of(client.get(ASK))


# --- Drafts ------------------------------------------------------------------------------------------------------


def test_a_draft_is_kept_with_all_its_fields_and_goes_when_it_is_sent(
    house: House, as_ann: FlaskClient, as_ben: FlaskClient
) -> None:
    fields = {"title": "Half a question", "body": "\n\nNot done", "intake.site": "neck"}
    kept = send(as_ann, ASK, intent="draft", **fields)
    assert kept.status_code == 303 and kept.headers["Location"].startswith(f"{ASK}?draft=")
    page = as_ann.get(kept.headers["Location"]).get_data(as_text=True)
    assert value_of(page, "title") == "Half a question" and typed_in(page, "body") == "\n\nNot done"
    assert 'value="neck" checked' in page
    draft = value_of(page, "draft")
    send(as_ann, ASK, intent="draft", draft=draft, title="Half a question", body="Nearly done")
    assert count(house, Draft) == 1 and "Half a question" in text_of(as_ann.get("/me/drafts"))
    assert as_ben.get(kept.headers["Location"]).status_code == 404
    send(as_ben, f"/me/drafts/{draft}/delete")
    assert count(house, Draft) == 1
    send(as_ann, ASK, draft=draft, title="Half a question", body="Done")
    assert count(house, Draft) == 0 and newest(house).source == "Done"


def test_a_draft_of_a_comment_remembers_what_it_replies_to(
    house: House, as_ann: FlaskClient, ann: Member, ben: Member
) -> None:
    thread = house.ask(ann).thread
    parent = house.answer(ben, thread.id, "A walk in the park.").post
    path = f"/threads/{thread.id}/comment"
    kept = send(as_ann, path, intent="draft", body="Which", parent_id=str(parent.id))
    page = as_ann.get(kept.headers["Location"]).get_data(as_text=True)
    assert value_of(page, "parent_id") == str(parent.id) and "A walk in the park." in page
    send(as_ann, f"/me/drafts/{value_of(page, 'draft')}/delete")
    assert "You have no drafts" in text_of(as_ann.get("/me/drafts"))


# --- Replying ----------------------------------------------------------------------------------------------------


def test_an_answer_and_a_comment_are_sent_to_where_they_belong(
    house: House, as_ann: FlaskClient, as_ben: FlaskClient, ann: Member
) -> None:
    thread = house.ask(ann, "Long").thread
    sent = send(as_ben, f"/threads/{thread.id}/answer", body="A walk.")
    answer = newest(house)
    assert sent.headers["Location"] == f"/threads/{thread.id}/long#post-{answer.id}"
    composer = text_of(as_ann.get(f"/threads/{thread.id}/comment?parent={answer.id}"))
    assert "A walk." in composer and "What you reply to" in composer
    send(as_ann, f"/threads/{thread.id}/comment", body="How far?", parent_id=str(answer.id))
    assert newest(house).parent_id == answer.id
    preview = send(as_ben, f"/threads/{thread.id}/answer", body="A *run*.", intent="preview")
    assert "<em>run</em>" in text_of(preview) and count(house, Post) == 3
    empty = send(as_ben, f"/threads/{thread.id}/answer", body="  ")
    assert empty.status_code == 422 and "Please write something here." in text_of(empty)


def test_a_visitors_answer_waits_for_the_sign_in(client: FlaskClient, house: House, ann: Member, ben: Member) -> None:
    thread = house.ask(ann).thread
    sent = send(client, f"/threads/{thread.id}/answer", body="From a visitor.")
    assert sent.status_code == 303 and count(house, Post) == 1
    sign_in(client, ben)
    page = client.get(f"/threads/{thread.id}/answer?resume=1").get_data(as_text=True)
    assert typed_in(page, "body") == "From a visitor."


def test_an_experience_takes_no_answer_and_a_closed_thread_takes_nothing_and_the_text_is_shown_again(
    house: House, as_ben: FlaskClient, ann: Member
) -> None:
    story = house.share(ann).thread
    refused = send(as_ben, f"/threads/{story.id}/answer", body="Typed with care.")
    assert refused.status_code == 403 and "Typed with care." in text_of(refused)
    thread = house.ask(ann).thread
    thread.is_locked = True
    refused = send(as_ben, f"/threads/{thread.id}/answer", body="Typed with care.")
    assert refused.status_code == 403 and "Typed with care." in text_of(refused)
    assert "closed to new posts" in text_of(as_ben.get(f"/threads/{thread.id}", follow_redirects=True))
    assert send(as_ben, "/threads/999/answer", body="x").status_code == 404


def test_a_thread_whose_title_is_the_word_of_a_composer_is_read_at_its_address(
    client: FlaskClient, house: House, ann: Member
) -> None:
    thread = house.ask(ann, "Answer", "Is there one?").thread
    assert client.get(f"/threads/{thread.id}").headers["Location"] == f"/threads/{thread.id}/answer"
    assert "Is there one?" in text_of(client.get(f"/threads/{thread.id}/answer"))
    assert client.get(f"/threads/{thread.id}/comment").status_code == 301


# --- Editing, withdrawing, marking -------------------------------------------------------------------------------


def test_an_edit_brings_every_character_back_and_keeps_the_history(
    house: House, as_ann: FlaskClient, client: FlaskClient
) -> None:
    send(as_ann, ASK, title="First title", body="\n\n  two spaces & a <tag>\r\nend\n\n")
    post = newest(house)
    page = as_ann.get(f"/posts/{post.id}/edit").get_data(as_text=True)
    assert typed_in(page, "body") == "\n\n  two spaces & a <tag>\nend\n\n"
    sent = send(
        as_ann, f"/posts/{post.id}/edit", title="Second title", body="three spaces", version=value_of(page, "version")
    )
    assert sent.status_code == 303 and "second-title" in sent.headers["Location"]
    history = client.get(f"/posts/{post.id}/history").get_data(as_text=True)
    assert "Version 2" in history and "<del>" in history and "Second" in history and "&lt;tag&gt;" in history


def test_two_edits_at_once_lose_nothing(house: House, as_ann: FlaskClient) -> None:
    send(as_ann, ASK, title="Title", body="As it was.")
    post = newest(house)
    path = f"/posts/{post.id}/edit"
    version = value_of(as_ann.get(path).get_data(as_text=True), "version")
    send(as_ann, path, title="Title", body="From one window.", version=version)
    late = send(as_ann, path, title="Other title", body="From the other window.", version=version)
    page = late.get_data(as_text=True)
    assert late.status_code == 409 and "From one window." in page
    assert typed_in(page, "body") == "From the other window." and value_of(page, "title") == "Other title"
    send(as_ann, path, title="Title", body="Both together.", version=value_of(page, "version"))
    house.session.expire_all()
    assert newest(house).source == "Both together."
    assert send(as_ann, path, title="Title", body="Without its version.").status_code == 409


def test_only_the_author_edits_and_withdraws(
    house: House, as_ben: FlaskClient, client: FlaskClient, ann: Member
) -> None:
    post = house.ask(ann).post
    for path in (f"/posts/{post.id}/edit", f"/posts/{post.id}/withdraw"):
        assert as_ben.get(path).status_code == 403
        assert send(as_ben, path, body="x", title="y", version="1").status_code == 403
        assert client.get(path).headers["Location"].startswith("/login")
    assert as_ben.get("/posts/999/edit").status_code == 404


def test_withdrawing_explains_first_and_is_done_by_a_press(
    house: House, as_ann: FlaskClient, client: FlaskClient, ann: Member, ben: Member
) -> None:
    thread = house.ask(ben).thread
    post = house.answer(ann, thread.id, "Words to take back.").post
    assert "A line stays in its place" in text_of(as_ann.get(f"/posts/{post.id}/withdraw"))
    assert "Words to take back." in text_of(client.get(f"/threads/{thread.id}", follow_redirects=True))
    assert send(as_ann, f"/posts/{post.id}/withdraw").status_code == 303
    page = text_of(client.get(f"/threads/{thread.id}", follow_redirects=True))
    assert "Words to take back." not in page and "The author has withdrawn this post." in page
    own = text_of(as_ann.get(f"/threads/{thread.id}", follow_redirects=True))
    assert "Words to take back." in own and "You have withdrawn this post" in own


def test_an_answer_is_marked_helpful_and_the_mark_taken_back_but_not_by_its_author(
    house: House, as_ann: FlaskClient, as_ben: FlaskClient, client: FlaskClient, ann: Member, ben: Member
) -> None:
    thread = house.ask(ann).thread
    answer = house.answer(ben, thread.id).post
    path = f"/posts/{answer.id}/helpful"
    assert send(as_ann, path, mark="1").status_code == 303
    assert "Helpful · 1" in text_of(as_ann.get(f"/threads/{thread.id}", follow_redirects=True))
    assert "1 found this helpful" in text_of(client.get(f"/threads/{thread.id}", follow_redirects=True))
    send(as_ann, path, mark="0")
    assert "found this helpful" not in text_of(client.get(f"/threads/{thread.id}", follow_redirects=True))
    assert send(as_ben, path, mark="1").status_code == 403
    assert send(client, path, mark="1").headers["Location"].startswith("/login")
    assert send(as_ben, f"/posts/{answer.id - 1}/helpful", mark="1").status_code == 403


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_doors_that_write_refuse_to_be_read(house: House, as_ann: FlaskClient, ann: Member) -> None:
    post = house.ask(ann).post
    for path in (f"/posts/{post.id}/helpful", "/boards/backache/follow", "/me/drafts/1/delete"):
        assert as_ann.get(path).status_code == 405


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_form_without_its_token_stores_nothing_and_shows_the_text_again(house: House, as_ann: FlaskClient) -> None:
    answer = as_ann.post(ASK, data={"title": "Typed", "body": "With care."})
    assert answer.status_code == 400 and "With care." in text_of(answer) and count(house, Thread) == 0
