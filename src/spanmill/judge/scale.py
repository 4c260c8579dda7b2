"""What an evaluator's answers may be, and what each is worth: a number from 0 (worst) to 1 (best)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Kind = Literal["number", "boolean", "category"]
Raw = float | bool | str
"""What a judge answers, before it becomes a score: of a number, a boolean and a category."""

ANSWER_KEYS: Final[Mapping[Kind, str]] = {"number": "score", "boolean": "verdict", "category": "label"}
REASONING_KEY: Final = "reasoning"


@dataclass(frozen=True, slots=True)
class Scale:
    """How a judge answers. Scores have one direction whatever is asked: higher is better."""

    kind: Kind
    least: float = 0.0
    """Of a number: the lowest answer."""
    most: float = 1.0
    """Of a number: the highest answer, above `least`."""
    lower_is_better: bool = False
    """Of a number or a boolean: the lowest answer, or false, is the best one."""
    labels: Mapping[str, float] = field(default_factory=dict)
    """Of a category: each label's score, 0 to 1."""

    @property
    def key(self) -> str:
        """The key of the answer in the judge's JSON."""
        return ANSWER_KEYS[self.kind]

    def score(self, raw: Raw) -> float:
        """An answer of this scale as a score, 0 to 1. The answer is taken to be within the scale."""
        if self.kind == "category":
            return float(self.labels[str(raw)])
        share = (float(raw) - self.least) / (self.most - self.least) if self.kind == "number" else float(raw)
        share = min(max(share, 0.0), 1.0)  # rounding may leave the range by an ulp
        return 1.0 - share if self.lower_is_better else share

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of an answer, in the part of JSON Schema that every provider takes: no bounds on numbers."""
        answers: dict[Kind, dict[str, Any]] = {
            "number": {"type": "number", "description": f"from {self.least:g} to {self.most:g}"},
            "boolean": {"type": "boolean"},
            "category": {"type": "string", "enum": list(self.labels)},
        }
        return {
            "type": "object",
            # In this order: a judge that has given its reasons answers better.
            "properties": {REASONING_KEY: {"type": "string"}, self.key: answers[self.kind]},
            "required": [REASONING_KEY, self.key],
            "additionalProperties": False,
        }
