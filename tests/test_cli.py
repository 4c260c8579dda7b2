"""The command line as a user meets it: real processes, their output and exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from spanmill import __version__
from spanmill.exit_codes import ExitCode
from tests.config.conftest import RUNNABLE


def spanmill(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "spanmill", *arguments]
    environ = {"PATH": "/usr/bin:/bin", "COLUMNS": "200", "LC_ALL": "C.UTF-8", **environ}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environ, timeout=60)


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "collector.yaml"
    path.write_text(RUNNABLE)
    return str(path)


def test_without_arguments_it_explains_itself() -> None:
    result = spanmill()
    assert result.returncode == ExitCode.OK
    for word in (
        "run",
        "validate",
        "components",
        "print-config",
        "query",
        "replay",
        "rebuild-duckdb",
        "generate",
        "4317",
        "Exit codes",
    ):
        assert word in result.stdout


def test_the_version_is_printed() -> None:
    assert spanmill("--version").stdout == f"spanmill {__version__}\n"


@pytest.mark.parametrize("arguments", [("bogus",), ("validate",), ("run",), ("validate", "--config")])
def test_a_command_line_that_makes_no_sense_is_exit_code_2(arguments: tuple[str, ...]) -> None:
    result = spanmill(*arguments)
    assert result.returncode == ExitCode.USAGE
    assert "Traceback" not in result.stderr


def test_a_valid_configuration_is_exit_code_0(config: str) -> None:
    result = spanmill("validate", "--config", config)
    assert (result.returncode, result.stdout, result.stderr) == (ExitCode.OK, "The configuration is valid.\n", "")


def test_warnings_are_told_and_change_nothing(config: str) -> None:
    result = spanmill("validate", "-c", config, "--set", "exporters.logging.loglevel=debug")
    assert result.returncode == ExitCode.OK
    assert result.stdout == "The configuration is valid, with 2 warnings.\n"
    assert "exporters.logging.loglevel: warning:" in result.stderr


@pytest.mark.parametrize("verb", ["validate", "run", "print-config"])
def test_an_invalid_configuration_is_exit_code_1_with_every_problem_and_no_traceback(config: str, verb: str) -> None:
    result = spanmill(verb, "-c", config, "--set", "exporters.debug.verbosty=x", "--set", "receivers.otlp.protocol=x")
    assert result.returncode == ExitCode.CONFIG
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 2
    assert "Traceback" not in result.stderr


def test_a_file_that_is_not_there_is_exit_code_1() -> None:
    result = spanmill("validate", "-c", "nowhere.yaml")
    assert result.returncode == ExitCode.CONFIG
    assert result.stderr == "nowhere.yaml: cannot be read: No such file or directory\n"


def test_variables_come_from_the_environment(config: str) -> None:
    result = spanmill("print-config", "-c", config, "--set", "exporters.debug.verbosity=${env:LEVEL}", LEVEL="detailed")
    assert yaml.safe_load(result.stdout)["exporters"]["debug"]["verbosity"] == "detailed"


def test_print_config_hides_secrets_unless_asked(config: str) -> None:
    secret = ["--set", "exporters.otlp_http={endpoint: http://x, headers: {a: hunter2}}"]
    shown = spanmill("print-config", "-c", config, *secret)
    assert "hunter2" not in shown.stdout
    assert "[REDACTED]" in shown.stdout
    assert "hunter2" in spanmill("print-config", "-c", config, *secret, "--unredacted").stdout


def test_print_config_says_the_same_in_json(config: str) -> None:
    as_json = spanmill("print-config", "-c", config, "--format", "json")
    as_yaml = spanmill("print-config", "-c", config)
    assert json.loads(as_json.stdout) == yaml.safe_load(as_yaml.stdout)


def test_components_lists_every_type() -> None:
    from spanmill.registry import COMPONENTS

    text = spanmill("components").stdout
    assert [component.name for component in COMPONENTS if component.name not in text] == []


def test_validate_environment_is_exit_code_1_when_the_machine_does_not_give_what_is_asked(config: str) -> None:
    tls = "receivers.otlp.protocols.http={endpoint: 'localhost:0', tls: {cert_file: /nowhere/a, key_file: /nowhere/b}}"
    quiet = ["--set", "service.telemetry.metrics.level=none", "--set", tls]
    result = spanmill("validate", "-c", config, *quiet, "--environment")
    assert result.returncode == ExitCode.CONFIG
    assert "/nowhere/a cannot be read: No such file or directory" in result.stderr
