"""Which addresses a crawler may connect to: the public internet, and what the recipe lists as its own.

``ipaddress.is_global`` alone lets through multicast, NAT64, 6to4, IPv4-compatible and site-local addresses, each of
which can reach a private network; so embedded IPv4 addresses are unwrapped first, and the rest must be global unicast.
"""

import ipaddress
from ipaddress import IPv4Address, IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_RELAY_6TO4 = ipaddress.IPv4Network("192.88.99.0/24")


class AddressRefusedError(OSError):
    """The address is not one this crawl may connect to. A refusal is an answer, never tried again."""


def refusal(address: str) -> str | None:
    """Why a crawler may not connect to ``address`` (a literal, no brackets), or None when it is public."""
    ip: IPv4Address | IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        if ip.is_loopback or ip.is_unspecified:
            return f"{address} is not a public address"
        if ip in _NAT64_LOCAL:
            return f"{address} is a local NAT64 address"
        ip = embedded_ipv4(ip) or ip
    if isinstance(ip, IPv6Address) and ip.is_site_local:
        return f"{address} is a site-local address"
    if ip.is_multicast or ip.is_reserved or ip.is_link_local or not ip.is_global:
        return f"{address} is not a public address"
    if isinstance(ip, IPv4Address) and ip in _RELAY_6TO4:
        return f"{address} is a 6to4 relay"
    return None


def embedded_ipv4(ip: IPv6Address) -> IPv4Address | None:
    """The IPv4 address inside a mapped, 6to4, NAT64 or compatible IPv6 address."""
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if ip.sixtofour is not None:
        return ip.sixtofour
    if ip in _NAT64 or ip in _COMPATIBLE:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return None


def is_loopback_host(host: str) -> bool:
    """``localhost``, or a loopback literal (IPv6 with or without brackets)."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
