"""Whole chains through the site, as people and programs go through it."""
