"""What cannot work in a list of evaluators: templates, variables, columns, conditions that do not fit together."""

from collections.abc import Iterator, Mapping, Sequence

from spanmill.conditions import Condition, InvalidCondition
from spanmill.config.base import Misfit
from spanmill.config.problems import did_you_mean, one_of
from spanmill.judge.config import EvaluatorConfig, SourceConfig
from spanmill.judge.evaluator import AUTO
from spanmill.judge.making import templates_of
from spanmill.judge.pack import pack, resolved
from spanmill.judge.sources import QUESTION
from spanmill.judge.template import InvalidTemplate, Template
from spanmill.schema import TABLES
from spanmill.signal import Signal


def evaluator_misfits(configs: Sequence[EvaluatorConfig]) -> Iterator[Misfit]:
    """Everything that is wrong; paths begin with the evaluator's place in the list."""
    names: dict[str, int] = {}
    for index, config in enumerate(configs):
        if config.use is not None and config.use not in pack():
            expected, hint = f"one of the pack: {one_of(pack())}", did_you_mean(config.use, pack())
            yield Misfit((index, "use"), f'there is no evaluator "{config.use}"', expected, hint)
            continue
        name = config.name or str(config.use)
        if name in names:
            problem = f'evaluators {names[name]} and {index} are both named "{name}"'
            yield Misfit((index, "name"), problem, "a name of its own", "Their scores could not be told apart.")
        names.setdefault(name, index)
        for misfit in _misfits(config):
            yield misfit._replace(path=(index, *misfit.path))


def _misfits(config: EvaluatorConfig) -> Iterator[Misfit]:
    whole = resolved(config)
    yield from _template_misfits(whole)
    for name, sources in whole.variables.items():
        for source in sources:
            yield from _column_misfits(("variables", name), source)
    yield from _threshold_misfits(whole)
    if config.where is not None:
        try:
            Condition(config.where, Signal.TRACES)
        except InvalidCondition as error:
            yield Misfit(("where",), error.problem, "a SQL condition over spans", error.hint)


def _template_misfits(config: EvaluatorConfig) -> Iterator[Misfit]:
    key = next(key for key in ("templates", "template", "template_file") if getattr(config, key))
    try:
        templates = templates_of(config)
    except OSError as error:
        yield Misfit((key,), f"the file cannot be read: {error.strerror}", "a file with a template")
        return
    except ValueError:
        yield Misfit((key,), "the file is not UTF-8", "a file with a template in UTF-8")
        return
    if config.language != AUTO and config.language not in templates:
        yield Misfit(("language",), "there is no template in this language", f"auto, {one_of(templates)}")
    named: set[str] = set()
    for language, template in templates.items():
        path = (key, language) if key == "templates" else (key,)
        try:
            template.check()
        except InvalidTemplate as error:
            yield Misfit(path, error.problem, "a template", error.hint)
            return
        named |= template.variables
        yield from _unknown_variables(path, template, config)
    if not named:
        yield Misfit((key,), "the template shows nothing of the span", "variables, such as {{output}}")
    yield from _unused_variables(config, templates, named)


def _unknown_variables(path: tuple[str, ...], template: Template, config: EvaluatorConfig) -> Iterator[Misfit]:
    known = {*config.variables, *_columns()}
    for name in sorted(template.variables - known):
        hint = did_you_mean(name, known)
        expected = "a key of `variables`, or a column of spans"
        yield Misfit(path, f"the template's {{{{{name}}}}} comes from nowhere", expected, hint)


def _unused_variables(config: EvaluatorConfig, templates: Mapping[str, Template], named: set[str]) -> Iterator[Misfit]:
    for name in sorted(config.variables.keys() - named):
        braces = any(f"{{{name}}}" in template.text for template in templates.values())
        hint = f"A variable has two braces: {{{{{name}}}}}." if braces else did_you_mean(name, named)
        yield Misfit(("variables", name), "the template does not use this variable", one_of(sorted(named)), hint)


def _column_misfits(path: tuple[str, ...], source: SourceConfig) -> Iterator[Misfit]:
    if source.column is None or source.column in _columns():
        return
    hint = did_you_mean(source.column, _columns()) or "An attribute is written attributes['name']."
    yield Misfit(path, f'spans have no column "{source.column}"', "a column of spans, or `question`", hint)


def _threshold_misfits(config: EvaluatorConfig) -> Iterator[Misfit]:
    threshold = config.threshold
    if threshold is None or 0 <= threshold <= 1:
        return
    hint = ""
    if config.scale is not None and config.scale.type == "number":
        least, most = config.scale.range
        if least <= threshold <= most:
            score = (threshold - least) / (most - least)
            hint = f"On this scale {threshold:g} is {1 - score if config.scale.lower_is_better else score:.3g}."
    yield Misfit(("threshold",), "the threshold is no score", "from 0 to 1, where 1 is the best", hint)


def _columns() -> tuple[str, ...]:
    return (*TABLES[Signal.TRACES].schema.names, QUESTION)
