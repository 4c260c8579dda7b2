"""What the configuration does to texts, and what is said about mistakes in it."""

import hashlib
import hmac
import sys
from pathlib import Path
from typing import Any

import pytest

from spanmill.errors import StartError
from spanmill.processors.pii_masking.config import PiiMaskingProcessorConfig
from spanmill.signal import Signal
from tests.processors.pii_masking.masks import KEY, Running, said

MAIL, CARD = "jane@example.com", "4111 1111 1111 1111"


def test_by_default_everything_that_is_found_is_replaced() -> None:
    assert said(f"{MAIL} paid with card {CARD}") == "<EMAIL> paid with card <CARD>"
    assert said("correct horse", key="db.password") == "<SECRET_KEY_VALUE>"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"mode": "drop"}, " and card "),
        ({"mode": "partial"}, "***********e*com and card ***************1111"),
        ({"detectors": {"card": {"mode": "partial"}}}, "<EMAIL> and card ***************1111"),
        ({"detectors": {"email": {"enabled": False}}}, f"{MAIL} and card <CARD>"),
        ({"only": ["email"]}, f"<EMAIL> and card {CARD}"),
        ({"allow": {"texts": [MAIL]}}, f"{MAIL} and card <CARD>"),
        ({"allow": {"patterns": [r".*@example\.com"]}}, f"{MAIL} and card <CARD>"),
        ({"scope": {"exclude": ["attributes.sai?"]}}, f"{MAIL} and card {CARD}"),
        ({"scope": {"include": ["events", "resource"]}}, f"{MAIL} and card {CARD}"),
        ({"dry_run": True}, f"{MAIL} and card {CARD}"),
    ],
)
def test_modes_detectors_exceptions_and_scope_are_as_configured(config: dict[str, Any], expected: str) -> None:
    assert said(f"{MAIL} and card {CARD}", **config) == expected


def test_a_pseudonym_names_its_key_and_cannot_be_made_without_it(tmp_path: Path) -> None:
    digest = hmac.new(KEY["key"].encode(), MAIL.encode(), hashlib.sha256).hexdigest()[:16]
    expected = f"<EMAIL:k1:{digest}>"
    assert said(MAIL, mode="hmac", hmac=KEY) == expected
    assert said(MAIL.upper(), mode="hmac", hmac=KEY) == expected
    (tmp_path / "key").write_text(f"{KEY['key']}\n")
    assert said(MAIL, mode="hmac", hmac={"key_file": str(tmp_path / "key"), "key_id": "k1"}) == expected


def test_partial_as_the_general_mode_shows_nothing_of_passwords() -> None:
    assert said("hunter22", key="password", mode="partial") == "<SECRET_KEY_VALUE>"
    shown = said("hunter22", key="password", detectors={"secret_key_value": {"mode": "partial"}})
    assert shown == "****er22"


def test_detectors_of_ones_own_have_a_checksum_context_and_a_mode() -> None:
    badge = {"name": "badge", "pattern": "B-[0-9]{4}", "context": ["badge"], "mode": "drop"}
    assert said("badge B-1234", custom=[badge]) == "badge "
    assert said("part B-1234", custom=[badge]) == "part B-1234"
    member = {"name": "member", "pattern": "M([0-9]{4})", "checksum": "luhn"}
    assert said("M1230 M1231", custom=[member]) == "M<MEMBER> M1231"


def test_names_of_secret_keys_can_be_added_and_removed() -> None:
    config: dict[str, Any] = {"secret_keys": {"add": ["employee badge"], "remove": ["token"]}}
    assert said("abc", key="employeeBadge", **config) == "<SECRET_KEY_VALUE>"
    assert said("abc", key="token", **config) == "abc"
    assert said("abc", key="password", **config) == "<SECRET_KEY_VALUE>"
    assert said("abc", key="password", detectors={"secret_key_value": {"enabled": False}}) == "abc"


def test_keys_are_masked_where_that_is_asked_for() -> None:
    from tests.processors.building import attributes_of, batch_of, pairs

    batch = batch_of(Signal.TRACES, [pairs(**{MAIL: "x"})])
    assert attributes_of(Running().processor(batch))[0][0][0] == MAIL
    assert attributes_of(Running(keys=True).processor(batch))[0][0][0] == "<EMAIL>"


def test_a_key_file_that_is_not_there_or_too_short_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "key"
    config = {"mode": "hmac", "hmac": {"key_file": str(path), "key_id": "k1"}}
    with pytest.raises(StartError, match=r"the key of `hmac` cannot be read from .*: No such file"):
        Running(**config)
    path.write_text("s3cret")
    with pytest.raises(StartError, match="too short") as caught:
        Running(**config)
    assert "s3cret" not in str(caught.value)


def test_places_of_every_signal_can_be_named() -> None:
    names = ["status.message", "events.attributes", "links", "body", "event_name", "description", "unit", "exemplars"]
    names += ["resource.attributes.host.name", "scope.name", "input", "trace_state", "severity_text", "*.message"]
    config = PiiMaskingProcessorConfig.model_validate({"scope": {"include": names}})
    assert list(config.misfits(Signal.TRACES)) == []


def test_without_the_package_the_start_fails_and_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    with pytest.raises(StartError, match=r"pip install 'spanmill\[presidio\]'"):
        Running(presidio={"models": {"en": "none"}})
