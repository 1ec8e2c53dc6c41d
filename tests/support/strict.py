"""With BOARDWELL_REQUIRE_ALL=1 a skipped PostgreSQL or browser test fails: a check that did not run proves nothing."""

import os
from collections.abc import Generator

import pytest


def _must_run(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    on_postgresql = callspec is not None and callspec.params.get("backend") == "postgresql"
    return on_postgresql or any(item.get_closest_marker(name) for name in ("browser", "postgresql"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if os.environ.get("BOARDWELL_REQUIRE_ALL") == "1" and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        # Data that a machine may lack is no matter of the machine's tools.
        if _must_run(item) and "shared data absent" not in reason:
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} must not be skipped here: {reason}"
    return report
