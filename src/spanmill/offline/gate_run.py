"""`spanmill gate` from beginning to end: read, judge, write, say whether it passed."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

from spanmill.exit_codes import ExitCode
from spanmill.offline.gate import Report, Rules, judge
from spanmill.offline.gate_report import NOTHING, as_json, as_junit, as_table
from spanmill.offline.mistakes import Mistake, complain, explained, unknown, writable
from spanmill.offline.options import Format
from spanmill.offline.results import Verdicts, read_verdicts

NOT_PASSED: Final = 1
"""The exit code of a gate that stays shut."""


@dataclass(frozen=True, slots=True)
class GateOptions:
    """A gate, as of the command line."""

    results: Path
    minima: Sequence[str] = ()
    """`0.7`, or `relevance=0.7`."""
    evaluators: Sequence[str] = ()
    """None: all there are."""
    by: Sequence[str] = ()
    """Columns."""
    baseline: Path | None = None
    max_drop: float | None = None
    """None: as the rules have it."""
    where: str = ""
    rules: Rules = field(default_factory=Rules)
    """Those that are numbers and flags."""
    output_format: Format = Format.TABLE
    output: Path | None = None
    """A file for the report; a table is then printed too."""


def run_gate(options: GateOptions) -> int:
    """Gives the exit code: 0, 1 when it did not pass, 2 when it could not be tried."""
    return explained(lambda: _run(options))


def _run(options: GateOptions) -> int:
    if not options.minima and options.baseline is None:
        raise Mistake("nothing is asked of the results; expected --min, such as --min 0.7, or --baseline")
    if options.max_drop is not None and options.baseline is None:
        raise Mistake("--max-drop compares with a baseline, which is missing: --baseline")
    if options.output is not None:
        writable(options.output)
    rules = _rules(options)
    old = None if options.baseline is None else read_verdicts(options.baseline, options.by, options.where)
    if old is not None and not len(old):
        raise Mistake(f"{options.baseline}: the baseline has no verdicts{_filtered(options)}")
    new = read_verdicts(options.results, options.by, options.where)
    if not len(new):
        complain(f"{options.results}: {NOTHING}{_filtered(options)}")
        report = Report((), rules)
    else:
        names = {*new.names, *(old.names if old else ())}
        for name in [*options.evaluators, *rules.minima]:
            if name not in names:
                raise unknown(options.results, "evaluator", name, sorted(names))
        report = judge(_chosen(new, options), None if old is None else _chosen(old, options), options.by, rules)
    _write(report, options)
    return ExitCode.OK if report.passed else NOT_PASSED


def _filtered(options: GateOptions) -> str:
    return "; no row is selected by --where" if options.where else ""


def _rules(options: GateOptions) -> Rules:
    minimum, minima = None, {}
    for text in options.minima:
        name, separator, number = text.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = float("nan")
        if not 0 <= value <= 1 or (separator and not name):
            raise Mistake(f"--min {text}: expected a number from 0 to 1, or evaluator=number")
        if name:
            minima[name] = value
        elif minimum is not None:
            raise Mistake("--min is there twice without an evaluator; expected once, or --min evaluator=number")
        else:
            minimum = value
    drop = options.rules.max_drop if options.max_drop is None else options.max_drop
    return replace(options.rules, minimum=minimum, minima=minima, max_drop=drop)


def _chosen(verdicts: Verdicts, options: GateOptions) -> Verdicts:
    if not options.evaluators:
        return verdicts
    return verdicts.where(np.isin(verdicts.name.astype(str), list(options.evaluators)))


def _write(report: Report, options: GateOptions) -> None:
    write = {Format.TABLE: as_table, Format.JSON: as_json, Format.JUNIT: as_junit}[options.output_format]
    if options.output is not None:
        options.output.write_text(write(report), encoding="utf-8")
    if options.output is not None or options.output_format is Format.TABLE:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        sys.stdout.write(as_table(report, width))
    else:
        sys.stdout.write(write(report))
