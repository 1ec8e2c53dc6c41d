"""The rule files that ship with the product: read once, checked, and given to the signals inside the Draft."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import yaml

from moderation.signals.contract import RuleFile

FOLDER = Path(__file__).parent / "rules"


@cache
def shipped() -> Mapping[str, RuleFile]:
    """Every rule file by its name. Raises ValueError for one without a version."""
    files = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        version = data.pop("version", None)
        if not isinstance(version, str) or not version:
            raise ValueError(f"{path.name} has no version")
        files[path.stem] = RuleFile(name=path.stem, version=f"{path.stem}/{version}", data=data)
    return MappingProxyType(files)
