"""Missing packages: in CI a skip for one is a failure, unless `--without` names it."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Generator

import pytest

# In CI every package that a test needs is installed, except those of `--without`. Any other skip
# for a missing package would hide a broken environment, so it is a failure.
_IN_CI = os.environ.get("CI") == "true"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--without",
        metavar="PACKAGES",
        default="",
        help="Packages, separated by commas, that this environment lacks by design: CI skips the "
        "tests that need them, instead of failing them (default: none).",
    )


def pytest_configure(config: pytest.Config) -> None:
    for package in _without(config):
        if importlib.util.find_spec(package) is not None:
            raise pytest.UsageError(f"--without names {package!r}, and it is installed.")


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a module that is skipped as a whole, by `pytest.importorskip` at its top."""
    report = yield
    if _hides_a_missing_package(report, collector.config):
        report.outcome = "failed"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if _hides_a_missing_package(report, item.config):
        report.outcome = "failed"
    return report


def _without(config: pytest.Config) -> list[str]:
    return [name.strip() for name in config.getoption("--without").split(",") if name.strip()]


def _hides_a_missing_package(
    report: pytest.CollectReport | pytest.TestReport, config: pytest.Config
) -> bool:
    if not _IN_CI or not report.skipped:
        return False
    where = report.longrepr
    reason = where[2] if isinstance(where, tuple) else str(where)
    if "could not import" not in reason:
        return False
    package = re.search(r"could not import '(\w+)", reason)
    return package is None or package[1] not in _without(config)
