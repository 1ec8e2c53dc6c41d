"""The score of a case, the last word of the queue's order: four terms, each shown to moderators.

A score only tells apart what is due at the same instant; how soon a person must look is the priority's business.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from auth.models import Member
from auth.policy import NEW_MEMBER_POSTS
from core.vocabulary import PostState, ReportStatus
from forum.models import Board, Post, Thread
from moderation import reporters
from moderation.models import Case, Finding, Report

# The terms, in the order in which they are shown.
TERMS = ("severity", "reach", "reporters", "standing")

PUBLIC_NOW = 1.0
MOST_REACH = 4.0
NEWCOMER = 0.5
PER_UPHELD_REPORT = 0.5
MOST_STANDING = 2.0


@dataclass(frozen=True)
class Facts:
    """What the score is made of. `report_weights`: what each open report adds, by how often its sender was right."""

    findings_score: float
    is_public: bool
    # Threads of the board, and posts that stand in the thread: who may come by.
    board_threads: int
    thread_posts: int
    report_weights: tuple[float, ...]
    author_posts: int
    author_upheld: int


def terms(facts: Facts) -> dict[str, float]:
    """Points by term. Source: docs/moderation.md, score."""
    reach = (PUBLIC_NOW if facts.is_public else 0.0) + 0.5 * math.log10(1 + facts.board_threads)
    reach += math.log10(1 + facts.thread_posts)
    standing = PER_UPHELD_REPORT * facts.author_upheld + (NEWCOMER if facts.author_posts < NEW_MEMBER_POSTS else 0.0)
    points = {
        "severity": facts.findings_score,
        "reach": min(reach, MOST_REACH),
        "reporters": sum(facts.report_weights),
        "standing": min(standing, MOST_STANDING),
    }
    return {name: round(points[name], 3) for name in TERMS}


def total(points: Mapping[str, float]) -> float:
    return round(sum(points.values()), 3)


def rescore(session: Session, case_id: int) -> None:
    """Count the score of a case anew, once its findings and reports are written. Three reads, one write."""
    session.flush()  # what was found and reported is counted by the database
    points = terms(facts_of(session, case_id))
    session.execute(
        update(Case)
        .where(Case.id == case_id)
        .values(score=total(points), score_terms=points)
        .execution_options(synchronize_session="fetch")
    )


def facts_of(session: Session, case_id: int) -> Facts:
    """The facts as they stand now. Two queries, and one more where it was reported."""
    found = (
        select(func.coalesce(func.sum(Finding.score), 0.0))
        .where(Finding.case_id == Case.id, Finding.revision_id == Case.revision_id, Finding.holds)
        .correlate(Case)
        .scalar_subquery()
    )
    row = session.execute(
        select(
            found.label("found"),
            Post.state,
            Board.thread_count,
            (Thread.answer_count + Thread.comment_count).label("posts"),
            Member.approved_count,
            Member.upheld_report_count,
        )
        .select_from(Case)
        .join(Post, Post.id == Case.post_id)
        .join(Thread, Thread.id == Post.thread_id)
        .join(Board, Board.id == Thread.board_id)
        .join(Member, Member.id == Post.author_id)
        .where(Case.id == case_id)
    ).one()
    return Facts(
        findings_score=float(row.found),
        is_public=row.state in (PostState.PUBLISHED, PostState.SHIELDED),
        board_threads=row.thread_count,
        thread_posts=row.posts,
        report_weights=_weights(session, case_id),
        author_posts=row.approved_count,
        author_upheld=row.upheld_report_count,
    )


def _weights(session: Session, case_id: int) -> tuple[float, ...]:
    """Of those whose report of this case is open."""
    stmt = select(Report.reporter_id).where(Report.case_id == case_id, Report.status == ReportStatus.OPEN)
    sent_by = list(session.execute(stmt.order_by(Report.id)).scalars())
    known = reporters.accuracies(session, set(sent_by)) if sent_by else {}
    return tuple(known[one].weight for one in sent_by)
