"""The command line: verbs, options and exit codes. What the verbs do is elsewhere."""

import gc
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from spanmill import replay_options
from spanmill.errors import ConfigError, SpanmillError, StartError
from spanmill.exit_codes import ExitCode
from spanmill.generate.options import Protocol
from spanmill.memory import tune_allocation
from spanmill.offline import options as offline
from spanmill.signal import Signal

app = typer.Typer(
    name="spanmill",
    epilog="Exit codes: 0 done, 1 invalid configuration, or a gate that did not pass, 2 usage, 3 could not start, "
    "4 a component died, 5 data was lost at the shutdown deadline, or not all was replayed or evaluated.",
    add_completion=False,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Sources = Annotated[
    list[str],
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="A YAML file; later ones are laid over earlier. Also env:NAME, yaml:TEXT.",
    ),
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Override one key: processors.batch.timeout=2s.")
]


class PrintFormat(StrEnum):
    """How print-config writes."""

    YAML = "yaml"
    JSON = "json"


class QueryFormat(StrEnum):
    """How query writes."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def _show_version(wanted: bool) -> None:
    if wanted:
        from spanmill import __version__

        print(f"spanmill {__version__}")
        raise typer.Exit


@app.callback()
def spanmill(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - its callback acts
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The collector for LLM telemetry: OTLP in; Parquet, DuckDB, Prometheus and OTLP out.

    \b
    Start it:      spanmill run --config config.example.yaml
    Send OTLP to:  localhost:4317 (gRPC) or http://localhost:4318 (HTTP)
    Ask it:        spanmill query "select name, duration_ms from spans"
    """
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def run(config: Sources, overrides: Overrides = None) -> None:
    """Start the collector and run until SIGTERM or SIGINT."""
    gc.disable()  # what starting allocates stays: looking through it for garbage is a sixth of the start
    tune_allocation()
    try:
        configuration = _read(config, overrides)
        from spanmill import service

        code = service.run(configuration)
    finally:
        gc.enable()
    raise typer.Exit(code)


@app.command()
def validate(
    config: Sources,
    overrides: Overrides = None,
    environment: Annotated[
        bool, typer.Option("--environment", help="Also try ports, directories, certificates and endpoints.")
    ] = False,
) -> None:
    """Say everything that is wrong with a configuration."""
    configuration = _read(config, overrides)
    _print_lines(problem.render() for problem in configuration.warnings)
    if environment:
        from spanmill.config.environment import check_environment

        with _progress("Trying the environment") as progress:
            problems = check_environment(configuration, progress)
        if problems:
            raise ConfigError(problems)
    count = len(configuration.warnings)
    warned = f", with {count} warning{'s' * (count > 1)}" if count else ""
    print(f"The configuration is valid{warned}.")


@app.command()
def components() -> None:
    """List the types of components there are."""
    from spanmill.names import Kind
    from spanmill.registry import component_types

    for kind in Kind:
        print(f"{kind.value}:")
        for component in component_types(kind):
            signals = ", ".join(sorted(signal.value for signal in component.signals))
            names = "".join(f", also {alias.name}" for alias in component.aliases)
            scope = "" if kind is Kind.EXTENSIONS else f" [{signals}]"
            print(f"  {component.name:<18}{component.summary}{names}{scope}")


@app.command("print-config")
def print_config(
    config: Sources,
    overrides: Overrides = None,
    output_format: Annotated[PrintFormat, typer.Option("--format", help="YAML or JSON.")] = PrintFormat.YAML,
    unredacted: Annotated[bool, typer.Option("--unredacted", help="Show secrets.")] = False,
) -> None:
    """Print the merged configuration, secrets hidden."""
    from spanmill.config import render_configuration

    rendered = render_configuration(_read(config, overrides), redacted=not unredacted)
    if output_format is PrintFormat.JSON:
        print(json.dumps(rendered, indent=2, ensure_ascii=False))
        return
    import yaml

    print(yaml.safe_dump(rendered, sort_keys=False, allow_unicode=True), end="")


@app.command()
def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="A query over the tables spans, metrics and logs.")],
    directory: Annotated[
        Path | None,
        typer.Option("--directory", "-d", help="What a parquet exporter writes, or the file of a duckdb exporter."),
    ] = None,
    config: Annotated[
        list[str] | None,
        typer.Option(
            "--config",
            "-c",
            metavar="FILE",
            help="Take the directory from this configuration. With neither: from ./config.yaml, else "
            "./config.example.yaml, else data/parquet.",
        ),
    ] = None,
    output_format: Annotated[QueryFormat, typer.Option("--format", help="Table, CSV or JSON.")] = QueryFormat.TABLE,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Most rows to write; 100 for a table, else all, if not given.")
    ] = None,
) -> None:
    """Run SQL over the stored rows: DuckDB's dialect, times in UTC; nothing can be changed."""
    from spanmill.query import Output, run_query

    raise typer.Exit(run_query(sql, directory, Output(output_format.value), sources=config or (), limit=limit))


@app.command()
def generate(
    endpoint: Annotated[str, typer.Option(help="host:port of the collector; localhost if not given.")] = "",
    protocol: Annotated[Protocol, typer.Option(help="OTLP's protocol.")] = Protocol.GRPC,
    gzip: Annotated[bool, typer.Option("--gzip", help="Compress requests.")] = False,
    rate: Annotated[float, typer.Option(min=0, help="Traces a second; 0: as fast as they are taken.")] = 10.0,
    count: Annotated[int, typer.Option(min=0, help="Traces to send; 0: no bound.")] = 100,
    duration: Annotated[float, typer.Option(min=0, help="Seconds to send for; 0: no bound.")] = 0.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same traces, but for the time of day.")] = 0,
    signal: Annotated[list[Signal] | None, typer.Option(help="Send only this signal; may be repeated.")] = None,
) -> None:
    """Send realistic LLM traces, metrics and logs to a collector, with OpenTelemetry's own SDK."""
    from spanmill.generate import Options
    from spanmill.generate import generate as send

    options = Options(endpoint, protocol, gzip, rate, count, duration, seed, frozenset(signal or Signal))
    print(f"{send(options)} traces were sent to {options.target}")


@app.command("rebuild-duckdb")
def rebuild_duckdb(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The database file to make anew.")],
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="DIRECTORY", help="What a parquet exporter writes. Not given: FILE.d."),
    ] = None,
) -> None:
    """Make a DuckDB file anew from the Parquet files that hold its rows.

    Without --from: the file of a duckdb exporter, when it is lost, damaged, or was moved with its FILE.d. While a
    collector has it this is refused: the collector makes a file that was deleted anew by itself.
    With --from: a file that shows the rows that are there now. A collector may go on writing; what comes later is not
    in it, and once small files were put together and deleted, queries fail until the file is made anew.
    """
    from spanmill.exporters.duckdb.command import run_rebuild

    raise typer.Exit(run_rebuild(path, source))


@app.command()
def replay(
    sources: replay_options.Sources,
    to: replay_options.To = "",
    protocol: replay_options.Protocol = None,
    header: replay_options.Header = None,
    insecure: replay_options.Insecure = False,
    ca_file: replay_options.CaFile = None,
    cert_file: replay_options.CertFile = None,
    key_file: replay_options.KeyFile = None,
    config: replay_options.Config = None,
    exporter: replay_options.Exporter = "",
    signal: replay_options.Signal = None,
    since: replay_options.Since = "",
    until: replay_options.Until = "",
    first: replay_options.First = None,
    last: replay_options.Last = None,
    where: replay_options.Where = "",
    dry_run: replay_options.DryRun = False,
    rate: replay_options.Rate = 0.0,
    delete: replay_options.Delete = False,
    give_up_after: replay_options.GiveUpAfter = "30s",
) -> None:
    """Send dead letters, stored rows or records of journals again, as OTLP.

    Everything is sent at least once: twice what was under way when the other side failed, and what you replay twice.
    The same source makes the same requests each time, and a Spanmill that hears them again within its dedup_window
    (10 min) stores them once.
    """
    from spanmill.replay import Configured, Options, Selection, Target, run_replay

    selection = Selection(frozenset(signal or Signal), first=first, last=last, where=where)
    target = Target(to, protocol, tuple(header or ()), insecure, ca_file, cert_file, key_file)
    configured = Configured(tuple(config or ()), exporter)
    raise typer.Exit(
        run_replay(Options(sources, target, configured, selection, since, until, dry_run, rate, delete, give_up_after))
    )


@app.command()
def evaluate(
    inputs: offline.Inputs,
    output: offline.ResultsOutput,
    evaluators: offline.Evaluators = "",
    evaluators_file: offline.EvaluatorsFile = None,
    config: offline.Config = None,
    processor: offline.Processor = "",
    model: offline.JudgeModel = "",
    base_url: offline.BaseUrl = "",
    api: offline.Api = "",
    api_key_env: offline.ApiKeyEnv = "",
    concurrency: offline.Concurrency = None,
    requests_per_minute: offline.PerMinute = None,
    budget_usd: offline.BudgetUsd = None,
    share: offline.Share = 1.0,
    where: offline.Where = "",
    limit: offline.RowLimit = None,
    labels: offline.Labels = "",
) -> None:
    """Have a model judge stored rows, with the evaluators of llm_judge.

    A run that was interrupted, or whose budget was spent, goes on with the same command: what has a score is not asked
    again.
    """
    from spanmill.offline.evaluate import EvaluateOptions, run_evaluate
    from spanmill.offline.judge_setup import JudgeOptions

    judge = JudgeOptions(evaluators, evaluators_file, config or (), processor, model, base_url, api, api_key_env)
    judge = replace(judge, concurrency=concurrency, requests_per_minute=requests_per_minute, share=share)
    judge = replace(judge, budget_usd=budget_usd)
    raise typer.Exit(run_evaluate(EvaluateOptions(inputs, output, judge, where, limit, labels)))


@app.command()
def gate(
    results: offline.Results,
    minimum: offline.Minimum = None,
    evaluator: offline.OfEvaluator = None,
    by: offline.By = None,
    baseline: offline.Baseline = None,
    max_drop: offline.MaxDrop = None,
    max_failed: offline.MaxFailed = 0.05,
    min_count: offline.MinCount = 10,
    strict: offline.Strict = False,
    confidence: offline.Confidence = 0.95,
    where: offline.Where = "",
    output_format: offline.ReportFormat = offline.Format.TABLE,
    output: offline.ReportOutput = None,
) -> None:
    """Say whether verdicts are good enough: means of scores by evaluator, and by group, with their intervals.

    Exits 0 when they are, 1 when they are not or there are none, 2 when the question makes no sense.
    """
    from spanmill.offline.gate import Rules
    from spanmill.offline.gate_run import GateOptions, run_gate

    rules = Rules(max_failed=max_failed, min_count=min_count, strict=strict, confidence=confidence)
    chosen = GateOptions(results, minimum or (), evaluator or (), by or (), baseline, max_drop, where, rules)
    raise typer.Exit(run_gate(replace(chosen, output_format=output_format, output=output)))


@app.command()
def dataset(
    source: offline.Source,
    output: offline.DatasetOutput,
    where: offline.Where = "",
    limit: offline.DatasetLimit = None,
    columns: offline.Columns = "",
    no_mask: offline.NoMask = False,
    overwrite: offline.Overwrite = False,
) -> None:
    """Write chosen spans as JSON lines: masked, each content once, with what was retrieved and how they were scored.

    \b
    spanmill dataset data/parquet --output hard.jsonl --where "
      trace_id in (select trace_id from evaluations where name = 'thumbs' and score = 0)"
    """
    from spanmill.offline.dataset import DatasetOptions, run_dataset

    named = tuple(name.strip() for name in columns.split(",") if name.strip())
    raise typer.Exit(run_dataset(DatasetOptions(source, output, where, limit, named, not no_mask, overwrite)))


def _read(sources: list[str], overrides: list[str] | None) -> Any:
    from spanmill.config import read_configuration

    return read_configuration(sources, overrides or (), os.environ)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[str], None]]:
    """A spinner on a terminal that names what is being done; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status(what) as status:
        yield lambda detail: status.update(f"{what}: {detail}")


def _print_lines(lines: Iterator[str]) -> None:
    for line in lines:
        print(line, file=sys.stderr)


def _fail(error: SpanmillError, code: ExitCode) -> NoReturn:
    print(error, file=sys.stderr)
    sys.exit(code)


def main() -> None:
    """The `spanmill` command. A user's mistake ends with its message and exit code, never with a traceback."""
    try:
        app()
    except ConfigError as error:
        _fail(error, ExitCode.CONFIG)
    except StartError as error:
        _fail(error, ExitCode.START)
    except SpanmillError as error:
        _fail(error, ExitCode.RUNTIME)
