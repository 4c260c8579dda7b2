"""Who judges, and what is asked: from the command line, from a file of evaluators, from a pipeline's `llm_judge`."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from spanmill.config.base import Misfit, Model
from spanmill.config.explain import validate_block
from spanmill.config.parse import YamlError, parse_bytes, parse_yaml
from spanmill.config.problems import Problem, Severity, did_you_mean, dotted, one_of
from spanmill.config.tree import Tree
from spanmill.judge.config import EvaluatorConfig
from spanmill.judge.evaluator import Evaluator
from spanmill.judge.making import evaluators_of
from spanmill.judge.misfits import evaluator_misfits
from spanmill.judge.model_config import price_misfits
from spanmill.judge.pack import pack
from spanmill.offline.mistakes import Mistake

if TYPE_CHECKING:
    from spanmill.processors.llm_judge.config import LlmJudgeProcessorConfig

_KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """As of the command line; what is empty or None is not said."""

    evaluators: str = ""
    """Names of the pack or of the file, with commas."""
    evaluators_file: Path | None = None
    config: Sequence[str] = ()
    """Configurations, one of whose `llm_judge` has the model and the evaluators."""
    processor: str = ""
    """Which, if there are several."""
    model: str = ""
    base_url: str = ""
    api: str = ""
    api_key_env: str = ""
    """The environment variable that has the key."""
    concurrency: int | None = None
    requests_per_minute: int | None = None
    budget_usd: float | None = None
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Judge:
    """Who is asked, and what."""

    config: "LlmJudgeProcessorConfig"
    evaluators: tuple[Evaluator, ...]


class EvaluatorsFile(Model):
    """A file of evaluators."""

    evaluators: tuple[EvaluatorConfig, ...] = Field(min_length=1)
    """One's own, and names of the pack."""


def judge_of(options: JudgeOptions) -> Judge:
    """Raises `Mistake`, and `ConfigError` for the pipeline's configuration."""
    from spanmill.processors.llm_judge.config import LlmJudgeProcessorConfig

    base = _configured(options) if options.config else None
    configs = _evaluators(options, base)
    if base is None and not options.model:
        raise Mistake("nobody is named to judge; expected --model, or --config with an llm_judge processor")
    config = base
    if config is None or options.model:
        made = _validated(LlmJudgeProcessorConfig, {"model": _model(options), "evaluators": ["relevance"]})
        config = made if config is None else config.model_copy(update={"model": made.model})
    limits = {"concurrency": options.concurrency, "requests_per_minute": options.requests_per_minute}
    limits = {key: value for key, value in limits.items() if value is not None}
    config = config.model_copy(update={"evaluators": configs, "budget": None, **limits})
    if options.budget_usd is not None:
        for name in sorted({each.model or "" for each in configs}):
            for misfit in price_misfits(config.model_of(name)):
                raise Mistake(f"--budget-usd: {misfit.problem}; expected a configuration with {misfit.expected}")
    try:
        evaluators = evaluators_of(configs)
    except OSError as error:
        raise Mistake(f"{error.filename}: {error.strerror}") from None
    # A pipeline's shares are for live traffic; here it is said on the command line.
    return Judge(config, tuple(replace(evaluator, share=options.share) for evaluator in evaluators))


def _model(options: JudgeOptions) -> Mapping[str, Any]:
    api = options.api or "openai"
    written: dict[str, Any] = {"model": options.model, "api": api}
    if options.base_url:
        written["base_url"] = options.base_url
    name = options.api_key_env or ("" if options.base_url else _KEYS.get(api, ""))
    if name:
        key = os.environ.get(name, "")
        if not key:
            raise Mistake(f"the environment variable {name} has no key; set it, or name another with --api-key-env")
        written["api_key"] = key
    return written


def _validated(model: Any, written: Mapping[str, Any]) -> Any:
    import yaml

    tree = parse_yaml(yaml.safe_dump(written), "command line")
    made, problems = validate_block(model, tree, ())
    if made is None:
        raise Mistake("\n".join(replace(problem, location=None).render() for problem in problems))
    return made


def _configured(options: JudgeOptions) -> "LlmJudgeProcessorConfig":
    from spanmill.config import read_configuration
    from spanmill.names import Kind

    processors = read_configuration(list(options.config), (), os.environ).components(Kind.PROCESSORS)
    judges: dict[str, Any] = {str(name): body for name, body in processors.items() if name.type == "llm_judge"}
    where = ", ".join(options.config)
    if options.processor and options.processor not in judges:
        hint = did_you_mean(options.processor, judges) or f"There is: {', '.join(judges) or 'none'}."
        raise Mistake(f'{where}: there is no llm_judge processor "{options.processor}". {hint}')
    if not judges:
        raise Mistake(f"{where}: there is no llm_judge processor; name the evaluators with --evaluators, and --model")
    if len(judges) > 1 and not options.processor:
        raise Mistake(f"{where}: there are several llm_judge processors; expected --processor with {one_of(judges)}")
    found: LlmJudgeProcessorConfig = judges[options.processor or next(iter(judges))]
    return found


def _evaluators(options: JudgeOptions, base: "LlmJudgeProcessorConfig | None") -> tuple[EvaluatorConfig, ...]:
    names = [name.strip() for name in options.evaluators.split(",") if name.strip()]
    own: tuple[EvaluatorConfig, ...] = ()
    if options.evaluators_file is not None:
        own = _read_file(options.evaluators_file)
    elif base is not None:
        own = base.evaluators
    if not names and not own:
        raise Mistake(f"nothing is asked; expected --evaluators with some of {', '.join(pack())}")
    if not names:
        return own
    by_name = {config.name or str(config.use): config for config in own}
    known = {**dict.fromkeys(pack()), **by_name}
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or f"There is: {', '.join(known)}."
            raise Mistake(f'--evaluators: there is no evaluator "{name}". {hint}')
    return tuple(by_name.get(name) or EvaluatorConfig(use=name) for name in dict.fromkeys(names))


def _read_file(path: Path) -> tuple[EvaluatorConfig, ...]:
    try:
        tree = parse_bytes(path.read_bytes(), str(path))
    except YamlError as error:
        raise Mistake(str(error)) from None
    if isinstance(tree.value, list):
        tree = Tree({"evaluators": tree}, tree.location)
    made, problems = validate_block(EvaluatorsFile, tree, ())
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if made is not None:
        errors += [_problem(misfit, tree) for misfit in evaluator_misfits(made.evaluators)]
    if made is None or errors:
        raise Mistake("\n".join(problem.render() for problem in errors))
    return made.evaluators


def _problem(misfit: Misfit, tree: Tree) -> Problem:
    path = ("evaluators", *misfit.path)
    return Problem(misfit.problem, dotted(path), tree.nearest(path).at_key(), misfit.expected, hint=misfit.hint)
