"""Redaction, label, second person, bulk and reasons to start from, through the pages as people use them."""

from sqlalchemy import select

from auth.models import Member
from content.models import Condition
from core.db import utc_now
from core.vocabulary import CaseState, PostState
from forum.models import PostLabel
from forum.redaction import REPLACEMENT
from moderation import canned
from moderation.models import BulkDecision, CannedReason, Decision, Statement
from tests.moderation.desk import Desk, html_of, text_of
from tests.moderation.stage import publish_article

SECRET = "ann.smith@example.org"


def decide(desk: Desk, member: Member, post, **sent):
    case = desk.case_of(post)
    values = {"version": case.version, "rule": "R7-privacy-own", "reason": "This is private.", "then": "queue", **sent}
    return desk.post(member, f"/moderation/cases/{case.id}/decide", **values)


def test_words_are_taken_out_by_ticking_what_was_found_or_by_typing_them(
    desk: Desk, cora: Member, ann: Member, mo: Member
) -> None:
    post = desk.ask(cora, f"Write to {SECRET} please. I live at Rose Lane.")
    html = html_of(desk.get(mo, desk.case_url(post)))
    start = f"Why does it hurt?\n\nWrite to {SECRET}".index(SECRET)
    span = f"{start}-{start + len(SECRET)}"
    assert f'name="redactions" value="{span}"' in html
    assert decide(desk, mo, post, verdict="redact", redactions=span, words="Rose Lane\n").status_code == 303
    shown = desk.fresh(post)
    assert shown.state is PostState.PUBLISHED
    assert shown.source == f"Write to {REPLACEMENT} please. I live at {REPLACEMENT}."
    page = desk.client(ann).get(f"/threads/{post.thread_id}", follow_redirects=True)
    assert SECRET not in html_of(page) and REPLACEMENT in html_of(page)
    said = text_of(desk.get(mo, desk.case_url(post)))
    assert "Words taken out:" in said and SECRET in said


def test_a_redaction_without_words_comes_back_with_everything_typed(desk: Desk, cora: Member, mo: Member) -> None:
    post = desk.ask(cora)
    answer = decide(desk, mo, post, verdict="redact", words="never written", reason="Kept, as it was typed.")
    assert answer.status_code == 422
    assert "never written" in html_of(answer) and "Kept, as it was typed." in html_of(answer)
    assert desk.state(post) is PostState.HELD


def test_a_label_stands_above_the_post_and_keeps_search_engines_away(
    desk: Desk, ann: Member, ben: Member, mo: Member
) -> None:
    publish_article(desk.session, desk.session.execute(select(Condition)).scalar_one(), utc_now())
    post = desk.ask(ann)
    desk.report(ben, post)
    assert '<option value="backache#treatments">' in html_of(desk.get(mo, desk.case_url(post)))
    sent = {"label.text": "Ask a doctor first.", "label.reference": "backache#treatments"}
    assert decide(desk, mo, post, verdict="label", **sent).status_code == 303
    assert desk.session.execute(select(PostLabel.text)).scalar_one() == "Ask a doctor first."
    html = html_of(desk.client(ben).get(f"/threads/{post.thread_id}", follow_redirects=True))
    assert "Ask a doctor first." in html and 'href="/reference/backache/treatments"' in html
    assert '<meta name="robots" content="noindex' in html
    api = desk.client(ben).get(f"/api/v1/posts/{post.id}").get_json()
    assert api["label"] == {
        "text": "Ask a doctor first.",
        "reference": "backache#treatments",
        "url": "/reference/backache/treatments",
    }


def test_the_second_person_agrees_on_the_page_and_the_first_cannot(
    desk: Desk, ann: Member, ben: Member, mo: Member, mia: Member
) -> None:
    post = desk.ask(ann)
    desk.report(ben, post)
    decide(desk, mo, post, verdict="remove", severe="y")
    assert desk.state(post) is PostState.PUBLISHED
    decision = desk.session.execute(select(Decision).order_by(Decision.id.desc()).limit(1)).scalar_one()
    path = f"/moderation/decisions/{decision.id}/confirm"
    mine, other = html_of(desk.get(mo, desk.case_url(post))), html_of(desk.get(mia, desk.case_url(post)))
    assert path not in mine and path in other
    assert "Why does it hurt?" in text_of(desk.get(mia, "/moderation/?state=awaiting_second"))
    assert desk.post(mo, path, agrees="1").status_code == 403
    silent = desk.post(mia, path, agrees="0", reason="")
    assert silent.status_code == 422 and 'href="#second-reason"' in html_of(silent)
    assert desk.post(mia, path, agrees="1").status_code == 303
    assert desk.state(post) is PostState.REMOVED and desk.case_of(post).state is CaseState.DECIDED
    late = desk.post(mia, path, agrees="0", reason="It names no amount.")
    assert late.status_code == 409 and "It names no amount." in text_of(late)


def test_a_reason_of_ours_fills_the_form_and_leads_change_it(desk: Desk, cora: Member, mo: Member, lea: Member) -> None:
    canned.load_starter(desk.session)
    assert canned.load_starter(desk.session) == 0
    post = desk.ask(cora)
    reason = desk.session.execute(select(CannedReason).where(CannedReason.rule_code == "R9-no-ads")).scalar_one()
    html = html_of(desk.get(mo, f"{desk.case_url(post)}?start={reason.id}"))
    assert "We keep this place free of advertising" in html
    assert '<option value="R9-no-ads" selected' in html
    assert desk.get(mo, "/moderation/reasons").status_code == 403
    sent = {"id": reason.id, "version": reason.version, "rule": "R9-no-ads", "title": "Ads", "is_active": "y"}
    assert desk.post(lea, "/moderation/reasons", **sent, text="").status_code == 422
    assert desk.post(lea, "/moderation/reasons", **sent, text="No ads, please.").status_code == 303
    assert desk.post(lea, "/moderation/reasons", **sent, text="Too late.").status_code == 409
    assert "No ads, please." in html_of(desk.get(lea, "/moderation/reasons"))


def test_several_cases_are_decided_with_one_press_each_with_its_own_result(
    desk: Desk, cora: Member, mo: Member, mia: Member
) -> None:
    first, second, third = (desk.ask(cora, title=f"Number {n}") for n in range(3))
    html = html_of(desk.get(mo, "/moderation/bulk"))
    boxes = [f"{desk.case_of(post).id}:{desk.case_of(post).version}" for post in (first, second, third)]
    assert all(f'value="{box}"' in html for box in boxes)
    desk.decide(mia, third, "approve")
    assert desk.post(mo, "/moderation/bulk", cases=boxes, verdict="reject").status_code == 422
    answer = desk.post(
        mo, "/moderation/bulk", cases=boxes, verdict="reject", rule="R9-no-ads", reason="All the same advert."
    )
    assert answer.status_code == 200
    assert [desk.state(post) for post in (first, second, third)] == [
        PostState.REJECTED,
        PostState.REJECTED,
        PostState.PUBLISHED,
    ]
    assert "2 cases decided." in text_of(answer) and "These were not decided" in text_of(answer)
    parent = desk.session.execute(select(BulkDecision)).scalar_one()
    assert (parent.case_count, parent.decided_count) == (3, 2)
    assert len(desk.session.execute(select(Statement.id)).all()) == 2


def test_the_statement_shows_its_words_first_and_the_export_to_whom_it_concerns(
    desk: Desk, ann: Member, ben: Member, mo: Member
) -> None:
    post = desk.ask(ann)
    desk.report(ben, post)
    reference = desk.decide(mo, post, "hide")
    for reader, sees in ((ann, True), (mo, True), (ben, False)):
        html = html_of(desk.get(reader, f"/decisions/{reference}"))
        assert ("DECISION_VISIBILITY_CONTENT_DISABLED" in html) is sees
    assert html.index("What we did") > 0
