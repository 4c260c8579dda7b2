"""The daemon as one sequence: build, start, wait, drain, exit code."""

import asyncio
import gc
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from spanmill import __version__
from spanmill.config.models import Configuration
from spanmill.errors import StartError
from spanmill.exit_codes import ExitCode
from spanmill.garbage import collect_until
from spanmill.graph import Graph, Report
from spanmill.journal.committer import THREADS as JOURNAL_THREADS
from spanmill.telemetry.logs import Log, component_log, configure_logs
from spanmill.telemetry.metrics import Metrics
from spanmill.telemetry.page import OwnPage, own_resource
from spanmill.telemetry.pages import Pages
from spanmill.telemetry.process import measure_process
from spanmill.welcome import welcome

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_THREADS = "worker"
_THREADS_END_SECONDS = 2.0


def run(configuration: Configuration) -> int:
    """Run the daemon until a signal or a fault ends it; the process's exit code."""
    wanted = configuration.service.telemetry.logs
    try:
        logs = configure_logs(
            wanted.level, wanted.encoding, paths=wanted.output_paths, initial_fields=wanted.initial_fields
        )
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return ExitCode.START
    try:
        executor = ThreadPoolExecutor(thread_name_prefix=_THREADS)
        with asyncio.Runner(loop_factory=_event_loop) as runner:
            runner.get_loop().set_default_executor(executor)
            code = runner.run(Daemon(configuration).run())
            executor.shutdown(wait=False, cancel_futures=True)
            if hanging := _hanging_threads():
                component_log("service", "daemon").error("ending without threads that hang", threads=hanging)
                logs.close()
                os._exit(code)  # whoever waits for them (the interpreter does) waits for a disk or a peer that is gone
            return code
    finally:
        gc.unfreeze()  # so that the interpreter can take everything down at its end
        logs.close()


def _hanging_threads() -> list[str]:
    """The names of threads that are still at work when everything has been told to end, a moment ago."""
    names, deadline = (_THREADS, JOURNAL_THREADS), time.monotonic() + _THREADS_END_SECONDS
    threads = [thread for thread in threading.enumerate() if thread.name.startswith(names)]
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [thread.name for thread in threads if thread.is_alive()]


def _event_loop() -> asyncio.AbstractEventLoop:
    import uvloop

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


class Daemon:
    """One run of the collector."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._ended = asyncio.Event()
        self._signals = 0
        self._fault: BaseException | None = None
        self._log: Log = component_log("service", "daemon")
        self.metrics = Metrics()
        measure_process(self.metrics)
        self.pages = Pages()
        self.graph = Graph(configuration, self.metrics, self.pages, self._end_by_fault)

    async def run(self) -> int:
        """Start, wait, drain. Whatever happens, nothing is left running."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._end_by_signal)
        for warning in self._configuration.warnings:
            self._log.warning(warning.render())
        try:
            try:
                await self._start()
            except StartError as error:
                self._log.error(str(error))
                await self.graph.stop(grace_seconds=1.0)
                return ExitCode.START
            await collect_until(self._ended)
            return await self._drain()
        finally:
            await self.pages.stop()
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

    async def _start(self) -> None:
        metrics = self._configuration.service.telemetry.metrics
        if metrics.level != "none":
            own = OwnPage(
                self.metrics,
                own_resource(self._configuration.service.telemetry.resource),
                metrics.without_type_suffix,
                metrics.without_units,
                metrics.without_scope_info,
            )
            await self.pages.serve(metrics.address, "service.telemetry.metrics", own.families)
        await self.graph.start()
        self._greet()

    async def _drain(self) -> int:
        timeout = self._configuration.service.shutdown_timeout
        self._log.info("stopping", reason=repr(self._fault) if self._fault else "signal", timeout_seconds=timeout)
        report = await self.graph.stop(timeout)
        self._say(report)
        if self._fault is not None:
            return ExitCode.RUNTIME
        return ExitCode.UNDELIVERED if report.held else ExitCode.OK

    def _say(self, report: Report) -> None:
        for name, delivered in report.exporters.items():
            self._log.info(
                "delivered",
                exporter=name,
                sent=delivered.sent,
                failed=delivered.failed,
                kept=delivered.kept,
                lost=delivered.held,
            )
        self._log.info("stopped")

    def _greet(self) -> None:
        """A screen for people, or one line for whatever reads JSON."""
        if self._configuration.service.telemetry.logs.encoding == "json":
            endpoints = {
                f"{identity} {protocol}": str(endpoint)
                for identity, receiver in self.graph.receivers.items()
                for protocol, endpoint in receiver.endpoints.items()
            }
            self._log.info("ready", version=__version__, receiving=endpoints, metrics_pages=self.pages.addresses)
        else:
            lines = welcome(self._configuration, self.graph, self.pages.addresses)
            print(*lines, sep="\n", file=sys.stderr, flush=True)  # noqa: T201 - the one thing that is not a log line

    def _end_by_signal(self) -> None:
        """The first signal drains; the second one gives up at once."""
        self._signals += 1
        if self._signals > 1:
            self._log.error("second signal: giving up what is not delivered")
            sys.stderr.flush()
            os._exit(ExitCode.UNDELIVERED)
        self._ended.set()

    def _end_by_fault(self, error: BaseException) -> None:
        self._fault = self._fault or error
        self._log.error("a component died", exc_info=error)
        self._ended.set()
