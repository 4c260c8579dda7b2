"""What the person reads who is told that a share of a limit is spent."""

from typing import Final

from spanmill.net.webhook import quoted
from spanmill.periods import Calendar
from spanmill.processors.llm_cost.budgets.config import Budget, Budgets
from spanmill.processors.llm_cost.budgets.counting import BILLION, Amount
from spanmill.processors.llm_cost.budgets.tally import Notice, NoticeKey

_LONGEST_VALUE: Final = 100


def message(budgets: Budgets, calendar: Calendar, key: NoticeKey, notice: Notice, spent: Amount, now: float) -> str:
    """The text, in Slack's markup. `spent` is as it is now, which may be more than when the threshold was reached."""
    budget = budgets.limits[key.budget]
    percent = spent.nano_usd * 100 / notice.limit
    lines = [
        f"LLM budget {_escaped(key.budget)}: {key.threshold} % of the limit is spent",
        f"Spent: {_usd(spent.nano_usd)} of {_usd(notice.limit)} USD ({percent:.1f} %)",
        f"Scope: {_scope(budget, key.value)}",
        f"Period: {key.period}, {calendar.describe(key.period, key.start)} ({calendar.zone})",
        _reset(calendar, key, now),
    ]
    if spent.unpriced:
        number = max(1, round(spent.unpriced / BILLION))
        calls = "1 call" if number == 1 else f"{number:,} calls"
        lines.append(f"Not included: {calls} whose price is not known. More was spent than this says.")
    return "\n".join(lines)


def _reset(calendar: Calendar, key: NoticeKey, now: float) -> str:
    end = calendar.end(key.period, key.start)
    when = calendar.local(end).strftime("%Y-%m-%d %H:%M %Z")
    return f"Reset at {when} already: the calls are told late" if end <= now else f"Resets at {when}"


def _scope(budget: Budget, value: str) -> str:
    if budget.per is None:
        return "all calls"
    return f"{budget.per} = {_escaped(value)}" if value else f"calls without {budget.per}"


def _usd(nano_usd: int) -> str:
    """With cents; with all its digits where it is less than a cent, lest a small limit reads as 0.00."""
    usd = nano_usd / BILLION
    return f"{usd:,.2f}" if abs(nano_usd) >= BILLION // 100 or not nano_usd else f"{usd:.9f}".rstrip("0")


def _escaped(text: str) -> str:
    return quoted(text, _LONGEST_VALUE)
