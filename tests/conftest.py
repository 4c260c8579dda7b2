"""What every test shares: how hard properties are tried, and that CI excuses no test from running."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

_CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
# Shrinking a message of many parts takes minutes; `HYPOTHESIS_PROFILE=torture` does it.
_WITHOUT_SHRINKING = [Phase.explicit, Phase.reuse, Phase.generate, Phase.target]
settings.register_profile(
    "quick", max_examples=20, deadline=None, suppress_health_check=_CHECKS, phases=_WITHOUT_SHRINKING
)
settings.register_profile("torture", max_examples=2_000, deadline=None, suppress_health_check=_CHECKS)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


_TESTS = Path(__file__).parent
_WHOLE = (
    "delivery", "deploy", "downstreams/test_failing_servers.py", "exporters/duckdb/test_rebuild.py",
    "exporters/duckdb/test_second_process.py", "exporters/prometheus/llm/test_page.py",
    "exporters/prometheus/test_prometheus_server.py", "journal/test_exactly_once.py",
    "processors/llm_cost/budgets/test_killed_daemon.py", "properties", "storage/test_crash_points.py",
)  # fmt: skip
"""What starts collectors, SDKs and Prometheus, or goes through crashes one by one: marked `whole`, see `make help`."""
_QUICK = ("delivery/crashes", "delivery/test_lifecycle.py", "delivery/test_python_sdk.py", "delivery/test_container.py")
"""Among it what every change needs."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by where they are."""
    whole, quick = (tuple(_TESTS / path for path in paths) for paths in (_WHOLE, _QUICK))
    for item in items:
        if item.path.is_relative_to(_TESTS) and _below(item.path, whole) and not _below(item.path, quick):
            item.add_marker(pytest.mark.whole)


def _below(path: Path, places: tuple[Path, ...]) -> bool:
    return any(path.is_relative_to(place) for place in places)


@pytest.fixture(autouse=True)
def _directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a configuration names relative to the working directory, the journal above all, is the test's own."""
    monkeypatch.chdir(tmp_path)


_NO_EXCUSES = os.environ.get("SPANMILL_CI") == "1"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With SPANMILL_CI=1 a skipped test (a server that is not installed, say) is a failed one."""
    report = yield
    if _NO_EXCUSES and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"{reason} (SPANMILL_CI=1 lets no test be skipped)"
    return report
