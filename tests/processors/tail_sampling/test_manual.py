"""The examples in `docs/sampling.md` can be used as they stand."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from spanmill.processors.tail_sampling.config import TailSamplingProcessorConfig
from spanmill.signal import Signal

_PAGE = (Path(__file__).parents[3] / "docs" / "sampling.md").read_text(encoding="utf-8")
_BLOCKS = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", _PAGE, re.DOTALL)]


def _samplers() -> list[dict[str, Any]]:
    written = [block.get("processors", {}).get("tail_sampling", block) for block in _BLOCKS]
    return [block for block in written if "policies" in block]


@pytest.mark.parametrize("sampler", _samplers(), ids=lambda each: str(each["policies"][0]["name"]))
def test_the_policies_on_the_page_are_valid(sampler: dict[str, Any]) -> None:
    keeps = {"name": "kept_by_the_test", "type": "always_sample"}
    config = TailSamplingProcessorConfig.model_validate({**sampler, "policies": [*sampler["policies"], keeps]})
    assert list(config.misfits(Signal.TRACES)) == []


def test_every_type_of_policy_is_on_the_page() -> None:
    types = TailSamplingProcessorConfig.model_json_schema()["$defs"]["Policy"]["properties"]["type"]["enum"]
    assert [name for name in types if f"`{name}`" not in _PAGE] == []
