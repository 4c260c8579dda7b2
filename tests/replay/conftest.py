"""Replays against real servers."""

import pytest

from tests.replay.making import Replays


@pytest.fixture
def replay(capsys: pytest.CaptureFixture[str]) -> Replays:
    """Runs a replay."""
    return Replays(capsys)
