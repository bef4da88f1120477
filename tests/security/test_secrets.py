"""Secrets: known by their form and by where they stand, and quoted as little else as can be."""

import json
import time
from contextlib import suppress
from pathlib import Path

import pytest

from noctule.core.base.masking import MASK, Masker, without_secrets
from tests.support.mcp_stage import a_hub, a_program, tool_called

S = "h7Jq-92kdLw0Zx4m"
"""Of no known form: only its place gives it away."""

PLACES = [
    f"DB_PASSWORD={S}",
    f"export MYAPP_API_KEY='{S}'",
    f"MYSQL_PASS={S}",
    f"STRIPE_KEY={S}",
    f"SECRET_KEY_BASE={S}",
    f"password: {S}",
    f"db:\n  password: {S}\n  user: a",
    f'  password: "{S}"',
    f"client_secret = {S}",
    f'{{"apiKey": "{S}"}}',
    json.dumps({"body": json.dumps({"access_token": S})}),
    json.dumps({"auths": {"ghcr.io": {"registry_token": S}}}),
    f"{{'password': '{S}'}}",
    f'password: str = "{S}"',
    f'config["token"] = "{S}"',
    f"os.environ['API_TOKEN'] = '{S}'",
    f'password => "{S}",',
    f'token := "{S}"',
    f"Server=tcp:db;User ID=sa;Password={S};Encrypt=true",
    f"DefaultEndpointsProtocol=https;AccountName=x;AccountKey={S}==;EndpointSuffix=y",
    f"Endpoint=sb://x/;SharedAccessKeyName=Root;SharedAccessKey={S}=",
    f"host=localhost password={S} dbname=x",
    f"postgresql://noctule:{S}@db.example/noctule",
    f"redis://:{S}@cache:6379/0",
    "amqp://u:p@ss" + S + "@mq/vhost",
    f"https://{S}@github.com/a/b.git",
    f"https://u:{S}@github.com/a/b.git",
    f"curl -u admin:{S} https://x",
    f"curl -H 'X-Api-Key: {S}' https://x",
    f"curl -H 'Authorization: Bearer {S}' https://x",
    f"Authorization: Basic {S}",
    f"Authorization: token {S}",
    f"Proxy-Authorization: {S}",
    f"Cookie: session={S}; other=1",
    f"Set-Cookie: sid={S}; HttpOnly",
    f"psql --password {S} -h x",
    f"tool --password={S}",
    f"tool --api-key {S}",
    f"tool --client-secret '{S}'",
    f"sshpass -p {S} ssh x",
    f"mysql -u root -p{S} db",
    f"redis-cli -h x -a {S} ping",
    f"//registry.npmjs.org/:_authToken={S}",
    f"https://x.blob.core.windows.net/a?sv=1&sig={S}&se=2",
    f"https://maps.example/api?key={S}",
    f"wss://x/?access_token={S}",
    f"<password>{S}</password>",
    f"my password is {S}",
    f"Das Passwort lautet {S}.",
    f"the API key is: {S}",
    "password: 12345678",
]

FORMS = [
    "gsk_" + "a1B2" * 13,
    "xai-" + "a1B2" * 20,
    "0123456789abcdef0123456789abcdef.AbCdEfGhIjKlMnOp",
    "nvapi-" + "a1B2" * 16,
    "glpat-0123456789abcdefghij",
    "ghs_0123456789abcdefghijABCDEFGHIJ012345",
    "ASIAIOSFODNN7EXAMPLE",
    "npm_" + "a1B2" * 9,
    "pypi-AgEIcHlwaS5vcmc" + "a1B2" * 12,
    "SG.abcdefghijklmnopqrstuv.abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
    "dop_v1_" + "a1b2" * 16,
    "shpat_" + "a1b2" * 8,
    "hvs." + "a1B2" * 8,
    "AGE-SECRET-KEY-1" + "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7LQPZRY9X8GF2TVDW0S3JN54KHCE",
    "abc8Q~" + "a1B2" * 8,
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKCAQEA\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQOYBF\n-----END PGP PRIVATE KEY BLOCK-----",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
]

PLAIN = [
    "def login(user, password=given_password):",
    "connect(password=password1)",
    "password: str, token: Optional[str] = None",
    "token: uint64, secret: base64",
    'token = request.headers["X-Token"]',
    "secret = os.environ['SECRET_1']",
    "self.api_key = settings.v2.api_key",
    "if token == other2: pass",
    "max_tokens: 100000, input_tokens=4096, token: 1234567",
    'eos_token="<|end_2|>", pad_token="[PAD1]"',
    "next_page_token: abc123def456",
    "private_key: ~/.ssh/id_ed25519",
    "ssl_key=/etc/ssl/private/server1.key",
    "PWD=/home/somebody1/project2",
    "PASSWORD=$OTHER1 TOKEN=${T2}",
    "api_key: your-api-key-1, token: <token-1>, secret: xxxx1234, password: ********",
    "password: {{ vault_password1 }}",
    "WHERE password = :password1 AND token = %(token1)s",
    "Use --password to set one, --token-file f1 to read it.",
    "The password must be at least 8 characters.",
    "The token is 12 characters, the key is under the mat2.",
    "Each token costs $0.002; the secret is patience.",
    "Authorization: Optional, cookie: yes please",
    "primary key: id_1, foreign_key=users_2",
    "9fceb02d0ae598e95dc970b74767f19372d61af8",
    "019b76da-a801-7000-aee0-6d33b6e791dd",
    "https://example.com:8080/a:b@c?page=2&q=token",
    "git@github.com:owner/repo.git",
    "color token: #ddd0c0",
]


@pytest.mark.parametrize("text", PLACES)
def test_a_secret_is_known_by_where_it_stands(text: str):
    """Whatever language, format or command line writes it; masking again changes nothing."""
    masked = Masker().mask(text)
    assert S not in masked, masked
    assert "12345678" not in masked
    assert masked.count(MASK) == 1
    assert Masker().mask(masked) == masked


@pytest.mark.parametrize("key", FORMS)
def test_keys_of_providers_are_known_by_their_form(key: str):
    """Wherever they stand."""
    for text in (key, f"x={key}", f'"{key}"', f"Take {key}, please."):
        assert MASK in Masker().mask(text)
        assert key not in Masker().mask(text)


@pytest.mark.parametrize("text", PLAIN)
def test_what_only_speaks_of_secrets_stays(text: str):
    """Program text, types, counts, paths, variables, placeholders and prose."""
    assert Masker().mask(text) == text


@pytest.mark.parametrize(
    "hostile",
    [
        "password" * 125_000,
        "password=" * 110_000,
        "token: " * 140_000,
        "curl " * 200_000,
        "mysql -" * 140_000,
        "https://a:" * 100_000,
        "https://" + "a:" * 500_000,
        "Cookie: a=" * 100_000,
        "Authorization: basic " * 50_000,
        "?key=" * 200_000,
        "<password>" * 100_000,
        "api-" * 250_000,
        "password is " * 80_000,
        "a" * 1_000_000,
        "_KEY=" + "a1" * 500_000,
        "password=" + "a1." * 300_000,
        "password='" + "\\" * 1_000_000,
    ],
)
def test_anything_is_masked_in_time_linear_in_its_length(hostile: str):
    """Four times as much takes about four times as long: counted on the processor, with room."""
    hostile = hostile[:240_000]

    def spent(text: str) -> float:
        begun = time.process_time()
        Masker().mask(text)
        return time.process_time() - begun

    small = max(spent(hostile[: len(hostile) // 4]), 0.02)
    assert spent(hostile) < 12 * small + 1.0  # quadratic it would be 16 times, and minutes


def command_lines() -> str:
    """Return the command lines of every process, as anybody on the machine sees them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return "\n".join(found)


@pytest.mark.process
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
@pytest.mark.parametrize("words", [("--token", S), ("--api-key=gsk_" + "a1B2" * 8,)])
async def test_an_mcp_server_whose_command_would_show_a_secret_is_not_started(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
):
    """Another one beside it is; given by its environment, or where it is allowed, it starts."""
    monkeypatch.setenv("TICKETS_TOKEN", S)
    async with a_hub(bad=a_program("stdio", *words), near=a_program("stdio")) as hub:
        (problem,) = hub.problems(["bad", "near"])
        assert "every user of this machine" in problem
        assert "env" in problem
        assert S not in problem
        assert tool_called(hub, "near_add")
        assert words[-1] not in command_lines()
    given = a_program("stdio", env={"TICKETS_TOKEN": S})
    shown = a_program("stdio", *words, arguments_may_show_secrets=True)
    async with a_hub(given=given, shown=shown) as hub:
        (problem,) = hub.problems(["given", "shown"])
        assert "takes 0 positional arguments" in problem  # so it was started with them
        assert tool_called(hub, "given_add")


def test_programs_that_need_no_key_get_none():
    """A server of weights, or what keeps the machine awake, has the environment without keys."""
    environ = {"PATH": "/usr/bin", "HOME": "/home/a", "OPENAI_API_KEY": S, "DB_PASSWORD": S}
    assert without_secrets(environ) == {"PATH": "/usr/bin", "HOME": "/home/a"}
