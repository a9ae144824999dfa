from __future__ import annotations

from pathlib import Path

import pytest

from masklet.data_engine.server_settings import ServerSettings, is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_needs_no_accounts(host: str):
    assert is_loopback(host)
    assert not ServerSettings(Path(), host=host).accounts


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "", "team.example"])
def test_any_other_address_does(host: str):
    with pytest.raises(ValueError, match="--accounts"):
        ServerSettings(Path(), host=host)
    assert ServerSettings(Path(), host=host, accounts=True).accounts


@pytest.mark.parametrize(
    "wrong",
    [{"port": 70_000}, {"workers": -1}, {"export_days": 0.0}, {"proxies": ("*",)}, {"proxies": ("a.example",)}],
)
def test_out_of_range(wrong: dict[str, object]):
    with pytest.raises(ValueError, match="got"):
        ServerSettings(Path(), **wrong)  # type: ignore[arg-type]


def test_secrets_are_not_shown():
    shown = repr(
        ServerSettings(Path(), database="postgresql://a:secret@b/c", metrics_token="secret", start_token="secret")
    )
    assert "secret" not in shown
