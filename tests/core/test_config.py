"""Settings: good ones are read, a bad one stops the start and names itself."""

import pytest

from core.config import Settings, SettingsError

GOOD = {"BOARDWELL_SECRET_KEY": "k" * 40}


def test_defaults_are_the_embedded_database_and_mail_in_files(tmp_path):
    read = Settings.from_env({**GOOD, "BOARDWELL_INSTANCE": str(tmp_path)})
    assert read.database_url == f"sqlite:///{tmp_path / 'boardwell.sqlite'}"
    assert (read.mail_url, read.min_age, read.max_body_chars, read.max_title_chars) == (None, 16, 20_000, 200)
    assert read.limits is True


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://x/y"),
        ("SECRET_KEY", "short"),
        ("MAIL_URL", "ftp://mail"),
        ("MAIL_URL", "smtp://host:notaport"),
        ("BASE_URL", "example.org"),
        ("COUNTRY", "Britain"),
        ("COUNTRY", "gb"),
        ("MODERATION_HOURS", "20-8"),
        ("MODERATION_HOURS", "eight to eight"),
        ("ON_CALL_WEBHOOK", "file:///etc/passwd"),
        ("MIN_AGE", "three"),
        ("MIN_AGE", "12"),
        ("MIN_AGE", "٣٠"),
        ("MAX_BODY_CHARS", "-1"),
        ("LIMITS", "maybe"),
        ("LOG_LEVEL", "LOUD"),
        ("REDIS_URL", "http://redis"),
        ("OPERATOR_MAIL", "ops at example.org"),
        ("OPERATOR_MAIL", "a@example.org, b@example.org"),
    ],
)
def test_a_malformed_setting_stops_the_start_with_one_line_that_names_it(tmp_path, name, value):
    with pytest.raises(SettingsError) as stopped:
        Settings.from_env({**GOOD, "BOARDWELL_INSTANCE": str(tmp_path), f"BOARDWELL_{name}": value})
    line = str(stopped.value)
    assert f"BOARDWELL_{name}" in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"PORT": "8123"}, "http://127.0.0.1:8123"),
        ({"PORT": "8123", "HOST": "0.0.0.0"}, "http://127.0.0.1:8123"),
        ({"HOST": "::1"}, "http://[::1]:8000"),
        ({"PORT": "8123", "BOARDWELL_BASE_URL": "https://forum.example/"}, "https://forum.example"),
    ],
)
def test_links_in_mail_lead_to_where_the_site_is_served(tmp_path, given, address):
    assert Settings.from_env({**GOOD, "BOARDWELL_INSTANCE": str(tmp_path), **given}).base_url == address


def test_a_missing_secret_key_stops_the_start(tmp_path):
    with pytest.raises(SettingsError, match="BOARDWELL_SECRET_KEY"):
        Settings.from_env({"BOARDWELL_INSTANCE": str(tmp_path)})


def test_the_first_run_makes_a_key_that_only_its_owner_can_read_and_keeps_it(tmp_path, monkeypatch):
    from core.firstrun import main

    monkeypatch.setenv("BOARDWELL_INSTANCE", str(tmp_path))
    monkeypatch.delenv("BOARDWELL_SECRET_KEY", raising=False)
    main()
    made = (tmp_path / "secret_key").read_text()
    main()
    assert (tmp_path / "secret_key").read_text() == made
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600
    assert Settings.from_env({"BOARDWELL_INSTANCE": str(tmp_path)}).secret_key == made.strip()


def test_postgresql_addresses_name_the_driver(tmp_path):
    env = {**GOOD, "BOARDWELL_INSTANCE": str(tmp_path), "BOARDWELL_DATABASE_URL": "postgresql://u@h/d"}
    assert Settings.from_env(env).database_url == "postgresql+psycopg://u@h/d"
