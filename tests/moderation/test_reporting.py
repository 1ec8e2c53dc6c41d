"""Reports taken back, weighed by their senders, limited where they are mostly wrong; many hide a post at night."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from auth.models import RoleGrant
from auth.policy import Actor
from core.errors import Conflict, Forbidden, NotFound, TooMany
from core.vocabulary import CaseState, PostState, ReportStatus, Role, Verdict
from forum.models import Post
from moderation import cases, own_record, reporters, reporting
from moderation.models import Decision, Report, Statement
from tests.forum.stage import make_member
from tests.moderation.stage import Stage, actor_for


def send(stage: Stage, post: Post, by: Actor, *, rule: str = "R11-kind") -> Report:
    return reporting.report(stage.session, by, post.id, rule=rule, note="", settings=stage.settings, now=stage.now)


def take_back(stage: Stage, report: Report, by: Actor) -> Report:
    return reporting.withdraw(stage.session, report.reference, actor=by, now=stage.now)


def judged(stage: Stage, by: Actor, *, right: int = 0, wrong: int = 0) -> Actor:
    """The reporter after so many reports that were right and so many that were wrong."""
    for verdict, times in ((Verdict.REMOVE, right), (Verdict.DISMISS, wrong)):
        for _ in range(times):
            post = stage.ask(stage.dan).post
            stage.report(post, by)
            stage.decide(stage.case_of(post), verdict, stage.lea)
    return by


def at_night(stage: Stage) -> None:
    begin, end = stage.settings.moderation_hours
    stage.now = stage.now.replace(hour=(end + 1) % 24)
    assert not reporting.is_on_duty(stage.settings, stage.now), (begin, end)


@pytest.fixture
def crowd(stage: Stage) -> list[Actor]:
    """Four members whose reports were right three times each."""
    stage.settings = replace(stage.settings, limits=False)
    made = []
    for name in ("eve", "fay", "gil", "hal"):
        stage.members[name] = make_member(stage.session, name, stage.now)
        made.append(judged(stage, actor_for(stage.members[name]), right=3))
    at_night(stage)
    return made


# --- Taking a report back ----------------------------------------------------------------------------------------


def test_the_only_report_taken_back_leaves_nothing_to_decide(stage: Stage) -> None:
    post = stage.ask().post
    report = send(stage, post, stage.ben)
    back = take_back(stage, report, stage.ben)
    assert (back.status, back.decided_at) == (ReportStatus.WITHDRAWN, stage.now)
    assert stage.case_of(post).state is CaseState.MOOT
    assert stage.post(post.id).state is PostState.PUBLISHED
    stage.sound()
    # Twice is once, and a new report is a new case.
    assert take_back(stage, report, stage.ben).status is ReportStatus.WITHDRAWN
    send(stage, post, stage.ben)
    assert stage.case_of(post).state is CaseState.OPEN
    stage.sound()


def test_another_report_a_finding_or_a_waiting_text_keeps_the_case(stage: Stage) -> None:
    two = stage.ask().post
    first = send(stage, two, stage.ben)
    send(stage, two, stage.dan)
    take_back(stage, first, stage.ben)
    assert stage.case_of(two).state is CaseState.OPEN

    edited, case = stage.held_edit()
    take_back(stage, send(stage, edited, stage.ben), stage.ben)
    assert stage.case(case.id).state is CaseState.OPEN
    stage.sound()


def test_a_case_that_was_passed_on_stays(stage: Stage) -> None:
    _, case = stage.reported()
    stage.decide(case, Verdict.ESCALATE, stage.mo, rule=None)
    report = stage.session.execute(select(Report).where(Report.case_id == case.id)).scalar_one()
    take_back(stage, report, stage.ben)
    assert stage.case(case.id).state is CaseState.OPEN
    stage.sound()


def test_only_its_sender_takes_a_report_back_and_only_while_it_is_open(stage: Stage) -> None:
    _, case = stage.reported()
    report = stage.session.execute(select(Report).where(Report.case_id == case.id)).scalar_one()
    with pytest.raises(Forbidden) as refused:
        take_back(stage, report, stage.dan)
    assert refused.value.code == "not-yours"
    stage.decide(case, Verdict.DISMISS, stage.mo)
    with pytest.raises(Conflict) as late:
        take_back(stage, report, stage.ben)
    assert late.value.code == "report-decided"
    with pytest.raises(NotFound):
        reporting.withdraw(stage.session, "0" * 32, actor=stage.ben, now=stage.now)


def test_a_claimed_case_without_a_report_is_moot_and_its_decision_a_conflict(stage: Stage) -> None:
    post = stage.ask().post
    report = send(stage, post, stage.ben)
    case = stage.case_of(post)
    version = case.version
    take_back(stage, report, stage.ben)
    with pytest.raises(Conflict):
        stage.decide(case, Verdict.REMOVE, stage.mo, version=version)


# --- How far a word goes -----------------------------------------------------------------------------------------


def test_reports_weigh_by_how_often_their_sender_was_right(stage: Stage) -> None:
    assert reporters.UNKNOWN.weight == 1.0
    judged(stage, stage.ben, right=2)
    judged(stage, stage.cora, wrong=2)
    known = reporters.accuracies(stage.session, [stage.ben.id, stage.cora.id, stage.ann.id])
    assert [known[a.id].weight for a in (stage.ben, stage.cora, stage.ann)] == [1.5, 0.5, 1.0]
    post = stage.ask().post
    send(stage, post, stage.ben)
    assert stage.case_of(post).score_terms["reporters"] == 1.5


def test_a_report_taken_back_and_one_whose_post_was_withdrawn_say_nothing(stage: Stage) -> None:
    take_back(stage, send(stage, stage.ask().post, stage.ben), stage.ben)
    post = stage.ask().post
    send(stage, post, stage.ben)
    stage.withdraw(post, stage.ann)
    assert reporters.accuracies(stage.session, [stage.ben.id])[stage.ben.id] == reporters.UNKNOWN


def test_who_is_mostly_wrong_reports_little_but_is_heard_about_a_life(stage: Stage) -> None:
    judged(stage, stage.ben, right=2, wrong=8)
    stage.settings = replace(stage.settings, limits=True)
    stage.now += timedelta(days=1, seconds=1)
    assert [hint.handle for hint in reporters.hints(stage.session, now=stage.now)] == ["ben"]
    posts = [stage.ask(stage.dan).post for _ in range(4)]
    for post in posts[:3]:
        send(stage, post, stage.ben)
    with pytest.raises(TooMany) as refused:
        send(stage, posts[3], stage.ben)
    assert refused.value.code == "reports-unfounded"
    assert "8 of your last 10" in refused.value.detail
    assert 0 < refused.value.extra["retry_after"] <= 24 * 3600
    send(stage, posts[3], stage.ben, rule="R5-crisis")
    stage.now += timedelta(days=1, seconds=1)
    send(stage, stage.ask(stage.dan).post, stage.ben)


def test_nine_wrong_reports_limit_nobody(stage: Stage) -> None:
    judged(stage, stage.ben, wrong=9)
    stage.settings = replace(stage.settings, limits=True)
    stage.now += timedelta(hours=1)
    for _ in range(reporters.UNFOUNDED_LIMIT):
        send(stage, stage.ask(stage.dan).post, stage.ben)
    assert reporters.hints(stage.session, now=stage.now) == []
    send(stage, stage.ask(stage.dan).post, stage.ben)


# --- Hidden by many ----------------------------------------------------------------------------------------------


def system_decisions(stage: Stage) -> list[Decision]:
    stmt = select(Decision).where(Decision.moderator_id.is_(None)).order_by(Decision.id)
    return list(stage.session.execute(stmt).scalars())


def test_three_reliable_members_hide_a_post_while_nobody_is_there(stage: Stage, crowd: list[Actor]) -> None:
    post = stage.ask().post
    send(stage, post, crowd[0], rule="R9-no-ads")
    send(stage, post, crowd[1])
    assert stage.post(post.id).state is PostState.PUBLISHED
    send(stage, post, crowd[2])
    assert stage.post(post.id).state is PostState.HIDDEN
    [decision] = system_decisions(stage)
    assert (decision.verdict, decision.rule_code) == (Verdict.HIDE, "R11-kind")
    statement = stage.session.execute(select(Statement).where(Statement.decision_id == decision.id)).scalar_one()
    assert statement.member_id == stage.ann.id
    assert stage.told(stage.ann)[-1] == "hidden"
    case = stage.case_of(post)
    assert case.state is CaseState.OPEN
    stage.sound()
    # A person looks and shows it again; the reports are answered, and more of them hide nothing.
    stage.decide(case, Verdict.RESTORE, stage.mo, rule="none")
    assert stage.post(post.id).state is PostState.PUBLISHED
    known = reporters.accuracies(stage.session, [crowd[0].id])[crowd[0].id]
    assert (known.decided, known.upheld) == (4, 3)
    for actor in crowd[:3]:
        send(stage, post, actor)
    assert stage.post(post.id).state is PostState.PUBLISHED
    stage.sound()


def test_a_person_confirms_what_many_reported(stage: Stage, crowd: list[Actor]) -> None:
    post = stage.ask().post
    for actor in crowd[:3]:
        send(stage, post, actor)
    stage.decide(stage.case_of(post), Verdict.REMOVE, stage.mo)
    assert stage.post(post.id).state is PostState.REMOVED
    known = reporters.accuracies(stage.session, [crowd[0].id])[crowd[0].id]
    assert (known.decided, known.upheld) == (4, 4)
    stage.sound()


def test_taking_back_every_report_leaves_a_hidden_post_to_a_person(stage: Stage, crowd: list[Actor]) -> None:
    post = stage.ask().post
    for report, actor in [(send(stage, post, actor), actor) for actor in crowd[:3]]:
        take_back(stage, report, actor)
    assert (stage.post(post.id).state, stage.case_of(post).state) == (PostState.HIDDEN, CaseState.OPEN)


def test_nothing_is_hidden_by_day(stage: Stage, crowd: list[Actor]) -> None:
    stage.now = stage.now.replace(hour=stage.settings.moderation_hours[0]) + timedelta(days=1)
    post = stage.ask().post
    for actor in crowd:
        send(stage, post, actor)
    assert stage.post(post.id).state is PostState.PUBLISHED


@pytest.mark.parametrize("why", ["unknown senders", "another text", "by the team", "claimed", "let stand"])
def test_what_keeps_a_post_from_being_hidden_by_many(stage: Stage, crowd: list[Actor], why: str) -> None:
    if why == "by the team":
        stage.session.add(RoleGrant(member_id=stage.ann.id, role=Role.EDITOR, granted_at=stage.now))
    post = stage.ask().post
    senders = crowd[:3]
    if why == "unknown senders":
        senders = [crowd[0], crowd[1], stage.ben, stage.dan]
    if why == "let stand":
        send(stage, post, stage.ben)
        stage.decide(stage.case_of(post), Verdict.DISMISS, stage.mo)
    for number, actor in enumerate(senders):
        if why == "claimed" and number == 2:
            cases.claim(stage.session, stage.case_of(post).id, by=stage.mo, now=stage.now)
        if why == "another text" and number == 2:
            stage.edit(post, stage.ann, body="It reads quite differently by now.")
        send(stage, post, actor)
    assert stage.post(post.id).state is PostState.PUBLISHED
    assert system_decisions(stage) == []
    stage.sound()


# --- One's own reports -------------------------------------------------------------------------------------------


def test_members_list_their_reports_and_nobody_elses(stage: Stage) -> None:
    _, case = stage.reported()
    stage.report(stage.ask().post, stage.dan)
    stage.report(stage.ask().post, stage.ben, rule="R9-no-ads")
    found = own_record.my_reports(stage.session, stage.ben)
    assert [(row.rule_code, row.status) for row in found.items] == [
        ("R9-no-ads", ReportStatus.OPEN),
        ("R11-kind", ReportStatus.OPEN),
    ]
    assert found.items[1].title == "Why does it hurt?"
    stage.decide(case, Verdict.REMOVE, stage.mo)
    found = own_record.my_reports(stage.session, stage.ben, limit=1)
    rest = own_record.my_reports(stage.session, stage.ben, after=found.next, limit=1)
    # The title of a thread that is gone is not repeated.
    assert (rest.items[0].status, rest.items[0].title) == (ReportStatus.ACTED, None)
