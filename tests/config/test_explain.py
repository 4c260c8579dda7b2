"""What a model may raise, and where it is shown."""

from typing import Self

from pydantic import model_validator

from spanmill.config.base import Model
from spanmill.config.blocks import TlsClient
from spanmill.config.explain import validate_block
from spanmill.config.parse import parse_yaml
from spanmill.config.values import Secret, invalid


class Picky(Model):
    """A block that checks two of its keys together."""

    tls: TlsClient = TlsClient()
    token: Secret | None = None

    @model_validator(mode="after")
    def checked(self) -> Self:
        if self.tls.insecure_skip_verify:
            raise invalid("the server is always checked", "false", key="tls.insecure_skip_verify")
        if self.token is not None:
            raise invalid("no token is wanted", key="token")
        return self


def problem_of(text: str) -> str:
    _, (problem,) = validate_block(Picky, parse_yaml(text, "a.yaml"), ("exporters", "picky"))
    return problem.render()


def test_a_block_may_blame_a_key_of_an_inner_block() -> None:
    assert problem_of("tls:\n  insecure_skip_verify: true") == (
        "a.yaml:2:3 exporters.picky.tls.insecure_skip_verify: the server is always checked; expected false; found true"
    )


def test_a_secret_that_is_blamed_does_not_show() -> None:
    assert problem_of("token: hunter2") == "a.yaml:1:1 exporters.picky.token: no token is wanted"
    assert "1234" not in problem_of("token: [1234]")


def test_a_number_is_taken_for_a_secret_as_it_is_written() -> None:
    assert problem_of("token: 0123") == "a.yaml:1:1 exporters.picky.token: no token is wanted"
