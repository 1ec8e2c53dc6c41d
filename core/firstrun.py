"""`python -m core.firstrun`: makes instance/ with a secret key (mode 600) when the environment gives none."""

import os
import secrets
from pathlib import Path

from core.config import PREFIX, ROOT


def main() -> None:
    """Safe to repeat: an existing key is kept."""
    instance = Path(os.environ.get(PREFIX + "INSTANCE", "").strip() or ROOT / "instance")
    key = instance / "secret_key"
    if os.environ.get(PREFIX + "SECRET_KEY", "").strip() or key.exists():
        return
    instance.mkdir(parents=True, exist_ok=True)
    # Created with its mode: it is never readable by others, not even for a moment.
    descriptor = os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32) + "\n")


if __name__ == "__main__":
    main()
