"""Masking whole batches: what it costs beside decoding them, with and without personal data in them.

    python benchmarks/pii_batches.py

Prints microseconds per span, and the ratio to decoding the same spans.
"""

import time
from collections.abc import Callable

from tests.data import key_value, traces

from spanmill.batch import Batch
from spanmill.otlp.codec import decode
from spanmill.pii.batches import mask_batch
from spanmill.pii.detectors import CATALOGUE
from spanmill.pii.finder import Finder
from spanmill.pii.masker import Masker
from spanmill.signal import Signal

SPANS, ATTRIBUTES, ROUNDS = 500, 15, 20
PROSE = "The quick brown fox jumps over the lazy dog and does not look back. "


def payload(share_with_hits: float) -> bytes:
    """500 spans with 15 short attributes and 1 KB of prose each; some of the prose has an e-mail address in it."""
    request = traces(SPANS)
    for number, span in enumerate(request.resource_spans[0].scope_spans[0].spans):
        span.attributes.extend(key_value(f"app.attribute.{n}", f"value {n} {number}") for n in range(ATTRIBUTES))
        hit = number < share_with_hits * SPANS
        span.attributes.append(key_value("input.value", PROSE * 15 + (f"ann{number}@example.com" if hit else "")))
    return request.SerializeToString()


def microseconds_per_span(work: Callable[[], object]) -> float:
    """CPU time of the fastest of some rounds: the machine may be busy."""
    times = []
    for _ in range(ROUNDS):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times) / SPANS * 1e6


def main() -> None:
    """Print a line for each share of spans with a hit."""
    masker = Masker(Finder(CATALOGUE))
    for share in (0.0, 0.3, 1.0):
        payloads = [payload(share)]
        batch = Batch(Signal.TRACES, decode(Signal.TRACES, payloads).records)
        decoding = microseconds_per_span(lambda payloads=payloads: decode(Signal.TRACES, payloads))  # type: ignore[misc]
        masking = microseconds_per_span(lambda batch=batch: mask_batch(batch, masker))  # type: ignore[misc]
        print(f"{share:4.0%} hits: mask {masking:6.2f} us/span, {masking / decoding:5.1f} x decoding ({decoding:.2f})")


if __name__ == "__main__":
    main()
