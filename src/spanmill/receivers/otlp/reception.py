"""What both protocols do with a request once its bytes are there: check, hand in, count, and word the refusal."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from spanmill.admission import Held
from spanmill.component import Host, Intake, Outcome, Sender, Settings
from spanmill.errors import Busy, Rejected
from spanmill.otlp.cost import check_cost
from spanmill.otlp.weight import count_items, weigh
from spanmill.receivers.otlp import answers
from spanmill.receivers.otlp.answers import Refusal
from spanmill.receivers.otlp.retry_delay import RetryDelay
from spanmill.signal import Signal
from spanmill.telemetry.lines import trace_without_message

_INLINE_BYTES = 64 * 1024
"""Weighing this much takes far less than a millisecond; more is weighed in a thread."""
_LOG_INTERVAL_SECONDS = 60.0


class Reception:
    """One for each protocol of a receiver. Used on the event loop only."""

    def __init__(self, host: Host, settings: Settings, transport: str, max_items: int) -> None:
        self.admission = host.admission
        self._intakes: dict[Signal, Intake] = {s: intake for s in Signal if (intake := host.intake(s)) is not None}
        self._settings = settings
        self._transport = transport
        self._max_items = max_items
        labels = {"receiver": str(settings.id), "transport": transport}
        self._outcomes = {
            outcome: settings.metrics.counter("otelcol_receiver_requests", outcome=outcome, **labels)
            for outcome in ("accepted", "partial", "refused", "rejected")
        }
        self._retry_delay = RetryDelay()
        self._logged: dict[str, tuple[float, int]] = {}

    def check_served(self, signal: Signal, premise: str = "") -> None:
        """Raise `Refusal` when no pipeline takes the signal; `premise` begins the sentence that says so."""
        if signal not in self._intakes:
            raise answers.not_served(signal, premise)

    async def take(self, signal: Signal, payload: bytes, sender: Sender, held: Held, sent_as: bytes = b"") -> Outcome:
        """Hand in one serialized request, for which `held` grows to what it weighs. `sent_as`: see `component.Intake`.
        Raises `Refusal`."""
        self.check_served(signal)
        try:
            held.cover(len(payload))
            weight = await self._weigh(signal, payload)
            held.cover(weight)
            outcome = await self._intakes[signal].submit(payload, self._transport, sender, weight, sent_as=sent_as)
        except Busy as error:
            await self._count_refused(signal, payload)
            raise answers.busy(error) from None
        except Rejected as error:
            await self._count_refused(signal, payload)
            raise answers.invalid(error) from None
        self._outcomes["partial" if outcome.rejected else "accepted"].add()
        return outcome

    async def _weigh(self, signal: Signal, payload: bytes) -> int:
        """Raises `Refusal` when decoding would cost too much whenever it is done."""
        try:
            return await self._measure(weigh, signal, payload)
        except Rejected as error:
            raise answers.invalid(error, "too_costly") from None

    async def _count_refused(self, signal: Signal, payload: bytes) -> None:
        """Count the items of a request that is not taken; those of a request that is too costly to look at are not."""
        try:
            items = await self._measure(count_items, signal, payload)
        except Rejected:
            return
        labels = {"receiver": str(self._settings.id), "transport": self._transport}
        self._settings.metrics.counter(f"otelcol_receiver_refused_{signal.item}", **labels).add(items)

    async def _measure(self, measure: Callable[[bytes, Signal], int], signal: Signal, payload: bytes) -> int:
        """Raises `Rejected` for a payload that not even measuring could bear."""

        def work() -> int:
            check_cost(payload, signal, self._max_items)
            return measure(payload, signal)

        return work() if len(payload) <= _INLINE_BYTES else await asyncio.to_thread(work)

    def refusal(self, error: Exception, address: str = "") -> Refusal:
        """The answer to a request that ended in `error`: counted, and logged at most once a minute for each reason.

        `address`, where it is known, tells in the log whose request it was.
        """
        refusal = error if isinstance(error, Refusal) else answers.internal()
        if refusal.retry_after is not None:
            refusal.retry_after = self._retry_delay.next(refusal.retry_after)
        self.count(refusal)
        if refusal.reason == "internal":
            trace = trace_without_message(error)  # its words may quote what was sent
            self._log("internal", "a request failed by a fault of the collector", trace=trace)
        elif refusal.outcome == "rejected":
            whose = {"sender": address} if address else {}
            self._log(refusal.reason, "bad requests are being rejected", example=refusal.for_log, **whose)
        return refusal

    def count(self, refusal: Refusal) -> None:
        """Count a refusal that is answered elsewhere."""
        self._outcomes[refusal.outcome].add()
        self.count_reason(refusal.reason)

    def count_reason(self, reason: str) -> None:
        """Count what is wrong with a request or a connection."""
        labels = {"receiver": str(self._settings.id), "transport": self._transport, "reason": reason}
        self._settings.metrics.counter("spanmill_receiver_bad_requests", **labels).add()

    def _log(self, reason: str, event: str, **values: Any) -> None:
        now = time.monotonic()
        last, unlogged = self._logged.get(reason, (-_LOG_INTERVAL_SECONDS, 0))
        if now - last < _LOG_INTERVAL_SECONDS:
            self._logged[reason] = (last, unlogged + 1)
            return
        self._logged[reason] = (now, 0)
        write = self._settings.log.error if reason == "internal" else self._settings.log.warning
        write(event, transport=self._transport, reason=reason, since_last=unlogged + 1, **values)
