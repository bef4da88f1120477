import json
from pathlib import Path
from typing import Any

import pytest

from noctule.config.loading import load_text
from noctule.core.errors import ConfigError
from noctule.core.settings.account import AccountSettings, same_origin
from tests.support.command_line import ROLES


def _problems(account: Any, url: str | None = "https://router.example/api/v1") -> list[str]:
    """Return what is wrong with an account of an endpoint with a key."""
    endpoint = {"kind": "openai", "key": "${KEY}", "account": account}
    if url is not None:
        endpoint["url"] = url
    document = {
        "endpoints": {"cloud": endpoint},
        "models": {"m": {"endpoint": "cloud", "name": "m"}},
        "roles": {role: {"primary": "m"} for role in ROLES},
    }
    try:
        load_text(json.dumps(document), environ={"KEY": "k"}, folder=Path(), file="config.yaml")
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []


def test_one_word_is_enough() -> None:
    """The path is on the endpoint's own host, wherever its API begins."""
    assert _problems("openrouter") == []
    assert _problems({"preset": "litellm"}) == []
    settings = AccountSettings.model_validate({"preset": "openrouter"})
    assert settings.address("https://openrouter.ai/api/v1") == "https://openrouter.ai/api/v1/key"
    assert settings.address(None) is None


def test_what_is_set_goes_before_the_preset() -> None:
    """One path of the two for what is left takes the place of both."""
    own = AccountSettings.model_validate({"preset": "openrouter", "spent": "data.usage_monthly"})
    assert own.paths.spent == ("data", "usage_monthly")
    assert own.paths.left is None
    assert own.paths.limit == ("data", "limit")


@pytest.mark.parametrize(
    ("account", "path", "words"),
    [
        ("openruoter", "account", "must be openrouter, litellm"),
        ({}, "account", "does not say whom to ask"),
        ({"url": "/v1/usage"}, "account", "where in the answer the money stands"),
        ({"url": "/v1/usage", "limit": "a"}, "account", "where in the answer the money stands"),
        ({"url": "/v1/usage", "left": "a..b"}, "account.left", "write one like data.limit"),
        ({"url": "ftp://router.example/x", "left": "a"}, "account.url", "no http address"),
        ({"url": "http://[x/", "left": "a"}, "account.url", "no http address"),
        ({"url": "https://me:pw@router.example/", "left": "a"}, "account.url", "password"),
        ({"url": "https://other.example/x", "left": "a"}, "account.key", "another host"),
        ({"url": "http://router.example/x", "left": "a"}, "account.key", "another host"),
        ({"url": "https://router.example:444/x", "left": "a"}, "account.key", "another host"),
        ({"preset": "litellm", "every_attempts": 0}, "account.every_attempts", "at least 1"),
        ({"preset": "litellm", "timeout": "1m"}, "account.timeout", "at most 10s"),
        ({"preset": "litellm", "key": "sk-plain-text-key"}, "account.key", "CLOUD_ACCOUNT_KEY"),
        ({"preset": "litellm", "sepnt": "a"}, "account.sepnt", "did you mean 'spent'"),
    ],
)
def test_what_is_wrong_is_said_at_start(account: Any, path: str, words: str) -> None:
    """With its place and what to write."""
    (problem,) = _problems(account)
    assert f"endpoints.cloud.{path}" in problem
    assert words in problem


def test_a_path_needs_an_endpoint_with_an_address() -> None:
    """The provider's own address is not written anywhere."""
    (problem,) = _problems("litellm", url=None)
    assert "endpoints.cloud.account.url" in problem
    assert "write the whole address" in problem


def test_another_host_may_be_asked_with_a_key_of_its_own() -> None:
    """Its variable is read like that of the endpoint."""
    url = "https://billing.example/usage"
    assert _problems({"url": url, "left": "left", "key": "${KEY}"}) == []
    (problem,) = _problems({"url": url, "left": "left", "key": "${MISSING}"})
    assert "endpoints.cloud.account.key" in problem
    assert "MISSING is not set" in problem


def test_an_origin_is_scheme_host_and_port() -> None:
    """A default port may be written or not."""
    assert same_origin("https://a.example:443/x", "https://a.example")
    assert not same_origin("https://a.example/x", "http://a.example")
    assert not same_origin("https://a.example/x", None)
