"""What is so grave that two people decide it; the kinds and rules are data, in starter/severity.yaml."""

from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from core.vocabulary import Verdict

FILE = Path(__file__).parent / "starter" / "severity.yaml"
# Of a severe case these need the second person; what gives something back, or asks for changes, does not.
VERDICTS = frozenset({Verdict.HIDE, Verdict.REMOVE})


@cache
def _shipped() -> dict[str, Any]:
    return dict(yaml.safe_load(FILE.read_text(encoding="utf-8")))


def is_severe(kinds: Collection[str], rule: str) -> bool:
    """Whether a kind of finding, or the rule that is cited, makes the case severe by itself."""
    shipped = _shipped()
    return rule in shipped["rules"] or bool(set(shipped["kinds"]) & set(kinds))
