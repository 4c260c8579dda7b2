import re
from pathlib import Path

import pytest
import yaml

from spanmill.judge.config import EvaluatorConfig
from spanmill.judge.frame import frames
from spanmill.judge.languages import by_script
from spanmill.judge.making import evaluators_of
from spanmill.judge.misfits import evaluator_misfits
from spanmill.judge.pack import pack
from tests.judge.rows import packed

NAMES = ("relevance", "completeness", "faithfulness", "hallucination", "conciseness", "correctness", "helpfulness",
         "safety", "refusal", "tool_selection")  # fmt: skip


def test_the_pack_has_ten_evaluators_that_fit_together() -> None:
    assert set(pack()) == set(NAMES)
    configs = [EvaluatorConfig.model_validate(name) for name in NAMES]
    assert list(evaluator_misfits(configs)) == []
    assert [each.name for each in evaluators_of(configs)] == list(NAMES)
    assert len({each.template_hash for each in evaluators_of(configs)}) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_language_asks_the_same(name: str) -> None:
    judge = packed(name)
    assert list(judge.templates) == ["en", "ko", "ja"]
    texts = {language: template.text for language, template in judge.templates.items()}
    assert {language: by_script(text) for language, text in texts.items()} == {"en": None, "ko": "ko", "ja": "ja"}
    tags = {tuple(re.findall(r"\{\{.*?\}\}", text)) for text in texts.values()}
    assert len(tags) == 1
    assert len({template.required for template in judge.templates.values()}) == 1


@pytest.mark.parametrize("name", NAMES)
def test_every_mark_has_its_meaning_in_every_language(name: str) -> None:
    judge = packed(name)
    marks = {"number": ["5", "4", "3", "2", "1"], "boolean": ["true", "false"], "category": list(judge.scale.labels)}
    for template in judge.templates.values():
        assert re.findall(r"^(\w+): \S", template.text, re.MULTILINE) == marks[judge.scale.kind]


def test_frames_say_in_every_language_how_to_answer_on_every_scale() -> None:
    assert list(frames()) == ["en", "ko", "ja"]
    for frame in frames().values():
        for name in ("relevance", "hallucination", "safety"):
            scale = packed(name).scale
            system, user = frame.around("?", scale)
            assert "<output-0123456789abcdef>" in system
            assert f'"{scale.key}"' in user
            assert user.index('"reasoning"') < user.index(f'"{scale.key}"')
            assert all(f'"{label}"' in user for label in scale.labels)
            assert "{" not in user


def test_one_of_the_pack_may_be_changed_without_changing_its_wording() -> None:
    judge = packed("relevance", name="on_topic", threshold=0.8, share=0.2, variables={"output": "documents"})
    assert (judge.name, judge.threshold, judge.share) == ("on_topic", 0.8, 0.2)
    assert judge.templates == packed("relevance").templates
    assert judge.variables["output"][0].column == "documents"
    assert judge.variables["conversation"][0].column == "input"


def test_the_manual_lists_the_pack_as_it_is() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "evaluators.md").read_text(encoding="utf-8")
    for name, packed_as in pack().items():
        scale = packed(name).scale
        answers = {
            "number": f"{scale.least:g} to {scale.most:g}",
            "boolean": "true or false (false is good)" if scale.lower_is_better else "true or false",
            "category": ", ".join(f"{label} ({score:g})" for label, score in scale.labels.items()),
        }[scale.kind]
        assert f"| `{name}` | {packed_as.description} | {answers} | {packed_as.config.threshold:g} |" in manual


def test_the_manuals_own_evaluators_have_no_mistakes() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "evaluators.md").read_text(encoding="utf-8")
    own, packed_ones = [], []
    for block in re.findall(r"```yaml\n(.*?)```", manual, re.DOTALL):
        held = yaml.safe_load(block.replace("model: {...}", ""))
        packed_ones += held.get("processors", {}).get("llm_judge", {}).get("evaluators", [])
        own += held.get("evaluators", [])
    assert own
    configs = [EvaluatorConfig.model_validate(each) for each in packed_ones + own]
    assert list(evaluator_misfits(configs)) == []
