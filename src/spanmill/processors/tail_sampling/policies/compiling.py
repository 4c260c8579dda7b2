"""From the configuration of policies to rules, and the questions and limits that these are made of."""

from collections.abc import Iterator
from dataclasses import replace

from spanmill.processors.tail_sampling.policies.firsts import FirstOf
from spanmill.processors.tail_sampling.policies.limits import Limit, Unit
from spanmill.processors.tail_sampling.policies.matching import Match, match_of
from spanmill.processors.tail_sampling.policies.rules import Composite, Question, Rule, asked, conjunction, negated
from spanmill.processors.tail_sampling.policy_tree import CompositePolicies, Policy, SubPolicy


class Compiler:
    """Compiles policies, and gathers what they ask, what limits them and what they count."""

    def __init__(self) -> None:
        self.matches: list[Match] = []
        self.limits: list[Limit] = []
        self.firsts: list[FirstOf] = []

    def rule(self, policy: Policy) -> Rule | Composite:
        """The rule of a policy that keeps. Raises `InvalidCondition`."""
        if policy.composite is not None:
            return self._composite(policy.composite, policy.name)
        return self._rule((policy,), policy.name)

    def drop(self, policy: Policy) -> Rule:
        """The rule of a policy that drops. Raises `InvalidCondition`."""
        return self._rule(policy.drop.drop_sub_policy if policy.drop is not None else (), policy.name)

    def _composite(self, composite: CompositePolicies, name: str) -> Composite:
        rules = []
        for policy in composite.in_order():
            rate = composite.spans_per_second(policy.name)
            share = self._add(Limit(f"{name}/{policy.name}/share", "spans", rate, rate))
            rule = self._rule((policy,), f"{name}/{policy.name}")
            rules.append(replace(rule, limits=(*rule.limits, share)))
        return Composite(tuple(rules))

    def _rule(self, policies: tuple[SubPolicy, ...], name: str) -> Rule:
        """What all of the policies keep."""
        questions: list[Question] = []
        limits: list[Limit] = []
        firsts: list[FirstOf] = []
        share = 1.0
        for policy in _flat(policies):
            if policy.probabilistic is not None:
                share = min(share, policy.probabilistic.sampling_percentage / 100)
            elif (rate := _rate(policy)) is not None:
                limits.append(self._add(Limit(f"{name}/{policy.type}/{len(limits)}", *rate)))
            elif (first := policy.first_of) is not None:
                # Counts of other columns would mean something else.
                called = f"{name}/first_of/{len(firsts)}/{','.join(first.columns)}"
                firsts.append(FirstOf(called, first.columns, first.traces, first.max_combinations))
            else:
                questions.append(self._question(policy))
        self.firsts += firsts
        return Rule(conjunction(questions), share, tuple(limits), tuple(firsts))

    def _question(self, policy: SubPolicy) -> Question:
        if policy.and_ is not None:
            return conjunction([self._question(each) for each in policy.and_.and_sub_policy])
        if policy.not_ is not None:
            return negated(self._question(policy.not_.not_sub_policy))
        match = match_of(policy)
        if match is None:
            return conjunction(())
        if match not in self.matches:
            self.matches.append(match)
        return asked(self.matches.index(match))

    def _add(self, limit: Limit) -> Limit:
        self.limits.append(limit)
        return limit


def _flat(policies: tuple[SubPolicy, ...]) -> Iterator[SubPolicy]:
    """The policies, those of an `and` in its place."""
    for policy in policies:
        if policy.and_ is not None:
            yield from _flat(policy.and_.and_sub_policy)
        else:
            yield policy


def _rate(policy: SubPolicy) -> tuple[Unit, float, float] | None:
    """The unit, the rate a second and the burst of a policy that limits."""
    if (spans := policy.rate_limiting) is not None:
        return "spans", spans.spans_per_second, spans.burst_capacity or 2 * spans.spans_per_second
    if (size := policy.bytes_limiting) is not None:
        return "bytes", size.bytes_per_second, size.burst_capacity or 2 * size.bytes_per_second
    if (usd := policy.usd_limiting) is not None:
        return "usd", usd.usd_per_hour / 3600, usd.burst_usd or usd.usd_per_hour / 10
    return None
