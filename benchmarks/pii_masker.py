"""How fast columns of text are masked, as text, as JSON and as JSON in JSON.

    python benchmarks/pii_masker.py

The baseline is finding alone, in the same bytes: what taking JSON apart and putting texts together costs is the rest.
Finding in escaped JSON as it is written is slow too, for it is turned into plain text.
"""

import json
import time
from collections.abc import Callable
from functools import partial

import pyarrow as pa

from pii import texts
from spanmill.pii.detectors import CATALOGUE
from spanmill.pii.finder import Finder
from spanmill.pii.masker import Masker

SHARES = (0.0, 0.3, 1.0)


def messages(text: str, *, ascii_only: bool) -> str:
    """The text as two messages of a conversation, as SDKs write them."""
    half = len(text) // 2
    parts = [("system", text[:half]), ("user", text[half:])]
    said = [{"role": role, "parts": [{"type": "text", "content": content}]} for role, content in parts]
    return json.dumps(said, ensure_ascii=ascii_only)


FORMS: dict[str, Callable[[str], str]] = {
    "text": str,
    "JSON": lambda text: messages(text, ascii_only=False),
    "JSON, escaped": lambda text: messages(text, ascii_only=True),
    "JSON in JSON": lambda text: json.dumps({"input": messages(text, ascii_only=False)}, ensure_ascii=False),
    "JSON, cut off": lambda text: messages(text, ascii_only=False)[:-10],
}


def seconds(run: Callable[[], object]) -> float:
    """The best of five, CPU time."""
    taken = []
    for _ in range(5):
        start = time.process_time()
        run()
        taken.append(time.process_time() - start)
    return min(taken)


def main() -> None:
    finder = Finder(CATALOGUE)
    masker = Masker(finder)
    print(f"{'form':16}{'personal':>10}{'MB/s':>8}{'us/text':>10}{'finding alone, MB/s':>22}")
    for form, make in FORMS.items():
        for share in SHARES:
            column = pa.array([make(text) for text in texts(share)])
            megabytes = column.nbytes / 1e6
            masked = seconds(partial(masker.mask, column))
            found = seconds(partial(finder.find, column))
            each = masked / len(column) * 1e6
            print(f"{form:16}{share:>10.0%}{megabytes / masked:>8.0f}{each:>10.1f}{megabytes / found:>22.0f}")


if __name__ == "__main__":
    main()
