"""Files as people write them: each runs with the warnings named here, or is refused with exactly these problems."""

from pathlib import Path

import pytest

from spanmill.config import read_configuration
from spanmill.errors import ConfigError

FILES = Path(__file__).parent / "real_files"
ENVIRON = {"TOKEN": "c2VjcmV0", "TENANT": "0042", "LIMIT": "256"}
EXPECTED = FILES / "expected.txt"


def outcome(path: Path) -> str:
    """What validating the file prints, without the directory."""
    try:
        configuration = read_configuration([str(path)], (), ENVIRON)
    except ConfigError as error:
        text = f"{error}\n"
    else:
        text = "".join(f"{warning.render()}\n" for warning in configuration.warnings) + "valid\n"
    return text.replace(f"{FILES}/", "")


def expected_outcomes() -> dict[str, str]:
    """`expected.txt`: for each file a line `== name` and then what is printed."""
    sections = EXPECTED.read_text(encoding="utf-8").split("== ")[1:]
    return {name: text for name, _, text in (section.partition("\n") for section in sections)}


@pytest.mark.parametrize("path", sorted(FILES.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_real_file_runs_or_is_explained(path: Path) -> None:
    assert outcome(path) == expected_outcomes()[path.name]


def test_only_the_files_that_are_called_wrong_are_refused() -> None:
    refused = {name for name, text in expected_outcomes().items() if not text.endswith("valid\n")}
    assert refused == {path.name for path in FILES.glob("wrong-*.yaml")}
