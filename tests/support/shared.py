"""Where the shared data sets are, which tests read but the project never contains."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def shared_directory() -> Path:
    """BOARDWELL_SHARED, else the folder `shared` beside the project's root. It may be absent."""
    return Path(os.environ.get("BOARDWELL_SHARED") or ROOT.parent / "shared")


def shared_file(name: str) -> Path:
    """One file of the shared data, for example `medquad_shared.tar.gz`; skips the test where it is absent."""
    path = shared_directory() / "data" / name
    if not path.exists():
        pytest.skip(f"shared data absent: no data/{name} in BOARDWELL_SHARED or beside the project")
    return path
