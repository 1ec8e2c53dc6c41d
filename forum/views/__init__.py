"""Pages of the forum, one file per subject."""
