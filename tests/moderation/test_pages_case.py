"""One case on one screen: what a moderator reads there, and every button of it."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from auth.models import Member
from core.vocabulary import CaseState, PostState
from moderation.models import Decision
from tests.forum.counting import counting
from tests.moderation.desk import Desk, html_of, text_of

MAIL = "Please write to ann.smith@gmail.com about it."
REASON = "It names an amount. Please leave it out."


def verdicts(html: str) -> list[str]:
    return re.findall(r'type="radio"[^>]*name="verdict" value="(\w+)"', html)


def count(session: Session) -> int:
    return session.execute(select(func.count(Decision.id))).scalar_one()


# --- Reading -----------------------------------------------------------------------------------------------------


def test_the_page_shows_all_that_one_decision_needs(desk: Desk, cora: Member, mo: Member) -> None:
    post = desk.ask(cora, MAIL, title="Who wants to <talk>?")
    answer = desk.get(mo, desk.case_url(post))
    assert answer.status_code == 200
    html, said = html_of(answer), text_of(answer)
    assert "Who wants to &lt;talk&gt;?" in html
    assert re.search(r"<mark>ann\.smith@gmail\.com<sup", html)
    assert "E-mail address Holds the post" in said
    assert "New member Holds the post" in said
    assert "Posts that became public 0" in said
    assert "Nobody has reported it." in said
    assert "Member for" in said
    assert 'value="R7-privacy-own"' in html


def test_only_verdicts_that_are_possible_are_offered(
    desk: Desk, ann: Member, ben: Member, cora: Member, mo: Member
) -> None:
    held, reported = desk.ask(cora), desk.ask(ann)
    desk.report(ben, reported)
    assert verdicts(html_of(desk.get(mo, desk.case_url(held)))) == [
        *("approve", "request_changes", "reject", "redact", "label", "shield", "hide", "escalate"),
    ]
    assert verdicts(html_of(desk.get(mo, desk.case_url(reported)))) == [
        *("dismiss", "redact", "label", "shield", "hide", "remove", "escalate"),
    ]
    desk.decide(mo, reported, "remove")
    assert verdicts(html_of(desk.get(mo, desk.case_url(reported)))) == ["restore"]


def test_an_edit_stands_beside_what_readers_see(desk: Desk, ann: Member, mo: Member) -> None:
    post = desk.ask(ann, "Walking helped me a little.")
    desk.edit(ann, post, "Walking helped me a lot. Write to ann.smith@gmail.com for more.")
    html = html_of(desk.get(mo, desk.case_url(post)))
    assert "Edit of a public text" in html
    assert re.search(r"<del>.*little</del>", html)
    assert re.search(r"<ins>.*a lot|<ins>.*lot", html)


def test_reports_stand_with_their_notes(desk: Desk, ann: Member, ben: Member, mo: Member) -> None:
    post = desk.ask(ann)
    desk.report(ben, post, rule="R9-no-ads", note="She sells <b>chairs</b>.")
    said = html_of(desk.get(mo, desk.case_url(post)))
    assert "She sells &lt;b&gt;chairs&lt;/b&gt;." in said
    assert "No advertising" in said


def test_an_answer_is_shown_with_the_question_it_belongs_to(desk: Desk, ann: Member, cora: Member, mo: Member) -> None:
    answer = desk.answer(cora, desk.ask(ann, "Which mattress is best for a sore back?"))
    assert "Which mattress is best for a sore back?" in text_of(desk.get(mo, desk.case_url(answer)))


def test_whoever_is_part_of_it_may_read_but_not_decide(desk: Desk, ann: Member, mo: Member, mia: Member) -> None:
    post = desk.ask(ann)
    desk.answer(mo, post)
    desk.report(mia, post)
    for moderator in (mo, mia):
        answer = desk.get(moderator, desk.case_url(post))
        assert "Somebody else decides this" in text_of(answer)
        assert verdicts(html_of(answer)) == []
        url, version = f"{desk.case_url(post)}/decide", desk.case_of(post).version
        refused = desk.post(moderator, url, version=version, verdict="dismiss")
        assert refused.status_code == 403
    assert desk.state(post) is PostState.PUBLISHED


def test_the_author_does_not_read_who_reported(desk: Desk, ann: Member, mo: Member) -> None:
    post = desk.ask(mo)
    desk.report(ann, post)
    assert desk.get(mo, desk.case_url(post)).status_code == 403


def test_strangers_stay_outside(desk: Desk, ann: Member, cora: Member, mo: Member) -> None:
    url = desk.case_url(desk.ask(cora))
    visitor = desk.app.test_client().get(url)
    assert (visitor.status_code, visitor.location.split("?")[0]) == (302, "/login")
    assert desk.get(ann, url).status_code == 403
    assert desk.get(mo, "/moderation/cases/999").status_code == 404


# --- Claiming ----------------------------------------------------------------------------------------------------


def test_a_case_is_taken_and_given_back(desk: Desk, cora: Member, mo: Member) -> None:
    post = desk.ask(cora)
    taken = desk.post(mo, f"{desk.case_url(post)}/claim")
    assert (taken.status_code, taken.location) == (303, desk.case_url(post))
    assert "You hold this case until" in text_of(desk.get(mo, desk.case_url(post)))
    given = desk.post(mo, f"{desk.case_url(post)}/release")
    assert (given.status_code, given.location) == (303, "/moderation/")
    assert desk.case_of(post).state is CaseState.OPEN


def test_a_case_of_another_cannot_be_taken_decided_or_given_back(
    desk: Desk, cora: Member, mo: Member, mia: Member
) -> None:
    post = desk.ask(cora)
    desk.post(mia, f"{desk.case_url(post)}/claim")
    url, version = desk.case_url(post), desk.case_of(post).version
    assert "mia holds this case until" in text_of(desk.get(mo, url))
    for verb in ("claim", "release"):
        refused = desk.post(mo, f"{url}/{verb}")
        assert refused.status_code == 409
        assert "This case is taken by mia until" in text_of(refused)
    decided = desk.post(mo, f"{url}/decide", version=version, verdict="reject", rule="R11-kind", reason=REASON)
    assert decided.status_code == 409
    assert REASON in html_of(decided)
    assert f'href="{url}"' in html_of(decided)
    assert desk.state(post) is PostState.HELD


# --- Deciding ----------------------------------------------------------------------------------------------------


def test_one_press_approves_and_leads_to_the_next_case(desk: Desk, cora: Member, mo: Member) -> None:
    first, second = desk.ask(cora), desk.ask(cora)
    url, version = f"{desk.case_url(first)}/decide", desk.case_of(first).version
    answer = desk.post(mo, url, version=version, verdict="approve", then="next")
    assert (answer.status_code, answer.location) == (303, desk.case_url(second))
    assert desk.state(first) is PostState.PUBLISHED
    assert desk.case_of(second).claimed_by == mo.id
    said = desk.get(mo, desk.case_url(second))
    assert "Approved. Readers can see it now." in text_of(said)
    assert f'href="{desk.case_url(first)}#history"' in html_of(said)


def test_after_the_last_case_comes_the_queue(desk: Desk, cora: Member, mo: Member) -> None:
    post = desk.ask(cora)
    url, version = f"{desk.case_url(post)}/decide", desk.case_of(post).version
    assert desk.post(mo, url, version=version, verdict="approve", then="next").location == "/moderation/"
    assert "Nothing else waits for you." in text_of(desk.get(mo, "/moderation/"))


def test_a_refusal_needs_rule_and_reason_and_loses_nothing(
    desk: Desk, session: Session, cora: Member, mo: Member
) -> None:
    post = desk.ask(cora)
    url, version = f"{desk.case_url(post)}/decide", desk.case_of(post).version
    without_rule = desk.post(mo, url, version=version, verdict="reject", reason=REASON)
    assert without_rule.status_code == 422
    assert "Choose the rule that this is about." in text_of(without_rule)
    assert REASON in html_of(without_rule)
    assert re.search(r'value="reject" checked', html_of(without_rule))
    without_reason = desk.post(mo, url, version=version, verdict="reject", rule="R11-kind", reason="  ")
    assert without_reason.status_code == 422
    assert re.search(r'value="R11-kind" selected', html_of(without_reason))
    without_verdict = desk.post(mo, url, version=version, rule="R11-kind", reason=REASON)
    assert without_verdict.status_code == 422
    assert 'href="#verdict"' in html_of(without_verdict)
    assert count(session) == 0
    whole = desk.post(mo, url, version=version, verdict="reject", rule="R11-kind", reason=REASON)
    assert (whole.status_code, whole.location) == (303, "/moderation/")
    assert desk.state(post) is PostState.REJECTED


@pytest.mark.parametrize("verdict", ["remove", "dismiss", "nonsense"])
def test_a_verdict_that_is_not_offered_is_refused(
    desk: Desk, session: Session, cora: Member, mo: Member, verdict: str
) -> None:
    post = desk.ask(cora)
    url, version = f"{desk.case_url(post)}/decide", desk.case_of(post).version
    answer = desk.post(mo, url, version=version, verdict=verdict, rule="R11-kind", reason=REASON)
    assert answer.status_code == 422
    assert REASON in html_of(answer)
    assert count(session) == 0


def test_a_decision_without_its_version_is_refused(desk: Desk, session: Session, cora: Member, mo: Member) -> None:
    url = f"{desk.case_url(desk.ask(cora))}/decide"
    answer = desk.post(mo, url, verdict="approve", version="one")
    assert answer.status_code == 428
    assert count(session) == 0


def test_the_second_moderator_hears_who_was_first(
    desk: Desk, session: Session, cora: Member, mo: Member, mia: Member
) -> None:
    post = desk.ask(cora)
    url, version = desk.case_url(post), desk.case_of(post).version
    desk.post(mia, f"{url}/decide", version=version, verdict="approve")
    late = desk.post(mo, f"{url}/decide", version=version, verdict="reject", rule="R11-kind", reason=REASON)
    assert late.status_code == 409
    said = text_of(late)
    assert "Somebody was first" in said
    assert "mia: Approved" in said
    assert "Nothing of yours was stored." in said
    assert REASON in html_of(late)
    assert f'<a href="{url}">' in html_of(late)
    assert count(session) == 1
    assert desk.state(post) is PostState.PUBLISHED


def test_a_text_that_changed_meanwhile_is_read_again(desk: Desk, cora: Member, mo: Member) -> None:
    post = desk.ask(cora)
    url, version = desk.case_url(post), desk.case_of(post).version
    desk.edit(cora, post, "Now it says something quite different.")
    late = desk.post(mo, f"{url}/decide", version=version, verdict="reject", rule="R11-kind", reason=REASON)
    assert late.status_code == 409
    assert "This case has changed" in text_of(late)
    assert "Now it says something quite different." in text_of(late)
    assert f">\n{REASON}</textarea>" in html_of(late)
    assert f'name="version" value="{desk.case_of(post).version}"' in html_of(late)
    assert desk.state(post) is PostState.HELD


def test_two_moderators_at_the_same_moment_one_wins(
    desk: Desk, session: Session, cora: Member, mo: Member, mia: Member
) -> None:
    post = desk.ask(cora)
    url, version = f"{desk.case_url(post)}/decide", desk.case_of(post).version
    ready = threading.Barrier(2)
    pairs = [(desk.client(member), desk.token(member)) for member in (mo, mia)]
    session.commit()

    def press(client, token):  # type: ignore[no-untyped-def]
        ready.wait()
        return client.post(url, data={"csrf_token": token, "version": version, "verdict": "approve"}).status_code

    with ThreadPoolExecutor(2) as pool:
        codes = sorted(pool.map(lambda pair: press(*pair), pairs))
    session.expire_all()
    assert codes == [303, 409]
    assert count(session) == 1


def test_a_double_click_decides_once(desk: Desk, session: Session, cora: Member, mo: Member) -> None:
    post = desk.ask(cora)
    url, version = f"{desk.case_url(post)}/decide", desk.case_of(post).version
    sent = {"version": version, "verdict": "approve", "_key": "pressed-twice"}
    first, second = desk.post(mo, url, **sent), desk.post(mo, url, **sent)
    assert (first.status_code, second.status_code) == (303, 303)
    assert first.location == second.location
    assert count(session) == 1


# --- Undoing -----------------------------------------------------------------------------------------------------


def undo_url(desk: Desk, session: Session) -> str:
    return f"/moderation/decisions/{session.execute(select(func.max(Decision.id))).scalar_one()}/undo"


def test_a_decision_is_taken_back_on_its_case(desk: Desk, session: Session, cora: Member, mo: Member) -> None:
    post = desk.ask(cora)
    desk.decide(mo, post, "reject")
    url = undo_url(desk, session)
    assert f'action="{url}"' in html_of(desk.get(mo, desk.case_url(post)))
    empty = desk.post(mo, url, reason=" ")
    assert empty.status_code == 422
    assert "Say in a sentence or two why" in text_of(empty)
    back = desk.post(mo, url, reason="The wrong button.")
    assert (back.status_code, back.location) == (303, desk.case_url(post))
    assert desk.state(post) is PostState.HELD
    said = text_of(desk.get(mo, desk.case_url(post)))
    assert "The decision is taken back." in said
    assert "The wrong button." in said


def test_a_decision_taken_back_twice_is_a_conflict_that_keeps_the_reason(
    desk: Desk, session: Session, cora: Member, mo: Member
) -> None:
    post = desk.ask(cora)
    desk.decide(mo, post, "reject")
    url = undo_url(desk, session)
    desk.post(mo, url, reason="The wrong button.")
    again = desk.post(mo, url, reason="It was the wrong button after all.")
    assert again.status_code == 409
    assert "It was the wrong button after all." in html_of(again)


def test_only_who_decided_or_a_lead_takes_it_back(
    desk: Desk, session: Session, cora: Member, mo: Member, mia: Member, lea: Member
) -> None:
    post = desk.ask(cora)
    desk.decide(mo, post, "reject")
    url = undo_url(desk, session)
    assert f'action="{url}"' not in html_of(desk.get(mia, desk.case_url(post)))
    assert desk.post(mia, url, reason="No.").status_code == 403
    assert desk.post(mia, "/moderation/decisions/999/undo", reason="No.").status_code == 404
    assert desk.post(lea, url, reason="It keeps the rules.").status_code == 303


# --- Cost --------------------------------------------------------------------------------------------------------


def test_the_page_costs_the_same_with_more_on_it(
    desk: Desk, session: Session, ann: Member, ben: Member, cora: Member, mo: Member, lea: Member
) -> None:
    client = desk.client(mo)
    post = desk.ask(ann)
    desk.report(ben, post)
    url = desk.case_url(post)
    client.get(url)
    with counting(session) as few:
        client.get(url)
    desk.report(cora, post)
    desk.report(lea, post)
    for _ in range(3):
        desk.answer(ben, post, f"An answer more, number {_}.")
    session.commit()
    with counting(session) as many:
        assert client.get(url).status_code == 200
    assert len(few) == len(many) <= 42, many
