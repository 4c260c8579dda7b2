"""What is put where personal data was, for a whole column at once."""

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from spanmill.pii.finder import Findings
from spanmill.pii.modes import MIN_KEY_BYTES, Mode

Integers = npt.NDArray[np.int64]

FAILED = "<MASKING FAILED>"
"""What is put in place of a value that could not be masked."""
_KEY_ID = re.compile(r"[0-9A-Za-z_.-]{1,64}")
_TOKEN_HEX = 16
_KEPT = 4
"""Letters and digits that the mode `partial` keeps."""
_ESCAPED = re.compile(r"\\u([0-9A-Fa-f]{4})")


@dataclass(frozen=True, slots=True)
class HmacKey:
    """A secret for pseudonyms, and the name under which it is known in them. Raises ValueError."""

    key_id: str
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) < MIN_KEY_BYTES:
            raise ValueError(
                f"the key of HMAC is too short: expected at least {MIN_KEY_BYTES} bytes, found {len(self.secret)}; "
                "`openssl rand -hex 32` makes a good one"
            )
        if not _KEY_ID.fullmatch(self.key_id):
            raise ValueError("the id of the HMAC key: expected 1 to 64 of A-Z, a-z, 0-9, `_`, `.` and `-`")


@dataclass(frozen=True, slots=True)
class Style:
    """How what a detector finds is masked.

    replace: `<EMAIL>`. partial: one `*` for each character but the last four letters or digits; for all of them if
    that would show more than half. hmac: `<EMAIL:key id:16 hex digits>`, the first of HMAC-SHA256 over `normalised`,
    so that the same person stays the same. drop: nothing.
    """

    mode: Mode = "replace"
    key: HmacKey | None = None

    def __post_init__(self) -> None:
        if (self.mode == "hmac") is (self.key is None):
            raise ValueError("the mode hmac needs a key, and no other mode takes one")


class Spliced(NamedTuple):
    """A column with pieces put in, and where they now are within the text of their rows, in bytes."""

    texts: pa.StringArray
    starts: Integers
    ends: Integers


class Replacements:
    """What replaces the findings of each of a list of detectors."""

    def __init__(self, names: Sequence[str], styles: Mapping[str, Style], default: Style) -> None:
        self._makers = [_maker(name, styles.get(name, default)) for name in names]
        keys = {style.key.key_id for style in (*styles.values(), default) if style.key is not None}
        either = "|".join(re.escape(name.upper()) for name in names)
        tail = f"(?::(?:{'|'.join(map(re.escape, sorted(keys)))}):[0-9a-f]{{{_TOKEN_HEX}}})?" if keys else ""
        self.token_pattern = f"{FAILED}|<(?:{either}){tail}>"
        """Matches, in RE2 and in `re`, what the modes replace and hmac put in. Finding them again would mask what is
        masked."""

    def pieces(self, texts: pa.StringArray, findings: Findings) -> list[bytes]:
        """UTF-8, by finding; made once for each distinct text found."""
        made: dict[tuple[int, bytes], bytes] = {}
        answer = []
        for detector, found in zip(findings.detectors.tolist(), found_texts(texts, *findings[:3]), strict=True):
            maker = self._makers[detector]
            if isinstance(maker, bytes):
                answer.append(maker)
                continue
            piece = made.get((detector, found))
            if piece is None:
                piece = made[detector, found] = maker(found)
            answer.append(piece)
        return answer


def found_texts(texts: pa.StringArray, rows: Integers, starts: Integers, ends: Integers) -> list[bytes]:
    """The bytes found, by finding."""
    offsets, data = flat(texts)
    begins = offsets[rows]
    return [
        data[begin:end].tobytes()
        for begin, end in zip((begins + starts).tolist(), (begins + ends).tolist(), strict=True)
    ]


def splice(texts: pa.StringArray, rows: Integers, starts: Integers, ends: Integers, pieces: Sequence[bytes]) -> Spliced:
    """Puts a piece in place of each range. Ranges are byte offsets into their row's text, sorted, never overlapping."""
    offsets, data = flat(texts)
    begins = offsets[rows]
    parts: list[bytes | memoryview] = []
    at = int(offsets[0])
    for begin, end, piece in zip((begins + starts).tolist(), (begins + ends).tolist(), pieces, strict=True):
        parts += (data[at:begin], piece)
        at = end
    parts.append(data[at : int(offsets[-1])])
    lengths = np.fromiter(map(len, pieces), np.int64, len(pieces))
    grown = np.concatenate([[0], np.cumsum(lengths - (ends - starts))])
    before = grown[np.searchsorted(rows, np.arange(len(texts) + 1))]
    moved = grown[:-1] - before[rows]
    return Spliced(
        strings(offsets - offsets[0] + before, b"".join(parts), texts), starts + moved, starts + moved + lengths
    )


def strings(offsets: Integers, data: bytes, like: pa.StringArray) -> pa.StringArray:
    """A column of these texts with the nulls of another."""
    if offsets[-1] > np.iinfo(np.int32).max:
        raise OverflowError("the masked column is larger than 2 GiB")
    validity = pc.is_valid(like).buffers()[1] if like.null_count else None
    buffers = [validity, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.string(), len(like), buffers, like.null_count)


def flat(texts: pa.StringArray) -> tuple[Integers, memoryview]:
    """Where each text begins and the last ends, and the bytes that this is in. Not for a column of no rows."""
    _, offsets, data = texts.buffers()
    places = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    return places, memoryview(data if data is not None else b"")


def normalised(name: str, found: str) -> str:
    """What a detector found, written in one way: separators, width and case of letters say nothing about who it is."""
    text = unicodedata.normalize("NFKC", unescaped(found)).strip()
    return _NORMALISERS.get(name, str)(text) or text


def unescaped(text: str) -> str:
    """Without the `\\u` escapes of JSON that was cut off, and so is no JSON."""
    return _ESCAPED.sub(lambda escape: chr(int(escape[1], 16)), text) if "\\u" in text else text


def _digits(text: str) -> str:
    return "".join(character for character in text if "0" <= character <= "9")


def _letters_and_digits(text: str) -> str:
    return "".join(filter(str.isalnum, text)).upper()


def _ipv6(text: str) -> str:
    try:
        return str(IPv6Address(text))
    except ValueError:
        return text.lower()


_NORMALISERS: dict[str, Callable[[str], str]] = {
    **dict.fromkeys(("card", "phone", "us_ssn", "us_itin", "jp_my_number"), _digits),
    **dict.fromkeys(("kr_rrn", "kr_brn", "kr_driver_licence"), _digits),
    **dict.fromkeys(("iban", "mac", "kr_passport"), _letters_and_digits),
    "email": lambda text: text.replace("%40", "@").lower(),
    "ipv6": _ipv6,
}


def _maker(name: str, style: Style) -> bytes | Callable[[bytes], bytes]:
    """What replaces everything a detector finds, or makes it of the UTF-8 found."""
    if style.mode == "drop":
        return b""
    if style.mode == "partial":
        return _partial
    if style.key is None:
        return f"<{name.upper()}>".encode()
    key = style.key

    def pseudonym(found: bytes) -> bytes:
        digest = hmac.new(
            key.secret, normalised(name, found.decode()).encode(errors="surrogatepass"), hashlib.sha256
        ).hexdigest()
        return f"<{name.upper()}:{key.key_id}:{digest[:_TOKEN_HEX]}>".encode()

    return pseudonym


def _partial(found: bytes) -> bytes:
    text = unescaped(found.decode())
    shown = [place for place, character in enumerate(text) if character.isalnum()][-_KEPT:]
    if 2 * len(shown) > len(text):
        shown = []
    masked = ["*"] * len(text)
    for place in shown:
        masked[place] = text[place]
    return "".join(masked).encode("utf-8", "replace")
