"""Makes evaluators of their configuration."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from spanmill.judge import languages
from spanmill.judge.config import EvaluatorConfig, ScaleConfig, SourceConfig
from spanmill.judge.evaluator import AUTO, Evaluator
from spanmill.judge.frame import DEFAULT_LANGUAGE
from spanmill.judge.pack import pack, resolved
from spanmill.judge.scale import Scale
from spanmill.judge.sources import Source
from spanmill.judge.template import Template

WHERE: Final = "is_llm_call and output is not null"
"""Which spans an evaluator fits that says nothing about it: calls of models, each once, that were answered."""


def evaluators_of(configs: Iterable[EvaluatorConfig], *, share: float = 1.0) -> tuple[Evaluator, ...]:
    """The evaluators. `share` is that of those that say none.

    The configurations are taken to have no misfits. Raises `OSError` when a template's file cannot be read.
    """
    return tuple(_evaluator(config, share) for config in configs)


def templates_of(config: EvaluatorConfig) -> dict[str, Template]:
    """A resolved evaluator's templates by language, unchecked. Raises `OSError`, or `ValueError` for no UTF-8."""
    if config.templates:
        return {language: Template(text) for language, text in config.templates.items()}
    text = config.template
    if text is None:
        text = Path(config.template_file or "").read_text(encoding="utf-8")
    written_in = languages.by_script(text) or DEFAULT_LANGUAGE
    return {written_in if config.language == AUTO else config.language: Template(text)}


def _evaluator(config: EvaluatorConfig, share: float) -> Evaluator:
    whole = resolved(config)
    templates = templates_of(whole)
    packed = pack()[config.use] if config.use else None
    assert whole.name is not None
    assert whole.scale is not None
    named = sorted({name for template in templates.values() for name in template.variables})
    return Evaluator(
        name=whole.name,
        templates=templates,
        variables={name: _sources(whole, name) for name in named},
        scale=_scale(whole.scale),
        version=packed.version if packed else 1,
        description=packed.description if packed else "",
        language=whole.language,
        threshold=whole.threshold,
        model=whole.model or "",
        share=share if whole.share is None else whole.share,
        choose_by=whole.choose_by,
        where=WHERE if whole.where is None else whole.where,
        max_characters=whole.max_characters,
    )


def _sources(config: EvaluatorConfig, name: str) -> tuple[Source, ...]:
    sources = config.variables.get(name, (SourceConfig(column=name),))
    return tuple(
        Source(each.column or "", each.attribute or "", each.operation or "", each.max_characters) for each in sources
    )


def _scale(config: ScaleConfig) -> Scale:
    least, most = config.range
    return Scale(config.type, least, most, config.lower_is_better, dict(config.labels))
