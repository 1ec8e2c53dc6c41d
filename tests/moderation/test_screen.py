"""What the gate lets pass, what it holds and why, and what the writer is told."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from core import switches
from core.errors import Forbidden
from core.outbox import OutboxMessage
from core.vocabulary import CaseState, PostState, Priority, Verdict
from forum.models import Board, Revision
from moderation import screen
from moderation.models import Finding
from tests.moderation.stage import GATE, Stage


def test_a_newcomers_first_three_posts_wait_and_the_fourth_does_not(stage: Stage) -> None:
    for _ in range(3):
        post, case = stage.held()
        assert stage.kinds(post) == {"newcomer"}
        assert (case.priority, case.lane, case.state) == (Priority.P3, 2, CaseState.OPEN)
        stage.decide(case, Verdict.APPROVE)
    assert stage.ask(stage.cora).post.state is PostState.PUBLISHED
    stage.sound()


def test_a_known_members_plain_post_appears_at_once(stage: Stage) -> None:
    posted = stage.ask()
    assert (posted.post.state, posted.held, posted.guidance) == (PostState.PUBLISHED, False, ())


@pytest.mark.parametrize(
    "body",
    ["See https://example.org/x", "see [this](/boards/)", "go to www.example.org", "buy at cheap-pills.shop today"],
)
def test_any_link_by_a_newcomer_is_found_with_its_place(stage: Stage, body: str) -> None:
    post, _ = stage.held(body=body, title="A link")
    assert "link" in stage.kinds(post)


def test_a_known_member_may_link(stage: Stage) -> None:
    assert not stage.ask(body="See https://example.org/x for that.").held


def test_an_address_and_a_phone_number_hold_with_their_spans(stage: Stage) -> None:
    body = "Mail me: ann.smith@gmail.com or call 020 7946 0958 tonight."
    posted = stage.ask(body=body, title="Contact")
    case = stage.case_of(posted.post)
    assert posted.held and case.priority is Priority.P2
    found = {f.kind: f for f in screen_findings(stage, posted.post.id)}
    text = f"Contact\n\n{body}"
    assert text[found["pii_email"].start : found["pii_email"].end] == "ann.smith@gmail.com"
    assert text[found["pii_phone"].start : found["pii_phone"].end] == "020 7946 0958"


def screen_findings(stage: Stage, post_id: int) -> list:
    stmt = select(Finding).join(Revision, Revision.id == Finding.revision_id).where(Revision.post_id == post_id)
    return list(stage.session.execute(stmt).scalars())


def test_the_same_text_again_within_a_day_waits_and_a_day_later_only_as_a_copy(stage: Stage) -> None:
    short = "My knee clicks when I go downstairs."
    assert not stage.ask(body=short).held
    again = stage.ask(body="my KNEE clicks, when I go downstairs!")
    assert again.held and stage.kinds(again.post) == {"duplicate"}
    later = stage.now + timedelta(hours=25)
    assert not stage.ask(body="My knee clicks when I go downstairs", now=later).held


def test_a_long_text_that_stands_elsewhere_waits(stage: Stage) -> None:
    text = stage.text() + " It began after I had carried boxes up four floors for a friend."
    stage.ask(body=text)
    copy = stage.ask(stage.ben, body=text)
    assert copy.held and stage.kinds(copy.post) == {"duplicate"}


def test_thanks_may_be_said_twice_and_a_withdrawn_text_posted_anew(stage: Stage) -> None:
    thread = stage.ask().thread
    assert not stage.answer(thread.id, body="Thank you so much!").held
    assert not stage.answer(thread.id, body="Thank you so much!").held
    text = stage.text()
    first = stage.ask(body=text).post
    stage.withdraw(first, stage.ann)
    assert not stage.ask(body=text).held


CRISIS = "I am going to kill myself tonight. I have saved up my pills."


def test_words_of_an_acute_crisis_hold_at_p0_with_help_of_the_writers_country_at_once(stage: Stage) -> None:
    posted = stage.ask(body=CRISIS)
    case = stage.case_of(posted.post)
    assert posted.post.state is PostState.HELD
    assert (case.priority, case.lane) == (Priority.P0, 0)
    assert case.due_at == stage.now + timedelta(minutes=15)
    note = posted.guidance[0]
    assert (note.kind, note.urgency) == ("crisis_plan", "emergency_now")
    assert "999" in note.message and "{" not in note.message
    # The emergency number stands first; the lines, which nobody has verified, never stand alone.
    assert note.resources[0].phone == "999"
    assert {"116 123", "111"} <= {line.phone for line in note.resources}


def test_a_crisis_calls_whoever_is_on_call_without_a_word_of_the_post(stage: Stage) -> None:
    settings = replace(stage.settings, on_call_webhook="https://hooks.example.org/secret")
    stage.settings = settings
    posted = stage.ask(body=CRISIS)
    stage.session.flush()
    sent = stage.session.execute(select(OutboxMessage).order_by(OutboxMessage.id)).scalars().all()
    hook = next(m for m in sent if m.kind == "on_call")
    mail = next(m for m in sent if m.kind == "mail")
    assert hook.payload["case_id"] == stage.case_of(posted.post).id
    assert mail.payload["member_id"] == stage.lea.id
    assert "pills" not in str(hook.payload) + str(mail.payload)
    before = len(sent)
    stage.edit(posted.post, stage.ann, body=CRISIS + " Goodbye.")
    stage.session.flush()
    assert len(stage.session.execute(select(OutboxMessage)).scalars().all()) == before  # called once for a case


def test_help_for_a_country_without_known_lines_names_an_emergency_number(stage: Stage) -> None:
    posted = stage.ask(replace(stage.ann, country="FR"), body=CRISIS)
    assert posted.guidance[0].resources[0].phone == "112"


def test_a_red_flag_tells_the_writer_and_holds_nothing(stage: Stage) -> None:
    posted = stage.ask(body="Since this morning I am numb between my legs.")
    assert not posted.held
    note = posted.guidance[0]
    assert (note.kind, note.urgency) == ("red_flag", "emergency_now")
    assert "999" in note.message
    assert stage.ask(body="It aches a lot, but no numbness between my legs.").guidance == ()


def board_of(stage: Stage) -> Board:
    return stage.session.execute(select(Board).where(Board.slug == "backache")).scalar_one()


def test_a_board_that_reads_everything_first_holds_everything(stage: Stage) -> None:
    stage.ask()
    board_of(stage).mode = "pre"
    stage.session.flush()
    posted = stage.ask()
    assert posted.held and stage.kinds(posted.post) == {"board_mode"}


def test_a_board_that_publishes_first_does_not_wait_for_newcomers(stage: Stage) -> None:
    stage.ask()
    board_of(stage).mode = "post"
    stage.session.flush()
    assert not stage.ask(stage.cora).held
    assert stage.ask(stage.cora, body="See https://example.org").held


def test_a_closed_board_refuses_new_posts_and_reads_edits_first(stage: Stage) -> None:
    post = stage.ask().post
    board_of(stage).mode = "closed"
    stage.session.flush()
    with pytest.raises(Forbidden) as refused:
        stage.ask()
    assert refused.value.code == "board-closed"
    assert stage.edit(post, stage.ann, body="A better text.").held


def test_the_panic_switch_holds_everything(stage: Stage) -> None:
    switches.turn(stage.session, switches.PANIC, on=True, by=stage.lea.id, now=stage.now)
    stage.session.flush()
    posted = stage.ask()
    assert posted.held and stage.kinds(posted.post) == {"panic"}


def test_a_risky_edit_waits_while_the_approved_text_stays(stage: Stage) -> None:
    post, case = stage.held_edit()
    fresh = stage.post(post.id)
    assert fresh.state is PostState.PUBLISHED and "gmail" not in fresh.source
    assert case.revision_id == stage.waiting(post).id
    status = screen.held_status(stage.session, post.id, settings=stage.settings, now=stage.now)
    assert [reason.kind for reason in status.reasons] == ["pii_email"]
    stage.sound()


def test_what_the_approved_text_says_already_needs_no_second_look(stage: Stage) -> None:
    post, case = stage.held_edit()
    stage.decide(case, Verdict.APPROVE)
    assert not stage.edit(post, stage.ann, body="Do write to ann.smith@gmail.com about it, please.").held


def test_an_edit_of_a_waiting_post_joins_its_case_and_raises_its_version(stage: Stage) -> None:
    post, case = stage.held()
    cases_version = case.version
    stage.edit(post, stage.cora, body="A clearer text about the same sore back.")
    again = stage.case(case.id)
    assert again.version == cases_version + 1
    assert again.revision_id == stage.waiting(post).id
    assert "resubmitted" in stage.kinds(post)
    stage.sound()


def test_a_harmless_edit_of_a_reported_post_appears_and_the_moderator_sees_the_new_text(stage: Stage) -> None:
    post, case = stage.reported()
    before = case.version
    assert not stage.edit(post, stage.ann, body="I said it more kindly now.").held
    again = stage.case(case.id)
    assert again.version > before
    assert again.revision_id == stage.post(post.id).live_revision_id


def test_withdrawing_makes_the_case_moot_and_tells_reporters(stage: Stage) -> None:
    post, case = stage.reported()
    stage.withdraw(post, stage.ann)
    assert stage.case(case.id).state is CaseState.MOOT
    assert stage.told(stage.ben)[-1] == "report_decided"
    stage.sound()


def test_the_place_in_line_follows_the_queue(stage: Stage) -> None:
    first, _ = stage.held()
    second, _ = stage.held(now=stage.now + timedelta(minutes=1))
    status = GATE.held_status(stage.session, second.id, settings=stage.settings, now=stage.now)
    assert (status.position, status.hours) == (2, (8, 20))
    urgent = stage.ask(body=CRISIS, now=stage.now + timedelta(minutes=2)).post

    def place(post) -> int | None:
        return GATE.held_status(stage.session, post.id, settings=stage.settings, now=stage.now).position

    assert [place(urgent), place(first), place(second)] == [1, 2, 3]


def test_the_expected_wait_is_the_median_of_real_ones_once_there_are_five(stage: Stage) -> None:
    def wait(at=stage.now) -> int | None:
        return screen.expected_wait(stage.session, 2, now=at)

    stage.ask()
    board_of(stage).mode = "pre"
    later = stage.now + timedelta(days=40)  # the stage itself has decided some cases at once
    asked = later - timedelta(hours=20)
    for minutes in (10, 20, 30, 40, 500):
        assert wait(later) is None
        stage.decide(stage.case_of(stage.ask(now=asked).post), Verdict.APPROVE, now=asked + timedelta(minutes=minutes))
    assert wait(later) == 30
    assert wait(later + timedelta(days=31)) is None
