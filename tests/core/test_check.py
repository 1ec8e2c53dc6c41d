"""`ops check` on a whole site, and on a database that has no tables yet."""


def test_a_whole_site_passes_and_an_empty_database_is_said_plainly(site, tmp_path):
    whole = site.app.test_cli_runner().invoke(args=["ops", "check"])
    assert (whole.exit_code, whole.output) == (0, "All invariants hold.\n")
    bare = site.build(database_url=f"sqlite:///{tmp_path / 'empty.sqlite'}")
    refused = bare.test_cli_runner().invoke(args=["ops", "check"])
    assert refused.exit_code == 1
    assert "flask --app wsgi db upgrade" in refused.output
    assert "Traceback" not in refused.output
    site.disconnect(bare)
