"""The whole policy as literal tables: every Action × role × relation, and who sees what in every state."""

from dataclasses import replace

import pytest

from auth.policy import (
    ANONYMOUS,
    PUBLIC_ACTIONS,
    RULES,
    STAFF_ACTIONS,
    ActiveRestriction,
    Actor,
    Sight,
    Subject,
    allowed,
    moderates,
    require,
    scope_of,
    sight,
)
from core.errors import Forbidden, NotFound, SignInNeeded
from core.vocabulary import Action, PostKind, PostState, RestrictionKind, Role, ThreadKind, Visibility

ME, AUTHOR = 7, 1
HERE, ELSEWHERE = 50, 51
CATEGORY = 90


def actor(*roles: Role, **facts: object) -> Actor:
    values: dict[str, object] = {"id": ME, "handle": "me", "roles": frozenset({Role.MEMBER, *roles})}
    return Actor(**{**values, "approved_count": 9, "has_second_factor": bool(roles)} | facts)  # type: ignore[arg-type]


ROLES = {
    "anon": ANONYMOUS,
    "member": actor(),
    "mod": actor(Role.MODERATOR, board_ids=frozenset({HERE})),
    "catmod": actor(Role.MODERATOR, category_ids=frozenset({CATEGORY})),
    "allmod": actor(Role.MODERATOR, all_boards=True),
    "othermod": actor(Role.MODERATOR, board_ids=frozenset({ELSEWHERE})),
    "lead": actor(Role.LEAD),
    "editor": actor(Role.EDITOR),
    "admin": actor(Role.ADMIN),
    # Staff in name only: the second factor is not set up.
    "mod-2f": actor(Role.MODERATOR, all_boards=True, has_second_factor=False),
    "admin-2f": actor(Role.ADMIN, has_second_factor=False),
}

POST = Subject(
    author_id=AUTHOR,
    state=PostState.PUBLISHED,
    post_kind=PostKind.ANSWER,
    thread_kind=ThreadKind.QUESTION,
    thread_state=PostState.PUBLISHED,
    was_visible=True,
    board_id=HERE,
    category_ids=frozenset({CATEGORY}),
    board_mode="first_n",
    poster_ids=frozenset({AUTHOR}),
)
RELATIONS = {
    "stranger": POST,
    "author": replace(POST, author_id=ME, poster_ids=frozenset({ME})),
    "poster": replace(POST, poster_ids=frozenset({AUTHOR, ME})),
    "reporter": replace(POST, reporter_ids=frozenset({ME})),
    "decider": replace(POST, decider_id=ME),
    "second": replace(POST, second_decider_id=ME),
    "overruled": replace(POST, overruled_ids=frozenset({ME})),
    "passed_on": replace(POST, needs_lead=True),
    "self": Subject(member_id=ME, board_id=HERE, category_ids=frozenset({CATEGORY})),
    "other": Subject(member_id=AUTHOR, board_id=HERE, category_ids=frozenset({CATEGORY})),
    "locked": replace(POST, thread_locked=True),
    "experience": replace(POST, thread_kind=ThreadKind.EXPERIENCE),
    "closed": replace(POST, board_mode="closed"),
    "private": replace(POST, visibility=Visibility.PRIVATE),
    "members": replace(POST, visibility=Visibility.MEMBERS),
    "helpers": replace(POST, visibility=Visibility.HELPERS),
    "public": replace(POST, visibility=Visibility.PUBLIC),
    "held": replace(POST, state=PostState.HELD, thread_state=PostState.HELD, was_visible=False),
    "ownheld": replace(POST, state=PostState.HELD, author_id=ME, was_visible=False),
    "hidden": replace(POST, state=PostState.HIDDEN, thread_state=PostState.HIDDEN),
    "ownhidden": replace(POST, state=PostState.HIDDEN, author_id=ME),
    "ownlocked": replace(POST, thread_locked=True, author_id=ME),
    "shielded": replace(POST, state=PostState.SHIELDED, thread_state=PostState.SHIELDED),
}

MATRIX = """
                              anon member mod catmod allmod othermod lead editor admin mod-2f admin-2f
read_post           stranger  y    y      y   y      y      y        y    y      y     y      y
read_post           held      .    .      y   y      y      .        y    .      .     .      .
read_post           ownheld   .    y      y   y      y      y        y    y      y     y      y
read_post           hidden    .    .      y   y      y      .        y    .      .     .      .
read_post           shielded  .    y      y   y      y      y        y    y      y     y      y
read_post_source    stranger  .    .      y   y      y      .        y    .      .     .      .
read_post_source    author    .    y      y   y      y      y        y    y      y     y      y
read_revisions      stranger  y    y      y   y      y      y        y    y      y     y      y
read_revisions      held      .    .      y   y      y      .        y    .      .     .      .
read_private_intake private   .    .      .   .      .      .        .    .      .     .      .
read_private_intake helpers   .    .      y   y      y      .        y    .      .     .      .
read_private_intake members   .    y      y   y      y      y        y    y      y     y      y
read_private_intake public    y    y      y   y      y      y        y    y      y     y      y
read_private_intake author    .    y      y   y      y      y        y    y      y     y      y
start_thread        stranger  .    y      y   y      y      y        y    y      y     y      y
start_thread        closed    .    .      .   .      .      .        .    .      .     .      .
answer              stranger  .    y      y   y      y      y        y    y      y     y      y
answer              author    .    y      y   y      y      y        y    y      y     y      y
answer              experience .   .      .   .      .      .        .    .      .     .      .
answer              locked    .    .      .   .      .      .        .    .      .     .      .
answer              held      .    .      .   .      .      .        .    .      .     .      .
answer              hidden    .    .      .   .      .      .        .    .      .     .      .
answer              shielded  .    y      y   y      y      y        y    y      y     y      y
comment             stranger  .    y      y   y      y      y        y    y      y     y      y
comment             experience .   y      y   y      y      y        y    y      y     y      y
comment             locked    .    .      .   .      .      .        .    .      .     .      .
comment             closed    .    .      .   .      .      .        .    .      .     .      .
edit_post           stranger  .    .      .   .      .      .        .    .      .     .      .
edit_post           author    .    y      y   y      y      y        y    y      y     y      y
edit_post           ownheld   .    y      y   y      y      y        y    y      y     y      y
edit_post           ownhidden .    .      .   .      .      .        .    .      .     .      .
edit_post           ownlocked .    .      .   .      .      .        .    .      .     .      .
withdraw_post       stranger  .    .      .   .      .      .        .    .      .     .      .
withdraw_post       author    .    y      y   y      y      y        y    y      y     y      y
withdraw_post       ownheld   .    y      y   y      y      y        y    y      y     y      y
withdraw_post       ownhidden .    y      y   y      y      y        y    y      y     y      y
mark_helpful        stranger  .    y      y   y      y      y        y    y      y     y      y
mark_helpful        author    .    .      .   .      .      .        .    .      .     .      .
mark_helpful        held      .    .      .   .      .      .        .    .      .     .      .
report_post         stranger  .    y      y   y      y      y        y    y      y     y      y
report_post         author    .    .      .   .      .      .        .    .      .     .      .
report_post         held      .    .      .   .      .      .        .    .      .     .      .
report_post         hidden    .    .      .   .      .      .        .    .      .     .      .
keep_draft          stranger  .    y      y   y      y      y        y    y      y     y      y
manage_own_account  self      .    y      y   y      y      y        y    y      y     y      y
manage_own_account  other     .    .      .   .      .      .        .    .      .     .      .
see_queue           stranger  .    .      y   y      y      y        y    .      .     .      .
read_case           stranger  .    .      y   y      y      .        y    .      .     .      .
read_case           reporter  .    .      y   y      y      .        y    .      .     .      .
read_case           poster    .    .      y   y      y      .        y    .      .     .      .
read_case           author    .    .      .   .      .      .        .    .      .     .      .
read_case           self      .    .      .   .      .      .        .    .      .     .      .
claim_case          stranger  .    .      y   y      y      .        y    .      .     .      .
claim_case          author    .    .      .   .      .      .        .    .      .     .      .
claim_case          poster    .    .      .   .      .      .        .    .      .     .      .
claim_case          reporter  .    .      .   .      .      .        .    .      .     .      .
decide_case         stranger  .    .      y   y      y      .        y    .      .     .      .
decide_case         author    .    .      .   .      .      .        .    .      .     .      .
decide_case         poster    .    .      .   .      .      .        .    .      .     .      .
decide_case         reporter  .    .      .   .      .      .        .    .      .     .      .
decide_case         overruled .    .      .   .      .      .        .    .      .     .      .
undo_decision       overruled .    .      .   .      .      .        .    .      .     .      .
decide_appeal       overruled .    .      .   .      .      .        .    .      .     .      .
read_case           overruled .    .      y   y      y      .        y    .      .     .      .
decide_case         self      .    .      .   .      .      .        .    .      .     .      .
undo_decision       stranger  .    .      .   .      .      .        y    .      .     .      .
undo_decision       decider   .    .      y   y      y      .        y    .      .     .      .
undo_decision       poster    .    .      .   .      .      .        .    .      .     .      .
read_statement      stranger  y    y      y   y      y      y        y    y      y     y      y
close_own_account   self      .    y      y   y      y      y        y    y      y     y      y
close_own_account   other     .    .      .   .      .      .        .    .      .     .      .
read_own_record     self      .    y      y   y      y      y        y    y      y     y      y
read_own_record     other     .    .      .   .      .      .        .    .      .     .      .
claim_case          passed_on .    .      .   .      .      .        y    .      .     .      .
decide_case         passed_on .    .      .   .      .      .        y    .      .     .      .
confirm_decision    stranger  .    .      y   y      y      .        y    .      .     .      .
confirm_decision    decider   .    .      .   .      .      .        .    .      .     .      .
confirm_decision    poster    .    .      .   .      .      .        .    .      .     .      .
assign_case         stranger  .    .      .   .      .      .        y    .      .     .      .
appeal              stranger  y    y      y   y      y      y        y    y      y     y      y
see_appeals         stranger  .    .      .   .      .      .        y    .      .     .      .
decide_appeal       stranger  .    .      .   .      .      .        y    .      .     .      .
decide_appeal       decider   .    .      .   .      .      .        .    .      .     .      .
decide_appeal       second    .    .      .   .      .      .        .    .      .     .      .
decide_appeal       poster    .    .      .   .      .      .        .    .      .     .      .
decide_appeal       reporter  .    .      .   .      .      .        .    .      .     .      .
see_member_record   other     .    .      y   y      y      y        y    .      .     .      .
see_member_record   self      .    .      .   .      .      .        .    .      .     .      .
sanction_member     other     .    .      y   y      y      .        y    .      .     .      .
sanction_member     self      .    .      .   .      .      .        .    .      .     .      .
edit_desk           stranger  .    .      .   .      .      .        y    .      .     .      .
operate_thread      stranger  .    .      y   y      y      .        y    .      .     .      .
operate_thread      poster    .    .      .   .      .      .        .    .      .     .      .
patrol              stranger  .    .      y   y      y      y        y    .      .     .      .
talk_as_team        other     .    .      y   y      y      y        y    .      .     .      .
talk_as_team        self      .    .      .   .      .      .        .    .      .     .      .
talk_as_member      self      .    y      y   y      y      y        y    y      y     y      y
talk_as_member      other     .    .      .   .      .      .        .    .      .     .      .
edit_board_notice   stranger  .    .      y   y      y      .        y    .      .     .      .
announce            stranger  .    .      .   .      .      .        y    .      y     .      .
switch_panic        stranger  .    .      .   .      y      .        y    .      y     .      .
edit_reference      stranger  .    .      .   .      .      .        .    y      .     .      .
open_board          stranger  .    .      .   .      .      .        .    y      .     .      .
grant_roles         stranger  .    .      .   .      .      .        .    .      y     .      .
"""


def matrix() -> list[tuple[str, str, str, bool]]:
    lines = [line.split() for line in MATRIX.strip().splitlines()]
    names = lines[0]
    return [
        (action, relation, name, mark == "y")
        for action, relation, *marks in lines[1:]
        for name, mark in zip(names, marks, strict=True)
    ]


@pytest.mark.parametrize("action, relation, role, expected", matrix())
def test_the_policy_is_this_table(action: str, relation: str, role: str, expected: bool) -> None:
    assert allowed(ROLES[role], Action(action), RELATIONS[relation]) is expected


def test_the_table_holds_every_action_and_every_role() -> None:
    assert {action for action, *_ in matrix()} == set(Action) == set(RULES)
    assert {role for _, _, role, _ in matrix()} == set(ROLES)


# --- Who sees what -----------------------------------------------------------------------------------------------

# Each cell: F full, T tombstone, . nothing. Columns: reader; rows: state, and whether others could ever read it.
SIGHT = """
                        anon member author mod othermod lead admin mod-2f
draft             never .    .      F      .   .        .    .     .
held              never .    .      F      F   .        F    .     .
held              once  .    .      F      F   .        F    .     .
changes_requested never .    .      F      F   .        F    .     .
changes_requested once  .    .      F      F   .        F    .     .
published         once  F    F      F      F   F        F    F     F
shielded          never .    F      F      F   F        F    F     F
shielded          once  .    F      F      F   F        F    F     F
hidden            once  T    T      F      F   T        F    T     T
removed           never .    .      F      F   .        F    .     .
removed           once  T    T      F      F   T        F    T     T
rejected          never .    .      F      F   .        F    .     .
rejected          once  T    T      F      F   T        F    T     T
withdrawn         never .    .      F      F   .        F    .     .
withdrawn         once  T    T      F      F   T        F    T     T
erased            never T    T      .      T   T        T    T     T
erased            once  T    T      .      T   T        T    T     T
"""
READERS = {**ROLES, "author": actor(id=AUTHOR)}
CELLS = {"F": Sight.FULL, "T": Sight.TOMBSTONE, ".": Sight.NONE}


def sights() -> list[tuple[str, str, str, str]]:
    lines = [line.split() for line in SIGHT.strip().splitlines()]
    return [
        (state, visible, name, cell)
        for state, visible, *cells in lines[1:]
        for name, cell in zip(lines[0], cells, strict=True)
    ]


@pytest.mark.parametrize("state, visible, reader, cell", sights())
def test_a_reader_sees_this_much_of_a_post(state: str, visible: str, reader: str, cell: str) -> None:
    subject = replace(POST, state=PostState(state), was_visible=visible == "once")
    assert sight(READERS[reader], subject) is CELLS[cell]


def test_the_table_of_sights_holds_every_state() -> None:
    assert {state for state, *_ in sights()} == set(PostState)


@pytest.mark.parametrize(
    "reader, seen",
    [("anon", Sight.NONE), ("member", Sight.NONE), ("author", Sight.FULL), ("mod", Sight.FULL), ("lead", Sight.FULL)],
)
def test_a_shielded_post_of_a_new_author_waits_for_a_human_look(reader: str, seen: Sight) -> None:
    subject = replace(POST, state=PostState.SHIELDED, author_is_new=True, was_visible=False)
    assert sight(READERS[reader], subject) is seen


def test_a_shielded_post_of_a_new_author_that_was_approved_once_is_seen_by_members() -> None:
    subject = replace(POST, state=PostState.SHIELDED, author_is_new=True, was_visible=True)
    assert sight(READERS["member"], subject) is Sight.FULL


# --- Restrictions ------------------------------------------------------------------------------------------------

WRITING = (Action.START_THREAD, Action.ANSWER, Action.COMMENT, Action.MARK_HELPFUL)


@pytest.mark.parametrize(
    "kind, board_id, stopped",
    [
        (RestrictionKind.SUSPENDED, None, True),
        (RestrictionKind.READ_ONLY, None, True),
        (RestrictionKind.BOARD, HERE, True),
        (RestrictionKind.BOARD, ELSEWHERE, False),
        (RestrictionKind.WARNING, None, True),
        (RestrictionKind.POSTING_LIMIT, None, False),
    ],
)
@pytest.mark.parametrize("action", WRITING)
def test_a_restricted_member_does_not_write(
    action: Action, kind: RestrictionKind, board_id: int | None, stopped: bool
) -> None:
    limited = actor(restrictions=(ActiveRestriction(kind=kind, board_id=board_id),))
    assert allowed(limited, action, POST) is not stopped


def test_a_restricted_member_still_reads_withdraws_and_reports() -> None:
    limited = actor(restrictions=(ActiveRestriction(kind=RestrictionKind.READ_ONLY),))
    assert allowed(limited, Action.READ_POST, POST)
    assert allowed(limited, Action.WITHDRAW_POST, RELATIONS["author"])
    assert allowed(limited, Action.REPORT_POST, POST)
    assert not allowed(limited, Action.EDIT_POST, RELATIONS["author"])


SUSPENDED = (ActiveRestriction(kind=RestrictionKind.SUSPENDED, reference="0" * 32),)


@pytest.mark.parametrize("roles", [(), (Role.MODERATOR,), tuple(set(Role) - {Role.MEMBER})])
@pytest.mark.parametrize("action", list(Action))
def test_a_suspended_member_keeps_decisions_appeals_and_closing_and_nothing_else(
    action: Action, roles: tuple[Role, ...]
) -> None:
    suspended = actor(*roles, all_boards=True, restrictions=SUSPENDED)
    kept = {Action.READ_STATEMENT, Action.APPEAL, Action.CLOSE_OWN_ACCOUNT, Action.READ_OWN_RECORD}
    for subject in RELATIONS.values():
        may = allowed(actor(), action, subject) if action in kept else allowed(ANONYMOUS, action, subject)
        assert allowed(suspended, action, subject) is may


def test_a_suspended_member_is_told_where_the_reasons_stand() -> None:
    with pytest.raises(Forbidden) as refused:
        require(actor(restrictions=SUSPENDED), Action.ANSWER, POST)
    assert (refused.value.code, refused.value.extra["reference"]) == ("suspended", "0" * 32)


# --- Scopes of tokens --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("scope", ["read", "write", "moderate"])
def test_a_token_does_only_what_its_scope_covers(action: Action, scope: str) -> None:
    token = actor(*Role, all_boards=True, scopes=frozenset({scope}))
    for subject in RELATIONS.values():
        if allowed(token, action, subject):
            assert scope_of(action) == scope
        browser = replace(token, scopes=None)
        if scope_of(action) == scope:
            assert allowed(token, action, subject) is allowed(browser, action, subject)


def test_every_staff_action_needs_the_scope_moderate() -> None:
    assert {action for action in Action if scope_of(action) == "moderate"} == STAFF_ACTIONS


# --- How a refusal is told ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "action",
    sorted(set(Action) - PUBLIC_ACTIONS),
)
@pytest.mark.parametrize("relation", ["stranger", "held"])
def test_a_visitor_is_asked_to_sign_in_whatever_the_subject(action: Action, relation: str) -> None:
    with pytest.raises(SignInNeeded):
        require(ANONYMOUS, action, RELATIONS[relation])


@pytest.mark.parametrize("role", ["anon", "member", "othermod", "admin"])
@pytest.mark.parametrize("action", [Action.READ_POST, Action.READ_REVISIONS])
def test_what_a_reader_may_not_know_of_is_not_found(role: str, action: Action) -> None:
    with pytest.raises(NotFound):
        require(ROLES[role], action, RELATIONS["held"])


@pytest.mark.parametrize("action", [Action.EDIT_POST, Action.REPORT_POST, Action.MARK_HELPFUL, Action.DECIDE_CASE])
def test_a_member_who_guesses_the_number_of_a_held_post_learns_nothing(action: Action) -> None:
    with pytest.raises(NotFound):
        require(ROLES["member"], action, RELATIONS["held"])


CODES = [
    ("member", Action.SEE_QUEUE, "stranger", "not-allowed"),
    ("othermod", Action.DECIDE_CASE, "stranger", "not-allowed"),
    ("mod-2f", Action.DECIDE_CASE, "stranger", "second-factor-needed"),
    ("admin-2f", Action.GRANT_ROLES, "stranger", "second-factor-needed"),
    ("mod", Action.DECIDE_CASE, "author", "conflict-of-interest"),
    ("mod", Action.DECIDE_CASE, "poster", "conflict-of-interest"),
    ("lead", Action.CLAIM_CASE, "reporter", "conflict-of-interest"),
    ("mod", Action.CLAIM_CASE, "passed_on", "needs-lead"),
    ("lead", Action.DECIDE_APPEAL, "decider", "first-decider"),
    ("lead", Action.DECIDE_APPEAL, "second", "first-decider"),
    ("mod", Action.CONFIRM_DECISION, "decider", "first-decider"),
    ("member", Action.ANSWER, "experience", "no-answers-here"),
    ("member", Action.ANSWER, "locked", "thread-locked"),
    ("member", Action.COMMENT, "hidden", "thread-not-open"),
    ("member", Action.START_THREAD, "closed", "board-closed"),
    ("member", Action.MARK_HELPFUL, "author", "own-post"),
    ("member", Action.REPORT_POST, "author", "own-post"),
    ("member", Action.EDIT_POST, "stranger", "not-allowed"),
]


@pytest.mark.parametrize("role, action, relation, code", CODES)
def test_a_refusal_says_why(role: str, action: Action, relation: str, code: str) -> None:
    with pytest.raises(Forbidden) as refused:
        require(ROLES[role], action, RELATIONS[relation])
    assert refused.value.code == code


def test_a_restricted_member_is_told_until_when() -> None:
    limited = actor(restrictions=(ActiveRestriction(kind=RestrictionKind.READ_ONLY),))
    with pytest.raises(Forbidden) as refused:
        require(limited, Action.ANSWER, POST)
    assert refused.value.code == "restricted"


def test_a_token_without_the_scope_is_told_which_one() -> None:
    with pytest.raises(Forbidden) as refused:
        require(actor(scopes=frozenset({"read"})), Action.ANSWER, POST)
    assert refused.value.code == "scope-missing"
    assert refused.value.extra["scope"] == "write"


def test_a_moderator_of_nothing_in_particular_moderates_nothing() -> None:
    assert not moderates(actor(Role.MODERATOR), Subject(board_id=HERE))
    assert not moderates(actor(Role.MODERATOR), Subject())
