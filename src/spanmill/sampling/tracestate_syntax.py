"""Whether a tracestate is well-formed, as the Collector judges it before it samples by one.

Stricter than reading needs: a member of some other vendor that breaks the syntax makes the whole text malformed.
"""

import re
from typing import Final

_MOST_CHARACTERS: Final = 1024
_MOST_MEMBERS: Final = 31
"""One fewer than W3C allows: the Collector's parser stops at the 32nd."""
_KEY_CHARACTER: Final = r"[a-z0-9_\-*/]"
_KEY: Final = re.compile(
    rf"(?:[a-z]{_KEY_CHARACTER}{{0,255}}|[a-z0-9]{_KEY_CHARACTER}{{0,240}}@[a-z]{_KEY_CHARACTER}{{0,13}})"
)
_VALUE: Final = re.compile(r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]")
_ENTRY: Final = re.compile(r"(?:th:[0-9a-fA-F]{1,14}|rv:[0-9a-fA-F]{14}|(?!th:|rv:)[a-z][a-z0-9]*:[A-Za-z0-9._\-]*)")

USUAL: Final = re.compile(r"ot=(?:rv:(?P<rv>[0-9a-f]{14});)?th:(?P<th>[0-9a-f]{1,14})")
"""The whole text as samplers write it, with no other member: not worth taking apart."""


def is_wellformed(text: str) -> bool:
    """Whether every member is, the entries of `ot` among them. The empty text is."""
    if USUAL.fullmatch(text):
        return True
    parts = text.removesuffix(",").split(",")
    if len(text) > _MOST_CHARACTERS or len(parts) > _MOST_MEMBERS:
        return False
    return all(_is_member(member) for part in parts if (member := part.strip(" \t")))


def _is_member(member: str) -> bool:
    key, _, value = member.partition("=")
    if not (_KEY.fullmatch(key) and _VALUE.fullmatch(value)):
        return False
    return key != "ot" or all(_ENTRY.fullmatch(entry) for entry in value.split(";"))
