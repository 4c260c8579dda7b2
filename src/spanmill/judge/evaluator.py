"""An evaluator: what is asked of a judge about a span, and what its answers are worth."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import orjson

from spanmill.judge.frame import frames
from spanmill.judge.scale import Scale
from spanmill.judge.sources import Source
from spanmill.judge.template import Template

AUTO: Final = "auto"
MAX_CHARACTERS: Final = 20_000
"""Of each variable, unless the evaluator says otherwise: about 5,000 tokens of English."""


@dataclass(frozen=True)
class Evaluator:
    """Immutable; made by `config.evaluators_of`, which checks that its parts fit together."""

    name: str
    templates: Mapping[str, Template]
    """By language (a primary subtag of BCP 47), at least one."""
    variables: Mapping[str, tuple[Source, ...]]
    """Each variable of the templates; the first source that has a value counts."""
    scale: Scale
    version: int = 1
    """Of the evaluator's wording, for people; `template_hash` tells versions apart by itself."""
    description: str = ""
    language: str = AUTO
    """That of the template. `auto`: by the column `language`, else by the script of the text, else English."""
    threshold: float | None = None
    """Scores below it have failed; 0 to 1."""
    model: str = ""
    """The judge's model for this evaluator; empty: the one that all use."""
    share: float = 1.0
    """Of the rows that fit, how many are judged; above 0, at most 1."""
    choose_by: Literal["span", "trace"] = "span"
    where: str = ""
    """A SQL condition over `spans`: which rows fit. Empty: all."""
    max_characters: int = MAX_CHARACTERS
    """Of each variable; what is longer is cut in the middle."""

    @cached_property
    def template_hash(self) -> str:
        """16 hex digits over all that changes what a score means: wording, scale, language, variables, and how much of
        a text is shown. Not over the threshold, the share, the condition, the model: these stand beside the score."""
        meaning = {
            "name": self.name,
            "templates": {name: template.text for name, template in self.templates.items()},
            "frames": {name: repr(frame) for name, frame in frames().items()},
            "scale": repr((self.scale.kind, self.scale.least, self.scale.most, self.scale.lower_is_better)),
            "labels": list(self.scale.labels.items()),
            "language": self.language,
            "variables": {name: repr(sources) for name, sources in self.variables.items()},
            "max_characters": self.max_characters,
        }
        return hashlib.blake2b(orjson.dumps(meaning, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()

    @property
    def needs_trace(self) -> bool:
        """Whether some variable may come from other spans of the trace."""
        return any(source.of_trace for sources in self.variables.values() for source in sources)

    def passed(self, score: float) -> bool | None:
        """Whether a score reaches the threshold; None when there is none."""
        return None if self.threshold is None else score >= self.threshold
