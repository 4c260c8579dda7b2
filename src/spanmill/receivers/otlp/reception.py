"""What both protocols do with a request once its bytes are there: check, hand in, count, and word the refusal."""

import asyncio
import time
from typing import Any

from spanmill.component import Host, Intake, Outcome, Sender, Settings
from spanmill.errors import Busy, Rejected
from spanmill.otlp.cost import check_cost
from spanmill.receivers.otlp import answers
from spanmill.receivers.otlp.answers import Refusal
from spanmill.signal import Signal

_INLINE_BYTES = 256 * 1024
"""Checking this much takes far less than a millisecond; more is checked in a thread."""
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
        self._logged: dict[str, tuple[float, int]] = {}

    def check_served(self, signal: Signal) -> None:
        """Raise `Refusal` when no pipeline takes the signal."""
        if signal not in self._intakes:
            raise answers.not_served(signal)

    async def take(self, signal: Signal, payload: bytes, sender: Sender) -> Outcome:
        """Hand in one serialized request. Raises `Refusal`."""
        self.check_served(signal)
        try:
            if len(payload) <= _INLINE_BYTES:
                check_cost(payload, signal, self._max_items)
            else:
                await asyncio.to_thread(check_cost, payload, signal, self._max_items)
        except Rejected as error:
            raise answers.invalid(error, "too_costly") from None
        try:
            outcome = await self._intakes[signal].submit(payload, self._transport, sender)
        except Busy as error:
            raise answers.busy(error) from None
        except Rejected as error:
            raise answers.invalid(error) from None
        self._outcomes["partial" if outcome.rejected else "accepted"].add()
        return outcome

    def refusal(self, error: Exception, address: str = "") -> Refusal:
        """The answer to a request that ended in `error`: counted, and logged at most once a minute for each reason.

        `address`, where it is known, tells in the log whose request it was.
        """
        refusal = error if isinstance(error, Refusal) else answers.internal()
        self.count(refusal)
        if refusal.reason == "internal":
            self._log("internal", "a request failed by a fault of the collector", exc_info=error)
        elif refusal.reason != "busy":
            whose = {"sender": address} if address else {}
            self._log(refusal.reason, "bad requests are being rejected", example=refusal.message, **whose)
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
