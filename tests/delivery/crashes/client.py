"""A process that sends without end, whatever becomes of the collector, and keeps a ledger of what it was answered.

    python -m tests.delivery.crashes.client --grpc 4317 --http 4318 --ledger FILE --seed 7

Eight clients at once: OpenTelemetry's Python exporters with their own retries, and quick ones that send raw requests.
All of them send the same bytes again until the answer is positive, except that now and then one gives up. Two are
hasty: they do not hear every answer, and ask again while their request is still being worked on. Ends when its
standard input is closed.
"""

import argparse
import itertools
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from spanmill.generate.options import Protocol
from spanmill.generate.senders import exporters
from tests.delivery.crashes.items import sdk_logs, sdk_metrics, sdk_spans
from tests.delivery.crashes.ledger import Ledger
from tests.delivery.crashes.sending import Attempt, RawGrpc, RawHttp, RefusedForGood, Sdk, Sender

_PATIENT_SECONDS = 10.0
_HASTY_SECONDS = 0.1
_RETRY_SECONDS = (0.01, 0.05)
_ABANDONED = 0.02
"""How likely a client is to give up after an attempt that failed."""
_IDS_EACH = 1 << 40


@dataclass(frozen=True, slots=True)
class Client:
    """Who sends what, how many items at once at most, and how long a pause there is after an answer at most."""

    name: str
    table: str
    sender: Sender
    random: Random
    most_items: int = 8
    pause_seconds: float = 0.02

    def work(self, first: int, ledger: Ledger, stop: threading.Event) -> None:
        """Send items numbered from `first` on until `stop`; nobody ever hears what became of the last ones."""
        while not stop.wait(self.random.uniform(0, self.pause_seconds)):
            ids = range(first, first + self.random.randint(1, self.most_items))
            attempt = self.sender.prepare(ids)
            ledger.note("sent", self.table, self.name, ids, 0)
            self._insist(attempt, ids, ledger, stop)
            first = ids.stop

    def _insist(self, attempt: Attempt, ids: range, ledger: Ledger, stop: threading.Event) -> None:
        for attempts in itertools.count(1):
            try:
                if attempt():
                    return ledger.note("acknowledged", self.table, self.name, ids, attempts)
            except RefusedForGood as refused:
                ledger.note("refused", self.table, self.name, ids, attempts, str(refused))
            if stop.wait(self.random.uniform(*_RETRY_SECONDS)):
                return None
            if self.random.random() < _ABANDONED:
                return ledger.note("abandoned", self.table, self.name, ids, attempts)
        return None


def clients(grpc: int, http: int, seed: int) -> Iterator[Client]:
    """The eight, for the collector that listens on these ports."""
    randoms = (Random(f"{seed}/{number}") for number in itertools.count())

    def hasty() -> float:
        return hurry.uniform(0.001, _HASTY_SECONDS)

    def patient() -> float:
        return _PATIENT_SECONDS

    hurry = next(randoms)
    for name, seconds in (("patient", patient), ("hasty", hasty)):
        yield Client(f"raw grpc {name}", "spans", RawGrpc(grpc, seconds), next(randoms))
        yield Client(f"raw http {name}", "spans", RawHttp(http, seconds), next(randoms))
    over_grpc = exporters(Protocol.GRPC, f"http://127.0.0.1:{grpc}", gzip=False)
    over_http = exporters(Protocol.HTTP_PROTOBUF, f"http://127.0.0.1:{http}", gzip=True)
    yield Client("sdk grpc", "spans", Sdk(over_grpc[0], sdk_spans), next(randoms), 64)
    yield Client("sdk http", "spans", Sdk(over_http[0], sdk_spans), next(randoms), 64)
    yield Client("sdk http", "metrics", Sdk(over_http[1], sdk_metrics), next(randoms))
    yield Client("sdk grpc", "logs", Sdk(over_grpc[2], sdk_logs), next(randoms))


def main() -> None:
    """Send until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--grpc", "--http", "--seed"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--ledger", type=Path, required=True)
    wanted = parser.parse_args()
    stop = threading.Event()
    everybody = list(clients(wanted.grpc, wanted.http, wanted.seed))
    with Ledger(wanted.ledger) as ledger:
        threads = [
            threading.Thread(target=client.work, args=(number * _IDS_EACH, ledger, stop), name=client.name)
            for number, client in enumerate(everybody, start=1)
        ]
        for thread in threads:
            thread.start()
        sys.stdin.read()
        stop.set()
        for client in everybody:
            client.sender.close()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    main()
