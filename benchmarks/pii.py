"""How fast personal data is found, in MB/s on one core and in microseconds per text.

    python benchmarks/pii.py

The baseline is one loop of Python's `re` over the same patterns as far as it has them, without any check, context or
full-width digit. With `presidio-analyzer` in the environment (`pip install presidio-analyzer`, in one of its own: it
brings spaCy) the pattern recognisers of Presidio run too, on a hundredth of the texts, without a language model.
"""

import random
import re
import time
from collections.abc import Callable, Sequence

import pyarrow as pa

from spanmill.pii.detectors import CATALOGUE
from spanmill.pii.finder import Finder

TEXTS, BYTES = 10_000, 800
SHORT = 7_500
PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
        r"\+[1-9]\d{0,2}(?:[ .-]?\(?\d{1,4}\)?){2,6}", r"\(?[2-9]\d\d\)?[ .-]\d{3}[ .-]\d{4}",
        r"\b01[016789]-?\d{3,4}-?\d{4}\b", r"\b0\d{1,3}-\d{2,4}-\d{4}\b", r"\b(?:\d[ -]?){13,19}\b",
        r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}\b",
        r"\b(?:\d{1,3}\.){3}\d{1,3}\b", r"\b(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}\b",
        r"\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b", r"\b\d{3}-\d{2}-\d{4}\b",
        r"\b\d{6}-[1-8]\d{6}\b", r"\b\d{3}-\d{2}-\d{5}\b",
        r"\b\d{4}[ -]\d{4}[ -]\d{4}\b", r"://[^\s/:@]+:[^\s/@]+@",
        r"\b(?:sk-|AKIA|AIza|gh[pousr]_|xox[abp]-|sk_live_)[\w-]{16,}",
        r"\beyJ[\w-]+\.eyJ[\w-]+\.[\w-]*",
    )
)  # fmt: skip
ENGLISH = (
    "The customer asks about the order ORD-20260211-7781, which was delivered on 2026-02-11T10:22:33Z for $1,299.00. "
    "Please look at the refund policy and answer in two or three sentences; be polite, and never promise a date. "
    "The trace f47ac10b-58cc-4372-a567-0e02b2c3d479 took 1834 ms in version 1.24.3 of the service and used 512 tokens. "
    '{"tool": "search", "arguments": {"query": "refund policy", "limit": 10}, "model": "gpt-4o-2024-08-06"}'
)
KOREAN = (
    "고객님의 주문은 2026년 2월 11일에 배송되었습니다. 환불 정책에 대해 알려 드리겠습니다. 금액은 129,000원 입니다."
)
JAPANESE = (
    "ご注文の商品は2026年2月11日に発送されました。 返金ポリシーについては、こちらの「ヘルプセンター」を ご覧ください。"
)
PERSONAL = (
    "minji.kim@example.co.kr", "010-2345-6789", "+1 415 555 2671",
    "4111 1111 1111 1111", "900101-1234567", "10.20.30.40",
    "090-1234-5678", "123-45-6789", "GB82 WEST 1234 5698 7654 32", "sk-proj-a1B2c3D4e5F6g7H8i9J0", "bob@example.com",
)  # fmt: skip
VALUES = ("gpt-4o", "user-123", "0.25", "200", "stop", "chat.completions", "true", "1700000000123", "POST", "/v1/chat")


def texts(share: float, seed: int = 5) -> list[str]:
    """English, Korean and Japanese, 70 : 20 : 10, each of about 800 bytes; that share of them with one or two things
    that are personal."""
    chance = random.Random(seed)
    made = []
    for _ in range(TEXTS):
        words = chance.choices((ENGLISH, KOREAN, JAPANESE), (70, 20, 10))[0].split()
        said: list[str] = []
        length, at = 0, chance.randrange(len(words))
        while length < BYTES:
            said.append(words[at % len(words)])
            length, at = length + len(said[-1].encode()) + 1, at + 1
        if chance.random() < share:
            for _ in range(chance.choice((1, 1, 2))):
                said.insert(chance.randrange(len(said)), chance.choice(PERSONAL))
        made.append(" ".join(said))
    return made


def seconds(run: Callable[[], object], rounds: int = 3) -> float:
    """CPU time of this thread, the best of some rounds."""
    best = float("inf")
    for _ in range(rounds):
        start = time.thread_time()
        run()
        best = min(best, time.thread_time() - start)
    return best


def with_re(values: Sequence[str]) -> int:
    return sum(1 for text in values for pattern in PATTERNS for _ in pattern.finditer(text))


def presidio() -> Callable[[Sequence[str]], object] | None:
    """What runs Presidio's pattern recognisers over texts; None: it is not installed."""
    try:
        import tldextract  # type: ignore[import-not-found]
        from presidio_analyzer import PatternRecognizer, RecognizerRegistry
    except ImportError:
        return None
    # Otherwise the first e-mail address makes it fetch the list of public suffixes.
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=())
    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"])
    chosen = [each for each in registry.recognizers if isinstance(each, PatternRecognizer)]
    return lambda values: [each.analyze(text, each.supported_entities) for text in values for each in chosen]


def main() -> None:
    finder = Finder(CATALOGUE)
    other = presidio()
    print(f"{'':34}{'MB/s':>8}{'us/text':>9}{'found':>8}{'x re':>7}" + (f"{'x Presidio':>12}" if other else ""))
    cases = {"no personal data": texts(0), "30 % of texts have some": texts(0.3), "every text has some": texts(1)}
    chance = random.Random(5)
    cases[f"{SHORT} short values"] = [chance.choice(VALUES) for _ in range(SHORT)]
    cases[f"{SHORT} short values, 5 % personal"] = [
        chance.choice(PERSONAL if chance.random() < 0.05 else VALUES) for _ in range(SHORT)
    ]
    for name, values in cases.items():
        column = pa.array(values)
        size = sum(len(text.encode()) for text in values) / 1e6
        ours = seconds(lambda column=column: finder.find(column))  # type: ignore[misc]
        theirs = seconds(lambda values=values: with_re(values), 1)  # type: ignore[misc]
        line = f"{name:34}{size / ours:>8.0f}{ours / len(values) * 1e6:>9.2f}{len(finder.find(column).rows):>8}"
        line += f"{theirs / ours:>7.1f}"
        if other is not None:
            few = values[:: max(1, len(values) // 100)]
            line += f"{seconds(lambda few=few: other(few), 1) / len(few) * len(values) / ours:>12.0f}"  # type: ignore[misc]
        print(line)


if __name__ == "__main__":
    main()
