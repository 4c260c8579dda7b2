"""Every request that was captured from an SDK becomes the rows that a reader of it expects."""

from pathlib import Path

import pytest

from tests.llm.captures.runner import FOLDERS, captures, problems, requests


@pytest.mark.parametrize("request_file", captures(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_captured_request_becomes_the_expected_rows(request_file: Path) -> None:
    assert problems(request_file) == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_every_folder_of_captures_says_what_it_holds(folder: Path) -> None:
    assert requests(folder)
    assert (folder / "README.md").exists()
