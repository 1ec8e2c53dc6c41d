"""The reference: conditions, articles, definitions, sources, rule texts."""
