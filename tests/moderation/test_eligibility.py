"""The SQL twins say what the policy says: over every role, relation and state."""

from dataclasses import replace
from itertools import product

from sqlalchemy import select, update

from auth.policy import ANONYMOUS, Actor, allowed
from content.models import Category, condition_category
from core.vocabulary import Action, Role, Verdict
from forum.models import Board
from moderation import cases, eligibility
from moderation.models import Case
from tests.moderation.stage import Stage, actor_for


def everybody(stage: Stage, board_id: int, category_id: int) -> dict[str, Actor]:
    """Every role and scope, for a member who has nothing to do with any case."""
    plain = stage.dan
    staff = replace(plain, has_second_factor=True)
    moderator = replace(staff, roles=frozenset({Role.MODERATOR}))
    return {
        "anonymous": ANONYMOUS,
        "member": plain,
        "editor": replace(staff, roles=frozenset({Role.EDITOR})),
        "admin": replace(staff, roles=frozenset({Role.ADMIN})),
        "lead": replace(staff, roles=frozenset({Role.LEAD})),
        "lead without second factor": replace(plain, roles=frozenset({Role.LEAD})),
        "moderator of all": replace(moderator, all_boards=True),
        "moderator of this board": replace(moderator, board_ids=frozenset({board_id})),
        "moderator of another board": replace(moderator, board_ids=frozenset({board_id + 1000})),
        "moderator of its category": replace(moderator, category_ids=frozenset({category_id})),
        "moderator of another category": replace(moderator, category_ids=frozenset({category_id + 1000})),
        "moderator of nothing": moderator,
        "moderator without second factor": replace(moderator, all_boards=True, has_second_factor=False),
        "moderator with a reading token": replace(moderator, all_boards=True, scopes=frozenset({"read", "write"})),
        "moderator with a moderating token": replace(moderator, all_boards=True, scopes=frozenset({"moderate"})),
    }


def test_the_twins_agree_over_role_relation_and_state(stage: Stage) -> None:
    session = stage.session
    category = Category(slug="bones", name="Bones", position=0)
    session.add(category)
    session.flush()
    session.execute(condition_category.insert().values(condition_id=stage.condition.id, category_id=category.id))
    # Cases in every state, to each of which Dan stands in every relation once.
    relations = {"none": None, "author": "author", "reporter": "reporter", "in thread": "poster"}
    made: list[int] = []
    for relation, ending in product(relations, ("open", "claimed", "awaiting", "decided", "moot", "edit", "escalated")):
        thread = stage.ask().thread
        if relation == "in thread":
            stage.answer(thread.id, stage.dan)
        author = stage.dan if relation == "author" else stage.ben
        post = stage.answer(thread.id, author).post
        reporter = stage.dan if relation == "reporter" else stage.cora
        if ending == "edit":
            stage.edit(post, author, body="Please ring 020 7946 0958 about it.")
            if relation == "reporter":
                stage.report(post, reporter)
        else:
            stage.report(post, reporter)
        case = stage.case_of(post)
        if ending == "claimed":
            cases.claim(session, case.id, by=stage.lea, now=stage.now)
        elif ending == "awaiting":
            stage.edit(post, author, body="Or write to dan.brown@gmail.com instead.")
            stage.decide(case, Verdict.REQUEST_CHANGES, stage.lea)
        elif ending == "decided":
            stage.decide(case, Verdict.HIDE, stage.lea)
        elif ending == "escalated":
            session.execute(update(Case).where(Case.id == case.id).values(needs_lead=True))
        elif ending == "moot":
            stage.withdraw(post, author)
        made.append(case.id)
    _, case = stage.held()
    made.append(case.id)
    board_id = session.execute(select(Board.id).where(Board.slug == "backache")).scalar_one()
    agreed = 0
    for name, actor in everybody(stage, board_id, category.id).items():
        decidable = set(session.execute(select(Case.id).where(eligibility.may_decide(actor))).scalars())
        readable = set(session.execute(select(Case.id).where(eligibility.may_read(actor))).scalars())
        for case_id in made:
            _, subject = cases.subject_of(session, case_id, actor, now=stage.now)
            for action, chosen in (
                (Action.DECIDE_CASE, decidable),
                (Action.CLAIM_CASE, decidable),
                (Action.READ_CASE, readable),
            ):
                assert (case_id in chosen) is allowed(actor, action, subject), (name, case_id, action)
                agreed += 1
        # What "next" offers is part of what may be decided, also for whoever opted out of something.
        offered = select(Case.id).where(eligibility.offered(actor, ("newcomer",)), eligibility.may_decide(actor))
        assert set(session.execute(offered).scalars()) <= decidable, name
        if name in ("lead", "moderator of all"):
            # The comparison has something to compare: both sides of each question occur.
            assert decidable & set(made) and set(made) - decidable
            assert set(made) - readable
    assert agreed == 15 * 29 * 3


def test_the_conflict_is_seen_in_the_other_direction_too(stage: Stage) -> None:
    """One who wrote elsewhere in the thread, later, or whose post was withdrawn, is part of it all the same."""
    thread = stage.ask().thread
    post = stage.answer(thread.id, stage.ben).post
    stage.report(post, stage.ann)
    mine = stage.answer(thread.id, stage.dan).post
    stage.withdraw(mine, stage.dan)
    dan = replace(stage.dan, roles=frozenset({Role.MODERATOR}), all_boards=True, has_second_factor=True)
    case = stage.case_of(post)
    chosen = set(stage.session.execute(select(Case.id).where(eligibility.may_decide(dan))).scalars())
    assert case.id not in chosen
    mo = actor_for(stage.members["mo"], Role.MODERATOR, all_boards=True)
    chosen = set(stage.session.execute(select(Case.id).where(eligibility.may_decide(mo))).scalars())
    assert case.id in chosen
