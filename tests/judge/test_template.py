import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanmill.judge.template import InvalidTemplate, Template


def test_variables_are_filled_in_and_values_are_not_templates() -> None:
    template = Template("Is {{ answer }} right? {{answer}} {single}")
    assert template.fill({"answer": "{{answer}} {{#x}}"}) == "Is {{answer}} {{#x}} right? {{answer}} {{#x}} {single}"


def test_a_section_is_said_only_where_its_variable_has_a_value() -> None:
    template = Template(
        "A\n{{#context}}\nGiven {{context}}.\n{{/context}}\n{{^context}}\nNothing given.\n{{/context}}\nB"
    )
    assert template.fill({"context": "x"}) == "A\nGiven x.\nB"
    assert template.fill({}) == "A\nNothing given.\nB"


def test_a_variable_is_required_where_it_stands_outside_of_its_section() -> None:
    template = Template("{{a}} {{#b}}{{b}} {{c}}{{/b}} {{^d}}{{#e}}{{e}}{{/e}}{{/d}}")
    assert template.variables == frozenset("abcde")
    assert template.required == frozenset("ac")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{{#a}} x", "the section of a is not closed"),
        ("x {{/a}}", "{{/a}} closes a section that is not open"),
        ("{{#a}}{{#b}}{{/a}}{{/b}}", "{{/a}} closes a section that is not open"),
        ("{{ span.output }}", "`{{ span.output ` begins no variable"),
        ("{{output", "`{{output` begins no variable"),
    ],
)
def test_a_mistake_in_a_template_is_named(text: str, problem: str) -> None:
    with pytest.raises(InvalidTemplate) as raised:
        Template(text).check()
    assert raised.value.problem == problem
    assert raised.value.hint.endswith(".")


@given(st.text(alphabet="{}#^/ab \n", max_size=40))
def test_a_template_is_either_refused_or_filled(text: str) -> None:
    template = Template(text)
    try:
        template.check()
    except InvalidTemplate:
        return
    assert "{{" not in template.fill(dict.fromkeys(template.variables, "x"))
    template.fill(dict.fromkeys(template.required, "x"))
