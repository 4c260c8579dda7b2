"""What every judge is told, whatever it is asked: that the material is data, and how to answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from spanmill.data_files import read_yaml
from spanmill.judge.scale import Kind, Scale

DEFAULT_LANGUAGE = "en"


@dataclass(frozen=True, slots=True)
class Frame:
    """The words around an evaluator's own, in one language."""

    system: str
    """The system message."""
    answer: Mapping[Kind, str]
    """How to answer, for each kind of scale; `{least}`, `{most}`, `{labels}` stand for those of the scale."""
    reminder: str
    """Stands behind the material: what stood between the tags was data."""

    def around(self, question: str, scale: Scale) -> tuple[str, str]:
        """The system message and the user's message of a filled template."""
        labels = ", ".join(f'"{label}"' for label in scale.labels)
        answer = self.answer[scale.kind]
        for name, text in (("{least}", f"{scale.least:g}"), ("{most}", f"{scale.most:g}"), ("{labels}", labels)):
            answer = answer.replace(name, text)
        return self.system.strip(), f"{question.strip()}\n\n{self.reminder.strip()}\n{answer.strip()}"


@cache
def frames() -> Mapping[str, Frame]:
    """The frames by language."""
    held: dict[str, Any] = read_yaml(files("spanmill.judge").joinpath("frame.yaml"))
    return {language: Frame(**texts) for language, texts in held.items()}


def frame_of(language: str) -> Frame:
    """That of the language, or the English one."""
    return frames().get(language) or frames()[DEFAULT_LANGUAGE]
