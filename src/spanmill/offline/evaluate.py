"""`spanmill evaluate` from beginning to end: read, ask, write, say what was found."""

import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spanmill.exit_codes import ExitCode
from spanmill.judge.evaluator import Evaluator
from spanmill.offline.inputs import opened
from spanmill.offline.judge_setup import Judge, JudgeOptions, judge_of
from spanmill.offline.judging import Judging
from spanmill.offline.labels import agreement_lines, agreement_of, read_label
from spanmill.offline.mistakes import Mistake, complain, explained, unknown
from spanmill.offline.models import Models
from spanmill.offline.results import FAILED, SCORED, SKIPPED
from spanmill.offline.results_file import ResultsFile, Verdict
from spanmill.offline.span_rows import Chunk, chunks
from spanmill.offline.statistics import mean
from spanmill.query.values import plain_values
from spanmill.telemetry.logs import component_log


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """A run, as of the command line."""

    inputs: Sequence[Path]
    output: Path
    judge: JudgeOptions
    where: str = ""
    limit: int | None = None
    """Most rows to judge; None: all."""
    labels: str = ""
    """A column with what people found, or `evaluator=column` where it is about one of several; empty for none."""

    @property
    def labels_column(self) -> str:
        """Empty for none."""
        return self.labels.rpartition("=")[2]

    def are_about(self, evaluator: str) -> bool:
        """Whether the labels are about that evaluator's question."""
        return bool(self.labels) and self.labels.rpartition("=")[0] in ("", evaluator)


def run_evaluate(options: EvaluateOptions) -> int:
    """Judge the rows; gives the exit code. Raises `ConfigError`."""
    return explained(lambda: _run(options))


def _run(options: EvaluateOptions) -> int:
    judge = judge_of(options.judge)
    total = _checked(options, judge.evaluators)
    results = ResultsFile(options.output)
    run = _Run(options, judge, results)
    with results:
        try:
            with _progress(min(total, options.limit or total)) as advance:
                asyncio.run(run.go(advance))
        except (KeyboardInterrupt, asyncio.CancelledError):
            run.stopped = "interrupted"
    return run.report()


def _checked(options: EvaluateOptions, evaluators: Sequence[Evaluator]) -> int:
    """Rows that are selected. Whatever can be wrong with inputs and labels is found before anything is spent."""
    total = 0
    about = [evaluator for evaluator in evaluators if options.are_about(evaluator.name)]
    if options.labels and not about:
        name = options.labels.rpartition("=")[0]
        raise unknown("--labels", "evaluator", name, [evaluator.name for evaluator in evaluators])
    for path in options.inputs:
        with opened(path, "spans") as source:
            total += source.select("count(*) AS n", options.where).column("n")[0].as_py()
            if not source.spans and not {"input", "output"} & set(source.columns):
                there = ", ".join(source.columns)
                raise Mistake(f"{path}: there is neither a column input nor output; there is: {there}")
            if options.labels:
                column = source.column(options.labels_column)
                labels = source.select(f"DISTINCT {column} AS label", options.where).column("label")
                for label in plain_values(labels.combine_chunks()):
                    for evaluator in about if label is not None else ():
                        read_label(evaluator, label)
    if not total:
        raise Mistake(
            f"{', '.join(map(str, options.inputs))}: no row is selected" + " by --where" * bool(options.where)
        )
    return total


class _Run:
    def __init__(self, options: EvaluateOptions, judge: Judge, results: ResultsFile) -> None:
        self._options, self._judge, self._results = options, judge, results
        self._labels: dict[str, Any] = {}
        self._judging: Judging | None = None
        self.stopped = ""

    async def go(self, advance: Callable[[float], None]) -> None:
        """Until all is judged, or nothing more may be. SIGINT cancels it."""
        if threading.current_thread() is threading.main_thread():
            task = asyncio.current_task()
            assert task is not None
            # Without it a loop that is just about to wait for events is not woken, for as long as a model may take.
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, task.cancel)
        config, evaluators = self._judge.config, self._judge.evaluators
        names = {evaluator.model for evaluator in evaluators}
        log = component_log("command", "evaluate")
        async with Models(config, names, self._options.judge.budget_usd, log) as models:
            self._judging = Judging(models, self._results, config.concurrency)
            for path in self._options.inputs:
                with opened(path, "spans") as source, opened(path, "spans") as beside:
                    traces = source.spans and any(evaluator.needs_trace for evaluator in evaluators)
                    column = self._options.labels_column
                    read = chunks(source, self._options.where, column, beside=beside if traces else None)
                    while (chunk := await asyncio.to_thread(next, read, None)) is not None:
                        await self._judge_chunk(chunk, advance)
                        if self._judging.stopped or self._judging.rows == self._options.limit:
                            break
                if self._judging.stopped:
                    break
            self.stopped = self._judging.stopped

    async def _judge_chunk(self, chunk: Chunk, advance: Callable[[float], None]) -> None:
        assert self._judging is not None
        self._labels.update(chunk.labels)
        await self._judging.judge(chunk, self._judge.evaluators, self._options.limit, advance)

    def report(self) -> int:
        """Say it; the exit code."""
        judging = self._judging
        lines = [line for evaluator in self._judge.evaluators for line in self._lines(evaluator)]
        if judging is not None:
            if not judging.rows and not self.stopped:
                raise Mistake(
                    "no row fits any evaluator: they take calls of models that have an output (columns is_llm_call and "
                    "output), which the processor gen_ai_normalizer fills; expected other rows, or evaluators with a "
                    "`where` of their own"
                )
            cost = f" for {judging.cost_nano_usd / 1e9:.4f} USD" if judging.cost_nano_usd else ""
            before = f"; {judging.kept:,} were answered before" if judging.kept else ""
            lines.append(
                f"{judging.asked:,} questions about {judging.rows:,} rows{cost}{before}: {self._options.output}"
            )
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        if self.stopped:
            complain(f"{self.stopped}; not all was judged. The same command goes on where this one ended")
            return ExitCode.UNDELIVERED
        return ExitCode.OK

    def _lines(self, evaluator: Evaluator) -> Iterator[str]:
        rows: list[Verdict] = [row for row in self._results.rows if row["name"] == evaluator.name]
        counts = {kind: sum(row.get("outcome") == kind for row in rows) for kind in (SCORED, FAILED, SKIPPED)}
        scored = [row for row in rows if row.get("outcome") == SCORED]
        said = ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
        if not scored:
            yield f"{evaluator.name}: {said}"
            return
        weights = np.array([row.get("sample_weight") or 1.0 for row in scored], np.float64)
        found = mean(np.array([row["score"] for row in scored], np.float64), weights)
        interval = f"{found.interval.low:.3f} .. {found.interval.high:.3f}"
        yield f"{evaluator.name}: mean {found.value:.3f} (95% interval {interval}); {said}"
        if self._options.are_about(evaluator.name):
            yield from agreement_lines(evaluator.name, agreement_of(evaluator, scored, self._labels))


@contextmanager
def _progress(total: int) -> Iterator[Callable[[float], None]]:
    """A bar on a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("rows"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda rows: bar.advance(task, rows)
