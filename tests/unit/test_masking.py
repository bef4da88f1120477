import base64
import html
import json
import textwrap
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from noctule.core.base.masking import MASK, Masker, secrets_of

SECRET = "correct-horse-42/battery"
KEYS = [
    "sk-proj-abcdefghijklmnop1234",
    "sk-ant-api03-abcdefghijklmnop1234",
    "sk-or-v1-0123456789abcdef0123456789abcdef",
    "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    "github_pat_11ABCDEFG0123456789_abcdefghij",
    "glpat-0123456789abcdefghij",
    "AKIAIOSFODNN7EXAMPLE",
    "xoxb-123456789012-abcdefghij",
    "AIzaSyA0123456789abcdefghijklmnopqrstuv",
    "hf_abcdefghijklmnopqrstuvwxyzABCD",
    "sk_live_0123456789abcdefgh",
    "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw_",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz\naC1rZXk=\n-----END OPENSSH PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC",
]


class Endpoint(BaseModel):
    key: SecretStr
    url: SecretStr = SecretStr("sqlite")


class Settings(BaseModel):
    endpoints: dict[str, Endpoint]
    name: str = "public-name"


@pytest.mark.parametrize("key", KEYS)
def test_keys_are_known_by_their_form(key):
    """Whoever they belong to: as a value, in quotes, at the end of a sentence."""
    for text in (key, f"key={key}", f'"key": "{key}"', f"It is {key}, he said."):
        assert key not in Masker().mask(text)
        assert MASK in Masker().mask(text)


def test_a_bearers_token_is_masked():
    """Whatever its form, what stands behind Bearer is a token."""
    assert (
        Masker().mask("Authorization: Bearer abcdef0123456789xyz")
        == f"Authorization: Bearer {MASK}"
    )


def test_passwords_in_urls_are_masked_and_nothing_else_of_them():
    """User, host and path stay readable."""
    text = "postgresql://noctule:hunter2@db.example/noctule and https://example.com/a:b@c"
    assert Masker().mask(text) == (
        f"postgresql://noctule:{MASK}@db.example/noctule and https://example.com/a:b@c"
    )


@pytest.mark.parametrize(
    "text",
    [
        "class='sk-circle-bounce-delay-animation'",
        "a commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
        "def password(self): return self.key",
        "019b76da-a801-7000-aee0-6d33b6e791dd",
        "-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----",
    ],
)
def test_what_is_no_secret_stays(text):
    """Code, hashes, ids and certificates are readable."""
    assert Masker([SECRET]).mask(text) == text


def test_known_secrets_are_masked_in_every_form_they_are_written_in():
    """Plainly, in JSON, in a URL, in base64."""
    secret = 'pass"word\\with 1 ümlaut'
    masker = Masker([secret])
    forms = [
        secret,
        json.dumps({"a": secret}),
        f"https://x/?k={quote(secret, safe='')}",
        base64.b64encode(secret.encode()).decode(),
    ]
    for form in forms:
        masked = masker.mask(form)
        assert MASK in masked
        assert secret not in masked


def test_secrets_are_those_of_the_configuration_and_of_the_environment():
    """Words, paths and short values are none; of a URL only the password is."""
    settings = Settings(
        endpoints={
            "a": Endpoint(key=SECRET),
            "b": Endpoint(key="none", url="postgresql://u:longpassword@h/db"),
        }
    )
    environ = {
        "OPENAI_API_KEY": "environ-key-1",
        "PGPASSWORD": "environ-password-1",
        "SSH_AUTH_SOCK": "/tmp/agent.sock",
        "DEBUG_TOKEN": "disabled",
        "SECRET_SHORT": "abc",
        "HOME": "/home/somebody-1",
        "KEYBOARD": "de-latin1-nodeadkeys",
    }
    assert secrets_of(settings, environ) >= {
        SECRET,
        "longpassword",
        "environ-key-1",
        "environ-password-1",
    }
    assert not secrets_of(settings, environ) & {
        "sqlite",
        "/tmp/agent.sock",
        "disabled",
        "/home/somebody-1",
        "de-latin1-nodeadkeys",
    }
    assert Masker(secrets_of(settings, environ)).mask("none sqlite abc") == "none sqlite abc"


@given(st.text(max_size=50), st.text(max_size=50))
def test_a_known_secret_never_passes_and_masking_twice_changes_nothing(before, after):
    """Whatever stands around it."""
    masker = Masker([SECRET])
    masked = masker.mask(before + SECRET + after)
    assert SECRET not in masked
    assert masker.mask(masked) == masked


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.just(SECRET), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(max_size=5), inner)),
    max_leaves=8,
)


@given(JSON)
def test_json_keeps_its_shape_and_loses_its_secrets(value):
    """Lists, objects and their keys are gone through; what is no text stays."""
    masked = Masker([SECRET]).mask_json({"value": value, SECRET: 1})
    assert SECRET not in json.dumps(masked)
    assert type(masked["value"]) is type(value)


@pytest.mark.parametrize(
    "hostile",
    [
        "sk-" * 100_000,
        "-----BEGIN PRIVATE KEY-----" * 10_000,
        "eyJaaaaaaaa." * 30_000,
        "a" * 300_000,
        "a://" * 80_000,
        "1" * 300_000,
        "bearer " * 40_000,
    ],
)
def test_hostile_text_takes_no_longer_than_its_length(hostile):
    """No pattern goes over the same text again and again: it ends well within the test's time."""
    begun = time.process_time()
    Masker([SECRET]).mask(hostile)
    assert time.process_time() - begun < 30  # quadratic it would be hours


PACKED = "tok-9f8e7d6c5b4a+XYZ/12=&q"


@pytest.mark.parametrize(
    "written",
    [
        base64.b64encode(f"user:{PACKED}".encode()).decode(),
        base64.b64encode(f"u:{PACKED}".encode()).decode(),
        base64.b64encode(f"us:{PACKED}".encode()).decode(),
        base64.urlsafe_b64encode(f"{PACKED}?~\xff".encode()).decode(),
        PACKED.encode().hex(),
        PACKED.encode().hex().upper(),
        quote(PACKED),
        quote(PACKED, safe="").replace("%2B", "%2b").replace("%2F", "%2f").replace("%3D", "%3d"),
        html.escape(PACKED),
        f"{PACKED[:12]}\n{PACKED[12:]}",
        f"{PACKED[:12]}\\\n  {PACKED[12:]}",
        f"     1\t{PACKED[:7]}\r\n     2\t{PACKED[7:20]}\r\n     3\t{PACKED[20:]}",
        textwrap.fill(PACKED.encode().hex(), 16),
        textwrap.fill(base64.b64encode(f"u:{PACKED}".encode()).decode(), 8),
    ],
)
def test_a_known_secret_is_masked_however_it_is_packed(written):
    """With others in base64, in hex, in HTML, escaped, and broken into lines that have numbers."""
    masked = Masker([PACKED]).mask(written)
    assert MASK in masked
    assert len(masked.replace(MASK, "")) <= max(16, len(written) - len(PACKED))
