"""Signals: one pure function per file."""
