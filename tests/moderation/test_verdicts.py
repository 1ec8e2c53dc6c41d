"""Redact, label, shield, hide for a time, escalate: what each does, whom it tells, and how it is taken back."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from content.models import Article, IntakeField
from core import outbox
from core.errors import Conflict, Forbidden, Invalid
from core.fulltext import SearchEntry
from core.outbox import OutboxMessage
from core.vocabulary import CaseState, NoteKind, PostKind, PostState, RevisionState, Verdict, Visibility
from forum import labels
from forum.models import Draft, IntakeAnswer, PostLabel, Redaction, Revision, Thread
from forum.redaction import REPLACEMENT
from moderation import decisions
from moderation.models import CaseNote, Decision, Finding
from moderation.signals.contract import join
from tests.moderation.stage import Stage, publish_article
from tests.support.cast import bearer

V = Verdict
SECRET = "ann.smith@example.org"


def spans_of(text: str, *words: str) -> list[dict[str, int]]:
    return [{"start": text.index(word), "end": text.index(word) + len(word)} for word in words]


def published(stage: Stage, body: str, title: str = "Why does it hurt?"):
    """Ann's question, published though it says what it should not."""
    post = stage.ask(body=body, title=title).post
    if post.state is PostState.HELD:
        stage.decide(stage.case_of(post), V.APPROVE, stage.lea)
    return stage.post(post.id)


def texts_of(stage: Stage, post_id: int) -> list[str]:
    stmt = select(Revision).where(Revision.post_id == post_id).execution_options(populate_existing=True)
    return [
        " ".join((r.title or "", r.source, r.html, r.text, r.excerpt)) for r in stage.session.execute(stmt).scalars()
    ]


def test_redaction_takes_the_words_out_of_the_text_its_title_and_every_revision(stage: Stage) -> None:
    post = published(stage, f"Write to {SECRET} please. It hurts.", title=f"Mail {SECRET}")
    stage.edit(post, stage.ann, body=f"Write to {SECRET} please. It hurts a lot by now.")
    post = stage.post(post.id)
    stage.report(post, stage.ben, rule="R7-privacy-own")
    case = stage.case_of(post)
    text = join(f"Mail {SECRET}", post.source)
    decided = stage.decide(case, V.REDACT, redactions=spans_of(text, SECRET))
    assert stage.post(post.id).state is PostState.PUBLISHED
    assert all(SECRET not in shown for shown in texts_of(stage, post.id))
    thread = stage.session.get_one(Thread, post.thread_id, populate_existing=True)
    assert thread.title == f"Mail {REPLACEMENT}" and "smith" not in thread.slug
    rows = stage.session.execute(select(SearchEntry.title, SearchEntry.body)).all()
    assert all(SECRET not in f"{row.title} {row.body}" for row in rows)
    assert decided.statement is not None and decided.statement.restriction == "redacted"
    assert SECRET not in str(decided.statement.content) and REPLACEMENT in decided.statement.content["quote"]
    assert stage.told(stage.ann)[-1] == "redacted"
    stage.sound()


def test_quotes_of_the_words_in_other_posts_go_and_their_authors_are_told(stage: Stage) -> None:
    post = published(stage, f"My number is 020 7946 0958 or {SECRET}.")
    # Both quote it: one in the thread, one elsewhere on the board.
    quoting = stage.answer(
        post.thread_id, stage.ben, body="> My number is 020 7946\n> 0958\n\nTake it out please."
    ).post
    elsewhere = stage.ask(stage.dan, body=f"Somebody gave {SECRET.upper()} as an address.").post
    for other in (quoting, elsewhere):
        if stage.post(other.id).state is PostState.HELD:
            stage.decide(stage.case_of(other), V.APPROVE, stage.lea)
    stage.report(post, stage.dan, rule="R7-privacy-own")
    decided = stage.decide(
        stage.case_of(post),
        V.REDACT,
        stage.lea,
        redactions=spans_of(join("Why does it hurt?", post.source), "020 7946 0958", SECRET),
    )
    assert "0958" not in " ".join(texts_of(stage, quoting.id)) and REPLACEMENT in stage.post(quoting.id).source
    assert SECRET not in " ".join(texts_of(stage, elsewhere.id)).lower()
    assert stage.told(stage.ben)[-1] == "redacted" and "redacted" in stage.told(stage.dan)
    stage.undo(decided, stage.lea)
    assert "> My number is 020 7946\n> 0958" in stage.post(quoting.id).source
    assert SECRET.upper() in stage.post(elsewhere.id).source and SECRET in stage.post(post.id).source
    assert stage.session.execute(select(Redaction.id).where(Redaction.lifted_at.is_(None))).all() == []
    stage.sound()


def test_a_short_word_goes_only_where_it_stands_alike(stage: Stage) -> None:
    post = published(stage, "I took 30 of them in 30 days.")
    answer = stage.answer(post.thread_id, stage.ben, body="I walked 30 minutes. Others did 30 too.").post
    stage.report(post, stage.dan, rule="R3-no-doses")
    text = join("Why does it hurt?", post.source)
    stage.decide(stage.case_of(post), V.REDACT, stage.mo, redactions=spans_of(text, "30"))
    assert stage.post(post.id).source == f"I took {REPLACEMENT} of them in 30 days."
    assert stage.post(answer.id).source.count("30") == 2
    stage.sound()


def test_drafts_and_unsent_mail_lose_the_words_but_not_their_address(stage: Stage) -> None:
    post = published(stage, f"Write to {SECRET} please.")
    path = f"/posts/{post.id}/edit"
    draft = Draft(
        author_id=stage.ann.id, path=path, title="", body=f"Or {SECRET}.", created_at=stage.now, updated_at=stage.now
    )
    stage.session.add(draft)
    outbox.put(stage.session, "mail", {"to": SECRET, "words": f"said {SECRET}"}, now=stage.now)
    stage.report(post, stage.ben, rule="R7-privacy-own")
    stage.decide(stage.case_of(post), V.REDACT, words=[SECRET])
    assert stage.session.get_one(Draft, draft.id, populate_existing=True).body == f"Or {REPLACEMENT}."
    payload = stage.session.execute(select(OutboxMessage.payload).where(OutboxMessage.kind == "mail")).scalars().all()
    assert {"to": SECRET, "words": f"said {REPLACEMENT}"} in payload


def test_answers_to_the_intake_questions_lose_the_words_but_offered_answers_stay(stage: Stage) -> None:
    post = published(stage, f"Write to {SECRET}; I am sitting all day.")
    typed = {"thread_id": post.thread_id, "label": "Anything else?", "visibility": Visibility.PRIVATE, "position": 0}
    said = f"My mail is {SECRET}, sitting is bad."
    stage.session.add_all(
        [
            IntakeField(
                condition_id=stage.condition.id,
                position=1,
                key="job",
                label="Job",
                why_asked="It matters.",
                type="choice",
                options=[{"value": "sitting", "label": "Sitting"}],
                default_visibility=Visibility.PRIVATE,
                allowed_visibility=["private"],
            ),
            IntakeAnswer(key="more", values=[said], shown=said, **typed),
            IntakeAnswer(key="job", values=["sitting"], shown="Sitting", **typed),
        ]
    )
    stage.report(post, stage.ben, rule="R7-privacy-own")
    stage.decide(stage.case_of(post), V.REDACT, words=[SECRET, "sitting"])
    rows = stage.session.execute(select(IntakeAnswer.key, IntakeAnswer.values, IntakeAnswer.shown)).all()
    assert {row.key: (row.values, row.shown) for row in rows} == {
        "more": (
            [f"My mail is {REPLACEMENT}, {REPLACEMENT} is bad."],
            f"My mail is {REPLACEMENT}, {REPLACEMENT} is bad.",
        ),
        "job": (["sitting"], "Sitting"),
    }


def test_words_that_the_moderator_repeats_in_the_reason_stay_with_the_team(app: Flask, stage: Stage) -> None:
    post = published(stage, f"Write to {SECRET} please.")
    report = stage.report(post, stage.ben, rule="R7-privacy-own")
    case = stage.case_of(post)
    decided = stage.decide(case, V.REDACT, words=[SECRET], reason=f"{SECRET} is an address.")
    assert decided.statement is not None
    stage.session.commit()
    seen = [f"/decisions/{decided.statement.reference}", f"/reports/{report.reference}", "/modlog", f"/posts/{post.id}"]
    for path in [*seen, *(f"/api/v1{path}" for path in seen)]:
        answer = app.test_client().get(path, follow_redirects=True)
        assert answer.status_code == 200 and SECRET not in answer.get_data(as_text=True), path
    for name, path in (("ann", "/me/decisions"), ("ann", "/me/held"), ("ben", "/me/reports"), ("ann", "/me/standing")):
        answer = app.test_client().get(f"/api/v1{path}", headers=bearer(stage.members[name]))
        assert answer.status_code == 200 and SECRET not in answer.get_data(as_text=True), path
    # The team reads them in two places of the case: what was taken out, and the colleague's words. Not in the text.
    full = (
        app.test_client()
        .get(f"/api/v1/moderation/cases/{case.id}", headers=bearer(stage.members["mia"], "read,moderate"))
        .json
    )
    assert SECRET in full["history"][0]["reason"]
    rest = {name: value for name, value in full.items() if name != "history"}
    assert SECRET not in str(rest) and REPLACEMENT in full["text"]


def test_who_reads_a_case_whose_text_another_redaction_has_cut_reads_it_again(stage: Stage) -> None:
    post = published(stage, f"Write to {SECRET} please.")
    other = published(stage, f"She said {SECRET} and a word to mark.")
    for one in (post, other):
        stage.report(one, stage.ben, rule="R7-privacy-own")
    seen = stage.case_of(other)
    version, spans = seen.version, spans_of(join("Why does it hurt?", other.source), "a word to mark")
    decided = stage.decide(stage.case_of(post), V.REDACT, words=[SECRET])
    with pytest.raises(Conflict) as stale:
        stage.decide(seen, V.REDACT, redactions=spans, version=version)
    assert stale.value.code == "case-changed"
    version = stage.case(seen.id).version
    stage.undo(decided)
    assert stage.case(seen.id).version == version + 1
    assert SECRET in stage.post(other.id).source
    stage.sound()


def test_redaction_publishes_what_waited_without_the_words_and_undo_makes_it_wait_with_them(stage: Stage) -> None:
    post, case = stage.held(body=f"Write to {SECRET} please. My back hurts.")
    decided = stage.decide(case, V.REDACT, words=[SECRET])
    shown = stage.post(post.id)
    assert (shown.state, shown.source) == (PostState.PUBLISHED, f"Write to {REPLACEMENT} please. My back hurts.")
    stage.undo(decided)
    again = stage.post(post.id)
    assert (again.state, SECRET in again.source) == (PostState.HELD, True)
    stage.sound()


def test_redaction_of_a_waiting_edit_publishes_the_edit_without_the_words(stage: Stage) -> None:
    post, case = stage.held_edit()
    decided = stage.decide(case, V.REDACT, words=["ann.smith@gmail.com"])
    assert stage.post(post.id).source == f"Please write to {REPLACEMENT} about it."
    assert stage.waiting(post) is None
    stage.undo(decided)
    waiting = stage.waiting(post)
    assert waiting is not None and "ann.smith@gmail.com" in waiting.source
    assert "gmail" not in stage.post(post.id).source
    stage.sound()


def test_findings_still_point_at_their_words_after_a_redaction_and_after_its_undo(stage: Stage) -> None:
    post, case = stage.held(body=f"Write to {SECRET} or ring 020 7946 0958 in the evening.", title="My dear back hurts")

    def quotes() -> list[str]:
        text = join("My dear back hurts", stage.post(post.id).source)
        stmt = select(Finding).where(Finding.start.is_not(None), Finding.kind.like("pii%")).order_by(Finding.start)
        rows = stage.session.execute(stmt.execution_options(populate_existing=True)).scalars()
        return [text[f.start : f.end] for f in rows]

    before = quotes()
    assert before == [SECRET, "020 7946 0958"]
    decided = stage.decide(case, V.REDACT, words=["dear", SECRET])
    text = join(f"My {REPLACEMENT} back hurts", stage.post(post.id).source)
    stmt = select(Finding).where(Finding.kind == "pii_phone").execution_options(populate_existing=True)
    phone = stage.session.execute(stmt).scalar_one()
    assert text[phone.start : phone.end] == "020 7946 0958"
    stage.undo(decided)
    assert quotes() == before


def test_two_redactions_are_put_back_each_by_itself_in_any_order(stage: Stage) -> None:
    body = "First alpha words, then beta words, then gamma words."
    post = published(stage, body)
    made = []
    for word in ("beta words", "alpha words"):
        stage.report(post, stage.ben if word.startswith("b") else stage.dan, rule="R7-privacy-own")
        made.append(stage.decide(stage.case_of(post), V.REDACT, words=[word]))
    assert stage.post(post.id).source == f"First {REPLACEMENT}, then {REPLACEMENT}, then gamma words."
    decisions.reverse(
        stage.session, made[0].decision, by=stage.lea, reason="Not so.", settings=stage.settings, now=stage.now
    )
    assert stage.post(post.id).source == f"First {REPLACEMENT}, then beta words, then gamma words."
    decisions.reverse(
        stage.session, made[1].decision, by=stage.lea, reason="Not so.", settings=stage.settings, now=stage.now
    )
    assert stage.post(post.id).source == body
    stage.sound()


@pytest.mark.parametrize(
    "more, field",
    [
        ({}, "redactions"),
        ({"redactions": [{"start": 5, "end": 5}]}, "redactions"),
        ({"redactions": [{"start": 0, "end": 99999}]}, "redactions"),
        ({"redactions": [{"start": "0", "end": "4"}]}, "redactions"),
        ({"words": ["nowhere to be found"]}, "words"),
        ({"words": ["sore"], "label": {"text": "x"}}, "label"),
    ],
)
def test_a_redaction_that_marks_nothing_is_refused(stage: Stage, more, field) -> None:
    _, case = stage.reported()
    with pytest.raises(Invalid) as refused:
        stage.decide(case, V.REDACT, **more)
    assert field in dict(refused.value.errors)


# --- Label -------------------------------------------------------------------------------------------------------


@pytest.fixture
def article(stage: Stage) -> Article:
    """A published article about backache with a section on treatments."""
    return publish_article(stage.session, stage.condition, stage.now)


def test_a_label_stands_beside_the_post_until_it_is_taken_off(stage: Stage, article: Article) -> None:
    post, case = stage.reported()
    label = {"text": "Most backs heal by themselves.", "reference": "backache#treatments"}
    decided = stage.decide(case, V.LABEL, label=label)
    live = stage.session.execute(select(PostLabel).where(PostLabel.lifted_at.is_(None))).scalar_one()
    assert (live.post_id, live.text, live.reference) == (post.id, label["text"], label["reference"])
    assert labels.view(live.text, live.reference).url == "/reference/backache/treatments"
    assert decided.statement is not None and label["text"] in decided.statement.content["label"]
    assert stage.told(stage.ann)[-1] == "labelled"
    assert stage.session.execute(select(SearchEntry.id).where(SearchEntry.ref_id == post.thread_id)).first()
    stage.sound()
    # A second one takes its place; undone, the first is back.
    again = stage.decide(case, V.LABEL, label={"text": "Ask a doctor.", "reference": "backache"})
    stage.undo(again)
    stage.session.expire_all()
    assert stage.session.execute(select(PostLabel.text).where(PostLabel.lifted_at.is_(None))).scalars().all() == [
        label["text"]
    ]
    stage.sound()


@pytest.mark.parametrize(
    "label, field",
    [
        (None, "label.text"),
        ({"text": "", "reference": "backache"}, "label.text"),
        ({"text": "x" * 301, "reference": "backache"}, "label.text"),
        ({"text": "See.", "reference": "nothing#here"}, "label.reference"),
        ({"text": "See.", "reference": "backache#nothing"}, "label.reference"),
    ],
)
def test_a_label_needs_words_and_a_place_in_the_reference(stage: Stage, article: Article, label, field) -> None:
    _, case = stage.reported()
    with pytest.raises(Invalid) as refused:
        stage.decide(case, V.LABEL, label=label)
    assert field in dict(refused.value.errors)


# --- Shield, and an end ------------------------------------------------------------------------------------------


def test_shielding_leaves_a_post_to_members_and_ends_by_itself(stage: Stage) -> None:
    post, case = stage.reported()
    end = stage.now + timedelta(days=2)
    decided = stage.decide(case, V.SHIELD, until=end.isoformat())
    assert stage.post(post.id).state is PostState.SHIELDED
    assert decided.statement is not None and "ends by itself" in decided.statement.content["duration"]
    assert stage.told(stage.ann)[-1] == "shielded"
    stage.sound()
    assert decisions.restore_due(stage.session, now=end - timedelta(minutes=1)) == 0
    assert decisions.restore_due(stage.session, now=end) == 1
    assert stage.post(post.id).state is PostState.PUBLISHED
    last = stage.session.execute(select(Decision).order_by(Decision.id.desc()).limit(1)).scalar_one()
    assert (last.verdict, last.moderator_id, last.undoes_id) == (V.RESTORE, None, decided.decision.id)
    assert stage.told(stage.ann)[-1] == "restored"
    assert decisions.restore_due(stage.session, now=end) == 0
    stage.sound()


def test_what_was_restricted_anew_is_not_shown_at_the_old_end(stage: Stage) -> None:
    post, case = stage.reported()
    end = stage.now + timedelta(days=2)
    stage.decide(case, V.HIDE, until=end)
    stage.decide(case, V.RESTORE)
    stage.decide(case, V.HIDE)
    assert decisions.restore_due(stage.session, now=end + timedelta(days=1)) == 0
    assert stage.post(post.id).state is PostState.HIDDEN


@pytest.mark.parametrize("until", ["yesterday", "2020-01-01", "2999-01-01"])
def test_an_end_lies_ahead_and_within_a_year(stage: Stage, until) -> None:
    _, case = stage.reported()
    with pytest.raises(Invalid) as refused:
        stage.decide(case, V.HIDE, until=until)
    assert "until" in dict(refused.value.errors)


def test_every_new_verdict_on_a_first_text_can_be_taken_back(stage: Stage) -> None:
    for verdict, state in ((V.SHIELD, PostState.SHIELDED), (V.HIDE, PostState.HIDDEN)):
        post, case = stage.held(title=f"To be {verdict}")
        decided = stage.decide(case, verdict)
        assert stage.post(post.id).state is state
        stage.undo(decided)
        assert stage.post(post.id).state is PostState.HELD
        waiting = stage.waiting(post)
        assert waiting is not None and waiting.state is RevisionState.HELD
        assert stage.case(case.id).state is CaseState.OPEN
        stage.sound()


# --- Escalate ----------------------------------------------------------------------------------------------------


def test_an_escalated_case_waits_for_a_lead_with_the_reason_beside_it(stage: Stage) -> None:
    _, case = stage.reported()
    decided = stage.decide(case, V.ESCALATE, rule=None, reason="I know this member.")
    again = stage.case(case.id)
    assert (again.state, again.needs_lead, again.round) == (CaseState.OPEN, True, 2)
    assert decided.statement is None and decided.decision.rule_code == "none"
    note = stage.session.execute(select(CaseNote)).scalar_one()
    assert (note.kind, note.text) == (NoteKind.ESCALATION, "I know this member.")
    assert stage.told(stage.ann) == ["published"] * 3 or "hidden" not in stage.told(stage.ann)
    with pytest.raises(Forbidden) as refused:
        stage.decide(case, V.HIDE, stage.mia)
    assert refused.value.code == "needs-lead"
    stage.decide(case, V.DISMISS, stage.lea, rule=None, reason=None)
    stage.sound()


def test_escalating_needs_a_reason(stage: Stage) -> None:
    _, case = stage.reported()
    with pytest.raises(Invalid) as refused:
        stage.decide(case, V.ESCALATE, reason="")
    assert "reason" in dict(refused.value.errors)


def test_a_duplicate_leads_to_the_other_thread(stage: Stage) -> None:
    other = stage.ask(stage.dan).thread
    _, case = stage.reported()
    decided = stage.decide(case, V.REMOVE, duplicate_of=other.id)
    assert decided.statement is not None and f"/threads/{other.id}" in decided.statement.content["options"]
    _, second = stage.reported()
    with pytest.raises(Invalid):
        stage.decide(second, V.REMOVE, duplicate_of=999_999)


def test_a_comment_is_labelled_and_redacted_like_any_post(stage: Stage) -> None:
    thread = stage.ask().thread
    comment = stage.answer(thread.id, kind=PostKind.COMMENT, body="Ask at the corner shop, they sell it.").post
    stage.report(comment, stage.dan, rule="R6-no-trade")
    stage.decide(stage.case_of(comment), V.REDACT, words=["the corner shop"])
    assert stage.post(comment.id).source == f"Ask at {REPLACEMENT}, they sell it."
    stage.sound()


def test_a_label_taken_back_after_it_was_replaced_never_comes_back(stage: Stage, article: Article) -> None:
    post, case = stage.reported()
    said = [{"text": text, "reference": "backache#treatments"} for text in ("First.", "Second.", "Third.")]
    later = [stage.now + timedelta(minutes=number) for number in range(5)]
    made = [stage.decide(case, V.LABEL, stage.lea, label=label, now=at) for label, at in zip(said, later, strict=False)]
    decisions.reverse(
        stage.session, made[1].decision, by=stage.mia, reason="Wrong.", settings=stage.settings, now=later[3]
    )
    live = select(PostLabel.text).where(PostLabel.post_id == post.id, PostLabel.lifted_at.is_(None))
    assert stage.session.execute(live).scalars().all() == ["Third."]
    decisions.reverse(
        stage.session, made[2].decision, by=stage.mia, reason="Wrong.", settings=stage.settings, now=later[4]
    )
    assert stage.session.execute(live).scalars().all() == ["First."]
    stage.sound()
