"""The evaluators that Spanmill brings along: `evaluators/*.yaml`, written as users write their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from spanmill.data_files import read_yaml
from spanmill.judge.config import EvaluatorConfig


@dataclass(frozen=True, slots=True)
class Packed:
    """An evaluator of the pack."""

    config: EvaluatorConfig
    version: int
    """One more whenever the wording or the scale changes."""
    description: str
    """What it asks, in a sentence for people."""


@cache
def pack() -> Mapping[str, Packed]:
    """The evaluators by name."""
    found = {}
    folder = files("spanmill.judge").joinpath("evaluators")
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".yaml"):
            held = read_yaml(file)
            version, description = held.pop("version"), held.pop("description")
            config = EvaluatorConfig.model_validate(held)
            found[str(config.name)] = Packed(config, version, " ".join(description.split()))
    return found


def resolved(config: EvaluatorConfig) -> EvaluatorConfig:
    """An evaluator with all that it takes from the pack; one's own as it is. Raises `KeyError` for one that is not
    there."""
    if config.use is None:
        return config
    changes = {key: getattr(config, key) for key in config.model_fields_set - {"use", "variables"}}
    packed = pack()[config.use].config
    return packed.model_copy(update=changes | {"variables": packed.variables | config.variables})
