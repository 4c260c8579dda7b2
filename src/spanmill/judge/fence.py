"""Keeps what is judged apart from what the judge is told: each text stands between tags that it cannot close.

The tags' names end in a code that is a digest of the texts, and that none of them contains. The same texts have the
same code, so that equal questions stay equal.
"""

import hashlib
from collections.abc import Mapping

from spanmill.llm.messages.json_text import without_surrogates


def fenced(texts: Mapping[str, str]) -> dict[str, str]:
    """Each text between `<name-code>` and `</name-code>`, on lines of their own."""
    whole = {name: without_surrogates(text) for name, text in texts.items()}
    code = _code(whole)
    return {name: f"<{name}-{code}>\n{text}\n</{name}-{code}>" for name, text in whole.items()}


def _code(texts: Mapping[str, str]) -> str:
    """16 hex digits."""
    digest = hashlib.blake2b(digest_size=8)
    for name, text in texts.items():
        for part in (name.encode(), text.encode()):
            digest.update(len(part).to_bytes(8, "big") + part)
    lowered = [text.lower() for text in texts.values()]
    while any(digest.hexdigest() in text for text in lowered):
        digest.update(b"once more")
    return digest.hexdigest()
