"""What masking whole batches asks of a masker and gives back, and the names of the places where a batch holds text.

How a masker finds and replaces is `masker.py`; what stands in which place of a batch is `batches.py`.

A place is named as in OTLP, with dots: `name`, `status.message`, `attributes.http.url`, `events.name`,
`resource.attributes.host.name`, `scope.version`, `body`. What is nested in a value belongs to the value's place. Counts
leave out attribute keys: they say `attributes`, so that there are only so many places.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from spanmill.batch import Batch
from spanmill.pii.secret_keys import SecretKeys

Rows = npt.NDArray[np.int64]


class Masked(Protocol):
    """A column of texts after masking."""

    @property
    def texts(self) -> pa.StringArray:
        """As many as were given, null where they were null; the very array that was given when nothing changed."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Detector to its findings. With a dry run there are findings although nothing changed."""


class Masker(Protocol):
    """Masks columns of text. Safe in several threads at once; the same text under the same key becomes the same.

    A text that cannot be masked becomes `<MASKING FAILED>`, is counted as found by `failed`, and does not harm others.
    """

    @property
    def secret_keys(self) -> SecretKeys:
        """Which keys name a secret."""

    def mask(self, texts: pa.StringArray) -> Masked:
        """Texts of their own: prose, names, JSON. Nulls stay."""

    def mask_values(self, keys: pa.StringArray, texts: pa.StringArray) -> Masked:
        """Texts that stand under keys, one for each: as `mask`, and what is under a key that names a secret is masked
        whatever it is."""


Counts = Mapping[tuple[str, str], int]
"""(place, detector) to findings. A resource or scope that many rows share counts once."""


class MaskedBatch(NamedTuple):
    """A batch after masking: the very batch that was given when nothing changed."""

    batch: Batch
    counts: Counts


@dataclass(frozen=True, slots=True)
class Options:
    """Which places are masked. Patterns are globs (`*`, `?`, `[...]`) of whole places, upper and lower case as in OTLP.

    A pattern means everything below too: `events` is `events.*`, `resource.attributes` any attribute of a resource.
    """

    keys: bool = False
    """Whether keys of attributes and of nested maps are masked, not only what is under them."""
    include: Sequence[str] = ("*",)
    exclude: Sequence[str] = ()
    """Left as they are, though included. Nothing there is looked at, not even what is under `password`."""

    def covers(self, place: str) -> bool:
        """Whether texts in this place are masked."""
        return _any_matches(place, self.include) and not _any_matches(place, self.exclude)

    @property
    def everything(self) -> bool:
        """Whether there is no need to ask place by place."""
        return "*" in self.include and not self.exclude


def _any_matches(place: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(place, pattern) or fnmatchcase(place, f"{pattern}.*") for pattern in patterns)
