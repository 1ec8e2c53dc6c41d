"""Asking, answering, commenting, editing, withdrawing."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from auth.policy import ANONYMOUS, ActiveRestriction
from content.models import Condition
from core.audit import AuditEntry
from core.errors import Conflict, Forbidden, Invalid, NotFound, SignInNeeded, TooMany
from core.vocabulary import PostKind, PostState, RestrictionKind, RevisionState, ThreadKind, Visibility
from forum import boards, lifecycle, posting, revisions
from forum.intake import IntakeInput
from forum.models import Board, Guidance, IntakeAnswer, Post, Revision, Thread
from tests.forum.stage import NOTE, Stage, ask_intake

S = PostState


def rows(stage: Stage, table: type) -> int:
    stage.session.flush()
    return stage.session.execute(select(func.count()).select_from(table)).scalar_one()


# --- Threads -----------------------------------------------------------------------------------------------------


def test_a_question_is_a_thread_an_opening_post_and_its_first_text(stage: Stage) -> None:
    posted = stage.ask(title="Why?", body="**It** hurts")
    assert (posted.thread.title, posted.thread.slug, posted.thread.state) == ("Why?", "why", S.PUBLISHED)
    assert (posted.post.kind, posted.post.position, posted.post.parent_id) == (PostKind.OPENING, 0, None)
    assert (posted.post.source, posted.post.html) == ("**It** hurts", "<p><strong>It</strong> hurts</p>\n")
    revision = stage.session.get_one(Revision, posted.post.live_revision_id)
    assert (revision.number, revision.title, revision.state) == (1, "Why?", RevisionState.LIVE)
    assert (posted.held, posted.guidance) == (False, ())
    stage.sound()


def test_a_held_question_keeps_its_guidance_with_the_post(stage: Stage) -> None:
    posted = stage.ask(body="HOLD it hurts")
    assert (posted.post.state, posted.held, posted.guidance) == (S.HELD, True, (NOTE,))
    note = stage.session.execute(select(Guidance)).scalar_one()
    assert (note.post_id, note.message, note.resources[0]["phone"]) == (posted.post.id, NOTE.message, "116 123")
    stage.sound()


def test_the_gate_gets_the_text_as_it_is_stored_and_all_intake_answers(stage: Stage) -> None:
    ask_intake(stage.session, stage.session.get_one(Condition, stage.condition.id))
    stage.ask(body="a\r\nb", intake=[IntakeInput("site", ("low",), "private")])
    seen = stage.keeper.seen[-1]
    assert (seen.body, seen.title, seen.author_country) == ("a\nb", "Why does it hurt?", "GB")
    assert (seen.intake, seen.is_edit, seen.condition_id) == ({"site": ["low"]}, False, stage.condition.id)


def test_text_is_never_trimmed(stage: Stage) -> None:
    posted = stage.ask(title="  Why?  ", body="\n\n    code\n\n")
    assert (posted.thread.title, posted.post.source) == ("  Why?  ", "\n\n    code\n\n")


def test_every_bad_field_is_named_at_once_and_nothing_is_stored(stage: Stage) -> None:
    too_long = "x" * (stage.settings.max_title_chars + 1)
    with pytest.raises(Invalid) as refused:
        stage.ask(title=too_long, body=" \u200b ", was_misdiagnosed=True, intake=[IntakeInput("shoe_size", ("9",))])
    assert {field for field, _ in refused.value.errors} == {"title", "body", "was_misdiagnosed", "intake.shoe_size"}
    assert [rows(stage, t) for t in (Thread, Post, Revision, Board, AuditEntry)] == [0, 0, 0, 0, 0]


@pytest.mark.parametrize("body", ["", "   \n\t", "\u200b", "nul\0here", "half \ud800"])
def test_a_body_that_nobody_could_read_is_refused(stage: Stage, body: str) -> None:
    with pytest.raises(Invalid) as refused:
        stage.ask(body=body)
    assert [field for field, _ in refused.value.errors] == ["body"]


def test_a_body_may_be_as_long_as_the_setting_says_and_not_longer(stage: Stage) -> None:
    most = stage.settings.max_body_chars
    assert len(stage.ask(body="x" * most).post.source) == most
    with pytest.raises(Invalid):
        stage.ask(body="x" * (most + 1))


def test_an_experience_may_say_that_it_was_misdiagnosed_first(stage: Stage) -> None:
    posted = stage.ask(kind=ThreadKind.EXPERIENCE, was_misdiagnosed=True)
    assert posted.thread.was_misdiagnosed


def test_a_visitor_is_asked_to_sign_in(stage: Stage) -> None:
    with pytest.raises(SignInNeeded):
        stage.ask(ANONYMOUS)


def test_a_restricted_member_cannot_ask(stage: Stage) -> None:
    quiet = replace(stage.ann, restrictions=(ActiveRestriction(RestrictionKind.READ_ONLY),))
    with pytest.raises(Forbidden, match="restricted"):
        stage.ask(quiet)


def test_a_closed_board_takes_no_threads(stage: Stage) -> None:
    boards.ensure(stage.session, "backache", stage.now).mode = "closed"
    with pytest.raises(Forbidden, match="board-closed"):
        stage.ask()


def test_an_unknown_board_does_not_exist(stage: Stage) -> None:
    with pytest.raises(NotFound):
        stage.ask(board_slug="no-such-thing")


def test_the_unsorted_board_takes_what_fits_nowhere(stage: Stage) -> None:
    board = stage.session.get_one(Board, stage.ask(board_slug="unsorted").thread.board_id)
    assert (board.slug, board.condition_id) == ("unsorted", None)


def test_the_limit_of_threads_holds_and_says_when_to_come_back(stage: Stage) -> None:
    stage.settings = replace(stage.settings, limits=True)
    for _ in range(10):
        stage.ask()
    with pytest.raises(TooMany) as refused:
        stage.ask()
    assert 0 < refused.value.extra["retry_after"] <= 86_400
    stage.ask(now=stage.now + timedelta(hours=24, seconds=1))


# --- Intake ------------------------------------------------------------------------------------------------------


def test_intake_answers_are_stored_with_words_and_visibility(stage: Stage) -> None:
    ask_intake(stage.session, stage.session.get_one(Condition, stage.condition.id))
    stage.ask(
        intake=[
            IntakeInput("age_band", ("25-34",)),
            IntakeInput("site", ("neck", "low", "neck"), "private"),
            IntakeInput("severity_0_10", ("7",)),
            IntakeInput("tried", (" ",)),
        ]
    )
    stored = stage.session.execute(select(IntakeAnswer).order_by(IntakeAnswer.position)).scalars()
    assert [(a.key, a.values, a.shown, a.visibility) for a in stored] == [
        ("age_band", ["25-34"], "25 to 34", Visibility.MEMBERS),
        ("site", ["neck", "low"], "Neck; Low back", Visibility.PRIVATE),
        ("severity_0_10", [7], "7", Visibility.PUBLIC),
    ]


@pytest.mark.parametrize(
    "given",
    [
        IntakeInput("age_band", ("29",)),
        IntakeInput("age_band", ("25-34", "35-44")),
        IntakeInput("age_band", ("25-34",), "public"),
        IntakeInput("site", ("low",), "everybody"),
        IntakeInput("severity_0_10", ("11",)),
        IntakeInput("severity_0_10", ("many",)),
        IntakeInput("tried", ("x" * 501,)),
    ],
)
def test_an_intake_answer_outside_its_question_is_refused(stage: Stage, given: IntakeInput) -> None:
    ask_intake(stage.session, stage.session.get_one(Condition, stage.condition.id))
    with pytest.raises(Invalid) as refused:
        stage.ask(intake=[given])
    assert [field for field, _ in refused.value.errors] == [f"intake.{given.key}"]


# --- Replies -----------------------------------------------------------------------------------------------------


def test_answers_and_comments_take_positions_in_the_order_of_time(stage: Stage) -> None:
    thread = stage.ask().thread
    answer = stage.answer(thread.id).post
    on_answer = stage.comment(thread.id, parent_id=answer.id).post
    on_question = stage.comment(thread.id).post
    opening = stage.session.execute(select(Post.id).where(Post.position == 0)).scalar_one()
    assert [(p.position, p.parent_id) for p in (answer, on_answer, on_question)] == [
        (1, None),
        (2, answer.id),
        (3, opening),
    ]
    stage.sound()


def test_an_experience_takes_comments_and_no_answers(stage: Stage) -> None:
    thread = stage.ask(kind=ThreadKind.EXPERIENCE).thread
    with pytest.raises(Forbidden, match="no-answers-here"):
        stage.answer(thread.id)
    assert stage.comment(thread.id).post.state is S.PUBLISHED


def test_a_comment_on_a_comment_or_in_another_thread_is_refused(stage: Stage) -> None:
    thread = stage.ask().thread
    comment = stage.comment(thread.id).post
    elsewhere = stage.answer(stage.ask().thread.id).post
    for parent_id in (comment.id, elsewhere.id, 999_999):
        with pytest.raises(Invalid) as refused:
            stage.comment(thread.id, parent_id=parent_id)
        assert [field for field, _ in refused.value.errors] == ["parent_id"]


def test_nobody_can_comment_on_an_answer_that_waits_or_was_hidden(stage: Stage) -> None:
    thread = stage.ask().thread
    held = stage.answer(thread.id, body="HOLD it").post
    with pytest.raises(Invalid):
        stage.comment(thread.id, stage.cora, parent_id=held.id)
    hidden = stage.answer(thread.id).post
    lifecycle.move(stage.session, hidden.id, S.HIDDEN, expected_version=1, now=stage.now)
    with pytest.raises(Forbidden):
        stage.comment(thread.id, stage.cora, parent_id=hidden.id)


def test_a_locked_thread_refuses_posts(stage: Stage) -> None:
    thread = stage.ask().thread
    stage.session.get_one(Thread, thread.id).is_locked = True
    with pytest.raises(Forbidden, match="thread-locked"):
        stage.answer(thread.id)


def test_a_thread_refuses_posts_while_its_question_is_hidden(stage: Stage) -> None:
    posted = stage.ask()
    lifecycle.move(stage.session, posted.post.id, S.HIDDEN, expected_version=1, now=stage.now)
    with pytest.raises(Forbidden, match="thread-not-open"):
        stage.answer(posted.thread.id)


def test_a_held_thread_does_not_exist_for_others_and_takes_nothing(stage: Stage) -> None:
    thread = stage.ask(body="HOLD it").thread
    with pytest.raises(NotFound):
        stage.answer(thread.id)
    with pytest.raises(Forbidden, match="thread-not-open"):
        stage.comment(thread.id, stage.ann)


def test_members_may_answer_a_shielded_question_of_an_established_author(stage: Stage) -> None:
    for _ in range(3):
        stage.ask()
    thread = stage.ask(body="SHIELD it").thread
    assert stage.answer(thread.id).post.state is S.PUBLISHED
    stage.sound()


# --- Edits -------------------------------------------------------------------------------------------------------


def test_an_edit_that_passes_is_public_at_once_with_its_title(stage: Stage) -> None:
    post = stage.ask().post
    edited = stage.edit(post, title="A new title", body="New words", now=stage.now + timedelta(hours=1))
    assert (edited.thread.title, edited.thread.slug, edited.post.source) == ("A new title", "a-new-title", "New words")
    assert (edited.held, edited.post.edited_at) == (False, stage.now + timedelta(hours=1))
    assert edited.post.version == 2
    stage.sound()


def test_while_an_edit_waits_readers_keep_the_approved_text_and_title(stage: Stage) -> None:
    post = stage.ask(title="Old title", body="Old words").post
    edited = stage.edit(post, title="New title", body="HOLD new words")
    assert (edited.held, edited.post.state, edited.post.version) == (True, S.PUBLISHED, 2)
    assert (edited.post.source, edited.thread.title, edited.post.edited_at) == ("Old words", "Old title", None)
    waiting = revisions.waiting(stage.session, post.id)
    assert waiting is not None
    assert (waiting.title, waiting.source) == ("New title", "HOLD new words")
    stage.sound()
    shown = revisions.publish(stage.session, waiting.id, now=stage.now)
    thread = stage.session.get_one(Thread, post.thread_id, populate_existing=True)
    assert (shown.source, thread.title, shown.version) == ("HOLD new words", "New title", 3)
    stage.sound()


def test_the_gate_sees_an_edit_beside_the_text_that_it_replaces(stage: Stage) -> None:
    post = stage.ask(title="Old title", body="Old words").post
    stage.edit(post, body="New words")
    seen = stage.keeper.seen[-1]
    assert (seen.is_edit, seen.live_body, seen.live_title) == (True, "Old words", "Old title")


def test_editing_a_post_that_waits_replaces_the_waiting_text(stage: Stage) -> None:
    post = stage.ask(body="HOLD one").post
    edited = stage.edit(post, body="HOLD two", title="Second title")
    assert (edited.post.state, edited.post.source, edited.thread.title) == (S.HELD, "HOLD two", "Second title")
    states = stage.session.execute(select(Revision.state).order_by(Revision.number)).scalars()
    assert list(states) == [RevisionState.SUPERSEDED, RevisionState.HELD]
    assert stage.keeper.seen[-1].live_body is None
    stage.sound()


def test_a_post_that_waits_keeps_waiting_though_its_new_text_would_pass(stage: Stage) -> None:
    post = stage.ask(body="HOLD one").post
    assert stage.edit(post, body="all is well").held
    assert stage.fresh(post).state is S.HELD


def test_an_answer_to_requested_changes_waits_for_another_look(stage: Stage) -> None:
    post = stage.ask(body="HOLD one").post
    post = lifecycle.move(stage.session, post.id, S.CHANGES_REQUESTED, expected_version=1, now=stage.now)
    edited = stage.edit(post, body="better")
    assert (edited.post.state, edited.held) == (S.HELD, True)
    stage.sound()


def test_an_edit_that_changes_nothing_changes_nothing(stage: Stage) -> None:
    post = stage.ask(title="Why?", body="It hurts").post
    same = stage.edit(post, title="Why?", body="It hurts")
    assert (same.post.version, same.held) == (1, False)
    assert stage.edit(post).post.version == 1
    assert rows(stage, Revision) == 1


def test_an_edit_names_the_version_that_was_read(stage: Stage) -> None:
    post = stage.ask().post
    stage.edit(post, body="one")
    with pytest.raises(Conflict) as refused:
        stage.edit(post, body="two", version=1)
    assert refused.value.extra == {"version": stage.fresh(post).version}


def test_only_the_author_edits_and_only_openings_have_titles(stage: Stage) -> None:
    thread = stage.ask().thread
    answer = stage.answer(thread.id).post
    with pytest.raises(Forbidden):
        stage.edit(answer, stage.cora, body="mine now")
    with pytest.raises(Invalid) as refused:
        stage.edit(answer, stage.ben, title="A title")
    assert [field for field, _ in refused.value.errors] == ["title"]


def test_others_cannot_tell_a_held_post_from_none(stage: Stage) -> None:
    held = stage.ask(body="HOLD it").post
    with pytest.raises(NotFound):
        stage.edit(held, stage.ben, body="x")
    with pytest.raises(NotFound):
        posting.withdraw(stage.session, stage.ben, held.id, gate=stage.gate, now=stage.now)


def test_an_edit_of_an_answer_reaches_search(stage: Stage) -> None:
    thread = stage.ask().thread
    answer = stage.answer(thread.id).post
    stage.edit(answer, stage.ben, body="Try a bicycle.")
    stage.sound()


# --- Withdrawing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", ["It hurts", "HOLD it", "SHIELD it"])
def test_the_author_withdraws_at_any_time_and_the_gate_hears_of_it(stage: Stage, body: str) -> None:
    post = stage.ask(body=body).post
    gone = posting.withdraw(stage.session, stage.ann, post.id, gate=stage.gate, now=stage.now)
    assert (gone.state, stage.keeper.withdrawn) == (S.WITHDRAWN, [post.id])
    again = posting.withdraw(stage.session, stage.ann, post.id, gate=stage.gate, now=stage.now)
    assert (again.version, stage.keeper.withdrawn) == (gone.version, [post.id])
    stage.sound()


def test_the_answers_of_a_withdrawn_question_stay(stage: Stage) -> None:
    posted = stage.ask()
    answer = stage.answer(posted.thread.id).post
    posting.withdraw(stage.session, stage.ann, posted.post.id, gate=stage.gate, now=stage.now)
    assert stage.fresh(answer).state is S.PUBLISHED
    stage.sound()


def test_withdrawing_an_old_version_is_refused(stage: Stage) -> None:
    post = stage.ask().post
    with pytest.raises(Conflict):
        posting.withdraw(stage.session, stage.ann, post.id, version=7, gate=stage.gate, now=stage.now)


def test_somebody_elses_post_cannot_be_withdrawn(stage: Stage) -> None:
    post = stage.ask().post
    with pytest.raises(Forbidden):
        posting.withdraw(stage.session, stage.ben, post.id, gate=stage.gate, now=stage.now)


def test_a_member_who_leaves_can_take_everything_back(stage: Stage) -> None:
    stage.ask()
    stage.ask(body="HOLD it")
    thread = stage.ask(stage.ben).thread
    stage.answer(thread.id, stage.ann)
    assert posting.withdraw_all(stage.session, stage.ann.id or 0, gate=stage.gate, now=stage.now) == 3
    states = stage.session.execute(select(Post.state).where(Post.author_id == stage.ann.id)).scalars()
    assert set(states) == {S.WITHDRAWN}
    stage.sound()


def test_every_act_stands_in_the_audit_chain_without_any_words_of_the_post(stage: Stage) -> None:
    post = stage.ask(body="secret words").post
    stage.edit(post, body="other secret words")
    posting.withdraw(stage.session, stage.ann, post.id, gate=stage.gate, now=stage.now)
    entries = stage.session.execute(select(AuditEntry).order_by(AuditEntry.id)).scalars().all()
    assert [entry.action for entry in entries] == ["thread.start", "post.edit", "post.withdraw"]
    assert "secret" not in "".join(str(entry.details) + entry.reason for entry in entries)
