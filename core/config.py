"""Settings from the environment. A malformed value stops the start with one line that names it."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

PREFIX = "BOARDWELL_"
ROOT = Path(__file__).resolve().parent.parent


class SettingsError(SystemExit):
    """Ends the process with one clear line (exit code 1)."""

    def __init__(self, name: str, why: str) -> None:
        self.name = PREFIX + name
        super().__init__(f"Boardwell cannot start: {PREFIX}{name} {why}")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything an operator can change. Durations in seconds unless the name says otherwise."""

    database_url: str
    secret_key: str
    instance: Path
    redis_url: str | None = None
    mail_url: str | None = None
    mail_from: str = "no-reply@localhost.invalid"
    base_url: str = "http://127.0.0.1:8000"
    country: str = "GB"
    contact: str = ""
    operator_mail: str | None = None
    moderation_hours: tuple[int, int] = (8, 20)
    on_call_webhook: str | None = None
    min_age: int = 16
    max_body_chars: int = 20_000
    max_title_chars: int = 200
    limits: bool = True
    panic: bool = False
    metrics_token: str | None = None
    log_level: str = "INFO"
    testing: bool = False
    demo: bool = False

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read and check every setting; raises SettingsError naming the first bad one."""
        env = os.environ if environ is None else environ
        get = _Reader(env)
        instance = Path(get.text("INSTANCE", str(ROOT / "instance"))).resolve()
        base_url = get.text("BASE_URL", _own_address(env)).rstrip("/")
        if urlsplit(base_url).scheme not in ("http", "https") or not urlsplit(base_url).netloc:
            raise SettingsError("BASE_URL", f"must be an http or https address, not {base_url!r}")
        return cls(
            instance=instance,
            database_url=get.database_url(instance),
            secret_key=get.secret_key(instance),
            redis_url=get.url("REDIS_URL", ("redis", "rediss", "unix")),
            mail_url=get.url("MAIL_URL", ("smtp", "smtps")),
            mail_from=get.text("MAIL_FROM", f"no-reply@{urlsplit(base_url).hostname}"),
            base_url=base_url,
            country=get.matching("COUNTRY", "GB", r"[A-Z]{2}", "two capital letters such as GB"),
            contact=get.text("CONTACT", ""),
            operator_mail=get.address("OPERATOR_MAIL"),
            moderation_hours=get.hours("MODERATION_HOURS", (8, 20)),
            on_call_webhook=get.url("ON_CALL_WEBHOOK", ("http", "https")),
            min_age=get.number("MIN_AGE", 16, 13, 21),
            max_body_chars=get.number("MAX_BODY_CHARS", 20_000, 100, 100_000),
            max_title_chars=get.number("MAX_TITLE_CHARS", 200, 20, 1_000),
            limits=get.choice("LIMITS", "on", {"on": True, "off": False}),
            metrics_token=get.text("METRICS_TOKEN", "") or None,
            log_level=get.matching("LOG_LEVEL", "INFO", r"DEBUG|INFO|WARNING|ERROR", "DEBUG, INFO, WARNING or ERROR"),
        )

    def is_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")


def _own_address(env: Mapping[str, str]) -> str:
    """Where `make run` serves: PORT and HOST move the links in mail too. A wildcard host is reached by loopback."""
    host = env.get("HOST", "").strip()
    host = "127.0.0.1" if host in ("", "0.0.0.0", "::") else host
    port = env.get("PORT", "").strip() or "8000"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Reader:
    """One method per shape of value."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env

    def text(self, name: str, default: str) -> str:
        return self.env.get(PREFIX + name, "").strip() or default

    def matching(self, name: str, default: str, pattern: str, wanted: str) -> str:
        value = self.text(name, default)
        if not re.fullmatch(pattern, value):
            raise SettingsError(name, f"must be {wanted}, not {value!r}")
        return value

    def number(self, name: str, default: int, low: int, high: int) -> int:
        value = self.text(name, str(default))
        if not re.fullmatch(r"\d{1,9}", value, re.ASCII) or not low <= int(value) <= high:
            raise SettingsError(name, f"must be a whole number from {low} to {high}, not {value!r}")
        return int(value)

    def choice(self, name: str, default: str, table: Mapping[str, bool]) -> bool:
        value = self.text(name, default).lower()
        if value not in table:
            raise SettingsError(name, f"must be one of {', '.join(table)}, not {value!r}")
        return table[value]

    def url(self, name: str, schemes: tuple[str, ...]) -> str | None:
        value = self.text(name, "")
        if not value:
            return None
        try:
            parts = urlsplit(value)
            _ = parts.port
        except ValueError as error:
            raise SettingsError(name, f"is not a valid address ({error})") from error
        if parts.scheme not in schemes or not (parts.hostname or parts.path):
            raise SettingsError(name, f"must start with {' or '.join(s + '://' for s in schemes)}")
        return value

    def address(self, name: str) -> str | None:
        value = self.text(name, "")
        if value and not re.fullmatch(r"[^\s@<>,;:]+@[^\s@<>,;:]+", value):
            raise SettingsError(name, f"must be one e-mail address, not {value!r}")
        return value or None

    def hours(self, name: str, default: tuple[int, int]) -> tuple[int, int]:
        value = self.text(name, f"{default[0]}-{default[1]}")
        found = re.fullmatch(r"(\d{1,2})(?::00)?-(\d{1,2})(?::00)?", value, re.ASCII)
        if not found or not 0 <= int(found[1]) < int(found[2]) <= 24:
            raise SettingsError(name, f"must be hours of the day in UTC such as 8-20, not {value!r}")
        return int(found[1]), int(found[2])

    def database_url(self, instance: Path) -> str:
        value = self.text("DATABASE_URL", f"sqlite:///{instance / 'boardwell.sqlite'}")
        if value.startswith(("postgresql://", "postgres://")):
            value = "postgresql+psycopg://" + value.split("://", 1)[1]
        if not value.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise SettingsError("DATABASE_URL", "must start with sqlite:/// or postgresql+psycopg://")
        return value

    def secret_key(self, instance: Path) -> str:
        value = self.text("SECRET_KEY", "")
        file = instance / "secret_key"
        if not value and file.is_file():
            value = file.read_text().strip()
        if not value:
            raise SettingsError("SECRET_KEY", "is not set (`make run` makes one in instance/)")
        if len(value) < 32:
            raise SettingsError("SECRET_KEY", "must have at least 32 characters")
        return value
