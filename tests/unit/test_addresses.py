from ipaddress import IPv4Address, IPv6Address

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.base.tool import ToolError
from tools.web.addresses import AddressPolicy, own_addresses, parse_url, shut_because

SHUT = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1",
    "127.255.255.255", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8",
    "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1",
    "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1",
    "2002:7f00:1::", "3fff::1", "5f00::1", "fc00::1", "fd12:3456::1", "fe80::1",
    "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1",
    "168.63.129.16", "::ffff:168.63.129.16", "64:ff9b::a83f:8110", "2002:a83f:8110::1",
    "100.100.100.200", "192.0.0.192", "169.254.170.2", "fd00:ec2::254", "fd20:ce::254",
    "2a00:1450::a9fe:a9fe", "2a00:1450::a83f:8110", "2a00:1450::5efe:10.0.0.1",
    "2a00:1450::200:5efe:7f00:1",
]  # fmt: skip
OPEN = ["8.8.8.8", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"]


class Says:
    """A resolver that answers what it is told, one list after another; the last one for ever."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    async def addresses(self, host):
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.mark.parametrize("address", SHUT)
def test_what_is_not_public_is_shut(address):
    """Private, loopback, link-local, carrier, reserved, multicast, IPv4 inside IPv6, NAT64."""
    assert shut_because(address) is not None


@pytest.mark.parametrize("address", OPEN)
def test_what_is_public_is_open(address):
    """Addresses of the public internet may be read from."""
    assert shut_because(address) is None


@given(st.ip_addresses())
def test_nothing_python_calls_local_is_open(address):
    """Whatever the standard library knows as not global is shut here too."""
    if shut_because(str(address)) is None:
        local = ("private", "loopback", "link_local", "multicast", "reserved", "unspecified")
        assert [name for name in local if getattr(address, f"is_{name}")] == []
        assert address.is_global


@given(st.ip_addresses(v=4))
def test_no_way_to_write_ipv4_as_ipv6_opens_it(address):
    """Mapped, compatible, 6to4, Teredo and NAT64 forms of any address are shut."""
    number = int(address)
    for high, shift in ((0xFFFF << 32, 0), (0, 0), (0x2002 << 112, 80), (0x20010000 << 96, 0)):
        assert shut_because(str(IPv6Address(high | number << shift))) is not None
    nat64 = IPv6Address((0x0064_FF9B << 96) | number)
    assert shut_because(str(nat64)) is not None


@given(st.integers(0, 2**32 - 1))
async def test_numbers_in_disguise_are_no_hosts(number):
    """Decimal, octal and hexadecimal spellings are refused before anybody resolves them."""
    nobody = Says(["8.8.8.8"])
    last = number & 0xFF
    rest = str(IPv4Address(number)).rsplit(".", 1)[0]
    for host in (str(number), hex(number), f"0{number:o}", f"{rest}.0x{last:x}", f"127.{last}"):
        with pytest.raises(ToolError):
            await AddressPolicy(resolver=nobody).addresses(parse_url(f"http://{host}/"))
    assert nobody.asked == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://example.org/", "http and https"),
        ("file:///etc/passwd", "http and https"),
        ("javascript:alert(1)", "http and https"),
        ("example.org/page", "http and https"),
        ("http://me:secret@example.org/", "password"),
        ("http://example.org:22/", "Port 22"),
        ("https://example.org:8443/", "Port 8443"),
        ("http://", "host name"),
        ("http://exa mple.org/", "host name"),
        ("http://%31%32%37.0.0.1/", "host name"),
        ("http://[fe80::1%25eth0]/", "host name"),
        ("http://example.org\\@127.0.0.1/", "password"),
        ("http://a..b/", "host name"),
        ("http://exam\nple.org/", "no URL"),
        ("http://[::1/", "no URL"),
        ("http://0177.0.0.1/", "no URL"),
        ("https://example.org/" + "x" * 5000, "longer than"),
    ],
)
async def test_a_url_in_no_order_is_refused(url, said):
    """Other schemes and ports, credentials and hosts that are none, each with a sentence."""
    with pytest.raises(ToolError, match=said):
        await AddressPolicy(resolver=Says(["8.8.8.8"])).addresses(parse_url(url))


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "169.254.169.254", "[::ffff:10.0.0.1]"])
async def test_a_shut_literal_is_refused_without_a_resolver(host):
    """An address in the URL is checked as it stands."""
    nobody = Says(["8.8.8.8"])
    with pytest.raises(ToolError, match="only public"):
        await AddressPolicy(resolver=nobody).addresses(parse_url(f"http://{host}/latest/"))
    assert nobody.asked == []


async def test_one_shut_address_among_many_shuts_the_name():
    """A name that resolves to a public and a private address is not read from."""
    with pytest.raises(ToolError, match=r"10\.0\.0\.5, which 'both.test' resolves to"):
        await AddressPolicy(resolver=Says(["8.8.8.8", "10.0.0.5"])).addresses(
            httpx.URL("http://both.test/")
        )


async def test_a_name_that_does_not_exist_says_so():
    """No address, an empty answer and a resolver's odd answer are sentences."""

    class Nobody:
        async def addresses(self, host):
            raise OSError

    for resolver, said in (
        (Nobody(), "resolved"),
        (Says([]), "no address"),
        (Says(["x"]), "nothing"),
    ):
        with pytest.raises(ToolError, match=said):
            await AddressPolicy(resolver=resolver).addresses(httpx.URL("http://gone.test/"))


async def test_public_addresses_come_back_in_order():
    """The first four of them; a trailing dot and capitals are the same name."""
    says = Says(["2606:4700::1", "1.1.1.1", "1.0.0.1", "8.8.8.8", "8.8.4.4"])
    found = await AddressPolicy(resolver=says).addresses(httpx.URL("https://Example.ORG./"))
    assert found == ("2606:4700::1", "1.1.1.1", "1.0.0.1", "8.8.8.8")
    assert says.asked == ["example.org"]


async def test_the_machines_own_resolver_knows_loopback():
    """The real resolver finds localhost, and the policy refuses it."""
    with pytest.raises(ToolError, match="only public"):
        await AddressPolicy().addresses(httpx.URL("http://localhost/"))


@pytest.mark.parametrize(
    "host",
    [
        "metadata.google.internal", "metadata.google.internal.", "LOCALHOST", "a.localhost",
        "nas.local", "router.lan", "x.home.arpa",
    ],
)  # fmt: skip
async def test_names_of_private_networks_are_no_pages(host):
    """Whatever somebody's resolver says of them."""
    nobody = Says(["8.8.8.8"])
    with pytest.raises(ToolError, match="private network"):
        await AddressPolicy(resolver=nobody).addresses(parse_url(f"http://{host}/"))
    assert nobody.asked == []


def test_this_machine_and_its_neighbours_are_shut_by_public_addresses_too(monkeypatch):
    """What is behind one router shares the first half of an IPv6 address."""
    own = [IPv4Address("8.8.4.4"), IPv6Address("2a02:1:2:3::5")]
    monkeypatch.setattr("tools.web.addresses.own_addresses", lambda: own)
    for near in ("8.8.4.4", "2a02:1:2:3::5", "2a02:1:2:3:ffff::1"):
        assert "neighbours" in (shut_because(near) or "")
    for far in ("8.8.4.5", "2a02:1:2:4::5"):
        assert shut_because(far) is None
    monkeypatch.undo()
    assert all(address.version in {4, 6} for address in own_addresses())
