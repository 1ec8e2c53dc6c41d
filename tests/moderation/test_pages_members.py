"""What members see of moderation: reporting, statements of reasons, own posts that wait, decisions about them."""

import re

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from auth.models import Member
from core.vocabulary import PostState
from forum.models import Post
from moderation.models import Report
from tests.forum.counting import counting
from tests.moderation.desk import Desk, html_of, text_of
from tests.moderation.test_screen import CRISIS
from tests.support.cast import csrf_of, sign_in

MAIL = "Please write to ann.smith@gmail.com about it."


def count(session: Session) -> int:
    return session.execute(select(func.count(Report.id))).scalar_one()


@pytest.fixture
def post(desk: Desk, ann: Member) -> Post:
    """Ann's question, public."""
    return desk.ask(ann, "Which mattress is best?")


# --- Reporting ---------------------------------------------------------------------------------------------------


def test_a_post_is_reported_and_its_reporter_can_follow_it(desk: Desk, post: Post, ben: Member, mo: Member) -> None:
    form = desk.get(ben, f"/posts/{post.id}/report")
    assert form.status_code == 200
    assert "Which mattress is best?" in text_of(form)
    assert 'value="R9-no-ads"' in html_of(form)
    assert 'value="none"' not in html_of(form)
    sent = desk.post(ben, f"/posts/{post.id}/report", rule="R9-no-ads", note="It sells something.")
    assert sent.status_code == 303
    assert re.fullmatch(r"/reports/[0-9a-f]{32}", sent.location)
    page = desk.get(ben, sent.location)
    assert "Thank you. A person will read it." in text_of(page)
    assert "We aim to decide by" in text_of(page)
    assert sent.location.split("/")[-1] in text_of(page)
    desk.decide(mo, post, "hide")
    after = desk.app.test_client().get(sent.location)
    assert after.status_code == 200
    assert "We read the post and acted: the post is hidden." in text_of(after)


def test_whoever_holds_the_reference_learns_nothing_about_the_author(desk: Desk, post: Post, ben: Member) -> None:
    reference = desk.report(ben, post, note="She lives next door.")
    said = html_of(desk.app.test_client().get(f"/reports/{reference}"))
    assert "noindex" in said
    for secret in ("ann", "ben", "She lives next door.", "Which mattress"):
        assert not re.search(rf"\b{re.escape(secret)}\b", said)


def test_a_report_that_changed_nothing_says_so_kindly(desk: Desk, post: Post, ben: Member, mo: Member) -> None:
    reference = desk.report(ben, post)
    desk.decide(mo, post, "dismiss")
    said = text_of(desk.get(ben, f"/reports/{reference}"))
    assert "We did not act on it" in said
    assert "If you see it differently" in said


def test_a_report_without_a_rule_comes_back_with_its_note(
    desk: Desk, session: Session, post: Post, ben: Member
) -> None:
    note = "\nThe third line, <please> read it."
    for rule in ("", "none", "R99"):
        answer = desk.post(ben, f"/posts/{post.id}/report", rule=rule, note=note)
        assert answer.status_code == 422
        assert 'href="#rule"' in html_of(answer)
        assert ">\n\nThe third line, &lt;please&gt; read it.</textarea>" in html_of(answer)
    assert count(session) == 0


def test_a_note_too_long_comes_back_uncut(desk: Desk, session: Session, post: Post, ben: Member) -> None:
    note = "word " * 401
    answer = desk.post(ben, f"/posts/{post.id}/report", rule="R11-kind", note=note)
    assert answer.status_code == 422
    assert note in html_of(answer)
    assert re.search(r'value="R11-kind" checked', html_of(answer))
    assert count(session) == 0


def test_one_s_own_post_needs_no_report(desk: Desk, session: Session, post: Post, ann: Member) -> None:
    answer = desk.get(ann, f"/posts/{post.id}/report")
    assert answer.status_code == 403
    assert f'href="/posts/{post.id}/edit"' in html_of(answer)
    assert desk.post(ann, f"/posts/{post.id}/report", rule="R11-kind").status_code == 403
    assert count(session) == 0


def test_a_second_report_leads_to_the_first(desk: Desk, session: Session, post: Post, ben: Member) -> None:
    reference = desk.report(ben, post)
    opened = desk.get(ben, f"/posts/{post.id}/report")
    assert opened.location == f"/reports/{reference}"
    sent = desk.post(ben, f"/posts/{post.id}/report", rule="R9-no-ads", note="Again")
    assert (sent.status_code, sent.location) == (303, f"/reports/{reference}")
    assert "You have reported this post already." in text_of(desk.get(ben, sent.location))
    assert count(session) == 1


def test_what_a_reader_may_not_know_of_cannot_be_reported(desk: Desk, ben: Member, cora: Member) -> None:
    hidden = desk.ask(cora)
    for path in (f"/posts/{hidden.id}/report", "/posts/999/report"):
        assert desk.get(ben, path).status_code == 404
        assert desk.post(ben, path, rule="R11-kind").status_code == 404


def test_a_visitor_s_report_is_kept_until_they_have_signed_in(
    desk: Desk, session: Session, post: Post, ben: Member
) -> None:
    visitor, path = desk.app.test_client(), f"/posts/{post.id}/report"
    assert visitor.get(path).location.split("?")[0] == "/login"
    sent = visitor.post(path, data={"csrf_token": csrf_of(visitor), "rule": "R9-no-ads", "note": "It sells something."})
    assert (sent.status_code, sent.location) == (303, "/login?kept=1")
    assert count(session) == 0
    form = html_of(sign_in(visitor, ben).get(f"{path}?resume=1"))
    assert "It sells something.</textarea>" in form
    assert re.search(r'value="R9-no-ads" checked', form)


@pytest.mark.parametrize("path", ["/reports/" + "0" * 32, "/decisions/" + "0" * 32, "/reports/1", "/decisions/x"])
def test_a_reference_that_does_not_exist_is_not_found(desk: Desk, path: str) -> None:
    assert desk.app.test_client().get(path).status_code == 404


# --- Statements --------------------------------------------------------------------------------------------------

ORDER = [
    "What we did",
    "Where it applies",
    "For how long",
    "The words concerned",
    "Why we did it",
    "How it reached us",
    "What machines did",
    "The rule",
    "What you can do now",
    "If you think we are wrong",
    "Other ways",
]


def test_a_statement_says_everything_in_its_order(desk: Desk, cora: Member, mo: Member) -> None:
    post = desk.ask(cora, MAIL)
    reference = desk.decide(mo, post, "request_changes", "Please take the address out.")
    answer = desk.app.test_client().get(f"/decisions/{reference}")
    assert answer.status_code == 200
    html, said = html_of(answer), text_of(answer)
    heads = re.findall(r"<(?:dt|h2)[^>]*>([^<]+)</(?:dt|h2)>", html)
    assert [head for head in heads if head in ORDER] == ORDER
    assert "Please take the address out." in said
    assert MAIL in said
    assert "No amounts of medicine" in said
    assert 'href="/contact"' in html
    assert "noindex" in html
    # Only its author is offered to edit.
    assert "Edit your text" not in said
    assert "Edit your text" in text_of(desk.get(cora, f"/decisions/{reference}"))


def test_a_statement_stays_after_its_decision_was_taken_back(
    desk: Desk, session: Session, cora: Member, mo: Member
) -> None:
    post = desk.ask(cora)
    reference = desk.decide(mo, post, "reject")
    desk.post(mo, "/moderation/decisions/1/undo", reason="The wrong button.")
    assert desk.state(post) is PostState.HELD
    answer = desk.app.test_client().get(f"/decisions/{reference}")
    assert answer.status_code == 200
    assert "We have taken this decision back." in text_of(answer)


def test_support_comes_first_where_a_crisis_is_near(desk: Desk, cora: Member, mo: Member) -> None:
    reference = desk.decide(mo, desk.ask(cora, CRISIS), "request_changes")
    said = text_of(desk.app.test_client().get(f"/decisions/{reference}"))
    assert said.index("You can talk to someone now") < said.index("What we did")
    assert "116 123" in said


# --- My posts that wait ------------------------------------------------------------------------------------------


def test_my_waiting_posts_say_why_and_what_i_can_do(desk: Desk, cora: Member) -> None:
    post = desk.ask(cora, title="A first question")
    answer = desk.get(cora, "/me/held")
    assert answer.status_code == 200
    said = text_of(answer)
    assert "A first question" in said
    assert "A person reads the first 3 posts of every new member" in said
    assert "Place in line 1" in said
    assert "A person looks between 8:00 and 20:00 every day." in said
    assert f'href="/posts/{post.id}/edit"' in html_of(answer)
    assert f'href="/posts/{post.id}/withdraw"' in html_of(answer)


def test_an_edit_that_waits_is_listed_too(desk: Desk, post: Post, ann: Member) -> None:
    desk.edit(ann, post, MAIL)
    said = text_of(desk.get(ann, "/me/held"))
    assert "Readers see the text from before until this one is approved." in said
    assert "E-mail" in said or "e-mail" in said


def test_a_change_that_was_asked_for_stands_there_with_its_reason(desk: Desk, cora: Member, mo: Member) -> None:
    desk.decide(mo, desk.ask(cora), "request_changes", "Please take the amount out.")
    said = text_of(desk.get(cora, "/me/held"))
    assert "Please change it and send it again" in said
    assert "Please take the amount out." in said


def test_nobody_else_s_posts_are_listed(desk: Desk, ben: Member, cora: Member, mo: Member) -> None:
    desk.ask(cora, title="A first question")
    for other in (ben, mo):
        said = text_of(desk.get(other, "/me/held"))
        assert "A first question" not in said
        assert "Nothing of yours waits" in said


@pytest.mark.parametrize("path", ["/me/held", "/me/decisions"])
def test_pages_about_me_ask_a_visitor_to_sign_in(desk: Desk, path: str) -> None:
    answer = desk.app.test_client().get(path)
    assert (answer.status_code, answer.location.split("?")[0]) == (302, "/login")


# --- Decisions about me ------------------------------------------------------------------------------------------


def test_decisions_about_me_lead_to_their_statements(desk: Desk, ben: Member, cora: Member, mo: Member) -> None:
    assert "No decisions" in text_of(desk.get(cora, "/me/decisions"))
    reference = desk.decide(mo, desk.ask(cora, title="A first question"), "reject")
    answer = desk.get(cora, "/me/decisions")
    assert f'href="/decisions/{reference}"' in html_of(answer)
    assert "Your post was not published" in text_of(answer)
    assert "A first question" in text_of(answer)
    assert reference not in html_of(desk.get(ben, "/me/decisions"))


def test_a_cursor_that_is_not_ours_is_refused(desk: Desk, cora: Member, mo: Member) -> None:
    assert desk.get(cora, "/me/decisions?after=nonsense").status_code == 422
    assert desk.get(mo, "/moderation/?after=nonsense").status_code == 422


def test_decisions_about_me_cost_the_same_with_more_rows(
    desk: Desk, session: Session, cora: Member, mo: Member
) -> None:
    client = desk.client(cora)

    def cost() -> list[str]:
        session.commit()
        with counting(session) as sent:
            assert client.get("/me/decisions").status_code == 200
        return sent

    desk.decide(mo, desk.ask(cora), "reject")
    cost()
    few = cost()
    for _ in range(5):
        desk.decide(mo, desk.ask(cora), "reject")
    many = cost()
    assert len(few) == len(many) <= 8, many
