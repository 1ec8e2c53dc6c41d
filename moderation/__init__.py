"""Gate, queue, cases, decisions, reports, statements."""
