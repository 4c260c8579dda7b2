"""Reads the configuration: several files, references, defaults, and every problem with its place.

    configuration = read_configuration(["collector.yaml"], ["processors.batch.timeout=2s"])

Imports neither pyarrow nor grpc, aiohttp or duckdb, so that validating a file is quick.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from spanmill.config.models import Configuration
from spanmill.config.problems import Problem, Severity
from spanmill.errors import ConfigError

__all__ = ["Configuration", "Problem", "read_configuration", "render_configuration"]


def read_configuration(
    sources: Sequence[str], overrides: Sequence[str] = (), environ: Mapping[str, str] = os.environ
) -> Configuration:
    """Read, merge, expand and check. Sources come later over earlier, then `overrides` (`path=value`).

    Raises ConfigError with every error and warning; a configuration that is returned carries its warnings.
    """
    # Imported here because `check` knows the components' models, and those import this package.
    from spanmill.config.check import check
    from spanmill.config.load import load

    tree, problems = load(sources, overrides, environ)
    if tree is None:
        raise ConfigError(problems or [Problem("no configuration is given", expected="at least one source")])
    configuration, found = check(tree)
    problems += found
    if any(problem.severity is Severity.ERROR for problem in problems):
        raise ConfigError(_in_order(problems))
    return replace(configuration, warnings=tuple(_in_order(problems)))


def _in_order(problems: Sequence[Problem]) -> list[Problem]:
    """Each once, in the order of the files: what a person works through from the top."""

    def place(problem: Problem) -> tuple[str, int, int]:
        location = problem.location
        return (location.source, location.line, location.column) if location else ("", 0, 0)

    return sorted(dict.fromkeys(problems), key=place)


def render_configuration(configuration: Configuration, *, redacted: bool = True) -> dict[str, Any]:
    """The configuration with every default filled in, as plain values that can be read again as configuration."""
    from spanmill.config.render import render

    return render(configuration, redacted=redacted)
