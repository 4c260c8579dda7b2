"""A gate's report as a table for people, as JSON, and as JUnit's XML, which CI systems show as tests."""

import io
import re
from collections.abc import Sequence
from typing import Any, Final
from xml.etree import ElementTree as ET

import orjson

from spanmill.offline.gate import Part, Report, Status
from spanmill.offline.statistics import Estimate

_NOT_IN_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""XML 1.0 has no way to write these, not even escaped."""
METHOD: Final = "Wilson's score interval with Kish's effective size"


def as_table(report: Report, width: int | None = None) -> str:
    """Rows for evaluators and groups, then reasons, notes, and the verdict. `width`: characters, None for all."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    percent = f"{report.rules.confidence:.0%}"
    compared = any(part.baseline for part in report.parts)
    table = Table(show_lines=False)
    for name in ("evaluator", "group"):
        table.add_column(name)
    numbers = ["mean", f"{percent} interval", "min", *(["baseline", "change", f"{percent} interval"] * compared)]
    for name in [*numbers, "scores", "failed", "skipped"]:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("result", no_wrap=True)
    for part in report.parts:
        table.add_row(*(Text(_printable(cell)) for cell in _cells(part, compared)))
    file = io.StringIO()
    console = Console(file=file, width=width or _WIDEST, highlight=False)
    console.print(table)
    return file.getvalue() + "".join(f"{line}\n" for line in _lines(report, compared))


_WIDEST: Final = 400


def as_json(report: Report) -> str:
    """An object with the rules, the parts and the verdict."""
    document = {
        "passed": report.passed,
        "method": METHOD,
        "confidence": report.rules.confidence,
        "rules": {
            "max_drop": report.rules.max_drop,
            "max_failed": report.rules.max_failed,
            "min_count": report.rules.min_count,
            "strict": report.rules.strict,
        },
        "parts": [_object(part) for part in report.parts],
        "notes": list(report.notes),
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n"


def as_junit(report: Report) -> str:
    """A test case for each part: failed ones with a `failure`, those that are not judged `skipped`."""
    counts = {status: sum(part.status is status for part in report.parts) for status in Status}
    empty = not report.parts
    totals = {
        "tests": str(len(report.parts) + empty),
        "failures": str(counts[Status.FAILED] + empty),
        "errors": "0",
        "skipped": str(counts[Status.TOO_FEW]),
    }
    suites = ET.Element("testsuites", {"name": "spanmill gate", **totals})
    suite = ET.SubElement(suites, "testsuite", {"name": "spanmill gate", **totals, "time": "0"})
    for part in report.parts:
        case = ET.SubElement(suite, "testcase", {"classname": _xml(part.evaluator), "name": _xml(part.title)})
        case.set("time", "0")
        reasons = _xml("; ".join(part.reasons))
        if part.status is Status.FAILED:
            ET.SubElement(case, "failure", {"message": reasons, "type": "gate"}).text = _xml(_sentence(part, report))
        elif part.status is Status.TOO_FEW:
            ET.SubElement(case, "skipped", {"message": reasons})
        ET.SubElement(case, "system-out").text = _xml(_sentence(part, report))
    if empty:
        case = ET.SubElement(suite, "testcase", {"classname": "gate", "name": "there are verdicts", "time": "0"})
        ET.SubElement(case, "failure", {"message": NOTHING, "type": "gate"})
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


NOTHING: Final = "there are no verdicts; an empty result does not pass"


def _cells(part: Part, compared: bool) -> list[str]:
    before = [_value(part.baseline), _value(part.change, "+"), _interval(part.change, "+")] if compared else []
    return [
        "" if part.column else part.evaluator,
        f"{part.column}={part.group}" if part.column else "all",
        _value(part.mean),
        _interval(part.mean),
        "-" if part.minimum is None else f"{part.minimum:g}",
        *before,
        str(part.scored),
        str(part.failed),
        str(part.skipped),
        str(part.status.value),
    ]


def _lines(report: Report, compared: bool) -> list[str]:
    lines = [
        f"{part.title}: {reason}" for part in report.parts if part.status is Status.FAILED for reason in part.reasons
    ]
    lines += [f"note: {note}" for note in report.notes]
    lines.append(f"Intervals: {report.rules.confidence:.0%}, {METHOD}.")
    if compared:
        lines.append(f"Changes: {_how_compared(report.parts)}.")
    if not report.parts:
        lines.append(NOTHING)
    lines.append("passed" if report.passed else "failed")
    return [_printable(line) for line in lines]


def _how_compared(parts: Sequence[Part]) -> str:
    whole = [part for part in parts if part.change and not part.column]
    pairs = [f"{part.evaluator} of {part.pairs} rows that are in both" for part in whole if part.pairs]
    means = [f"{part.evaluator} of two means, most rows being in one only" for part in whole if not part.pairs]
    return "; ".join(pairs + means) or "none"


def _sentence(part: Part, report: Report) -> str:
    """The numbers in a line."""
    percent = f"{report.rules.confidence:.0%}"
    counts = f"{part.scored} scores, {part.failed} failed, {part.skipped} skipped"
    texts = [f"mean {_value(part.mean)} ({percent} interval {_interval(part.mean)}), {counts}"]
    if part.baseline is not None:
        change = f"change {_value(part.change, '+')} ({percent} interval {_interval(part.change, '+')})"
        texts.append(f"baseline {_value(part.baseline)}, {change}" + (f", {part.pairs} pairs" if part.pairs else ""))
    return "; ".join([*texts, *part.reasons])


def _object(part: Part) -> dict[str, Any]:
    return {
        "evaluator": part.evaluator,
        "by": part.column or None,
        "group": part.group if part.column else None,
        "status": part.status.value,
        "reasons": list(part.reasons),
        "minimum": part.minimum,
        "scores": part.scored,
        "failed": part.failed,
        "skipped": part.skipped,
        "mean": _estimate(part.mean),
        "baseline": _estimate(part.baseline),
        "change": _estimate(part.change),
        "pairs": part.pairs,
    }


def _estimate(estimate: Estimate | None) -> dict[str, Any] | None:
    if estimate is None:
        return None
    return {
        "value": estimate.value,
        "low": estimate.interval.low,
        "high": estimate.interval.high,
        "count": estimate.count,
        "effective_count": estimate.effective,
    }


def _value(estimate: Estimate | None, sign: str = "") -> str:
    return "-" if estimate is None else f"{estimate.value:{sign}.3f}"


def _interval(estimate: Estimate | None, sign: str = "") -> str:
    if estimate is None:
        return "-"
    return f"{estimate.interval.low:{sign}.3f} .. {estimate.interval.high:{sign}.3f}"


def _printable(text: str) -> str:
    """Names of groups come from the data, and may hold sequences that steer a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _xml(text: str) -> str:
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)
