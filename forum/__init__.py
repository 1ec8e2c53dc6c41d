"""Boards, threads, posts, drafts, search."""
