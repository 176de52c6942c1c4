"""One normal form for every URL, before anything is compared; its sort key, its identity, its site.

Decisions:
- Parsing is the WHATWG algorithm (ada-url): trimming, dot segments, IDNA, odd IPv4 spellings, default ports. On top
  come only rules that cannot change what is addressed: no fragment, no empty query, no trailing dot of the host,
  RFC 3986 percent-encoding (section 6.2.2), known trackers and session ids by their shape.
- Nothing else: parameters keep their order, ``//`` and ``index.html`` stay, ``www.`` stays.
- ``normalise`` is idempotent and returns None for what a crawler does not ask for.
- A site is a registered domain under the public suffix list *with* its private section, so ``foo.github.io`` is a site;
  the list is the snapshot bundled with tldextract, never a download.
"""

import re
from functools import cache, lru_cache

import ada_url
import tldextract
import xxhash

MAX_URL = 2048
MAX_HOST = 253

# RFC 3986, 2.3: these are the same encoded or not, and belong unencoded.
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# Everything that may not stand in a path or a query as it is: not unreserved, sub-delims, ":@/?" or "%".
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})|%|[^A-Za-z0-9\-._~!$&'()*+,;=:@/?%]")
_PLAIN = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/?]*").fullmatch
_HREF = re.compile(r"(https?)://([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.DOTALL).fullmatch

_TRACKERS = frozenset({"gclid", "dclid", "fbclid", "msclkid", "yclid", "mc_cid", "mc_eid", "igshid", "_ga", "_gl"})
_SESSION_PATH = re.compile(r";jsessionid=[^/;?]*", re.IGNORECASE)
_SESSION_QUERY = re.compile(
    r"(?:(?:jsessionid|phpsessid|sid)=[0-9a-f]{32}|aspsessionid[a-z]{8}=[a-z]{24})", re.IGNORECASE
).fullmatch


def normalise(url: str, base: str | None = None) -> str | None:
    """The normal form of ``url`` (relative to ``base``), or None when it is not a URL this crawler asks for.

    None: not http(s), with user information, without host, a host over 253 octets, a URL over 2,048, or not parseable.
    """
    if len(url) > 4 * MAX_URL or "\0" in url:
        return None
    for _ in range(8):
        normal, settled = _once(url, base)
        if normal is None or settled:
            return normal
        # What was dropped may have left a dot segment or another kind of host behind, so it is parsed again.
        url, base = normal, None
    return None


def _once(url: str, base: str | None) -> tuple[str | None, bool]:
    try:
        href = ada_url.URL(url, base).href
    except ValueError:
        return None, True
    match = _HREF(href)
    if match is None:
        return None, True
    scheme, authority, path, query = match.groups()
    if not authority or "@" in authority:
        return None, True
    host, colon, port = authority.rpartition(":")
    if not colon or authority.endswith("]"):
        host, colon, port = authority, "", ""
    bare = host.rstrip(".")
    if not bare or len(bare) > MAX_HOST:
        return None, True
    settled = bare == host
    path = _escape(path or "/")
    if ";" in path:
        stripped = _SESSION_PATH.sub("", path)
        settled = settled and stripped == path
        path = stripped
    result = f"{scheme}://{bare}{colon}{port}{path}"
    if query:
        query = _escape(query)
        kept = [part for part in query.split("&") if not _dropped(part)]
        if any(kept) or (kept and len(kept) == query.count("&") + 1):
            result += "?" + "&".join(kept)
    return (None, True) if len(result) > MAX_URL else (result, settled)


def _dropped(parameter: str) -> bool:
    name = parameter.partition("=")[0]
    return name in _TRACKERS or name.startswith("utm_") or _SESSION_QUERY(parameter) is not None


def _escape(text: str) -> str:
    if _PLAIN(text):
        return text
    return _ESCAPE.sub(_escaped, text.encode()).decode("ascii")


def _escaped(match: re.Match[bytes]) -> bytes:
    digits = match[1]
    if digits is None:
        return b"%%%02X" % match[0][0]
    value = int(digits, 16)
    return bytes([value]) if value in _UNRESERVED else b"%" + digits.upper()


def scheme_of(url: str) -> str:
    return url[: url.index(":")]


def authority_of(url: str) -> str:
    """``host`` or ``host:port`` of a normal URL."""
    start = url.index("://") + 3
    return url[start : url.index("/", start)]


def origin_of(url: str) -> str:
    """Scheme, host and port: what one robots.txt speaks for."""
    return f"{scheme_of(url)}://{authority_of(url)}"


def host_of(url: str) -> str:
    """Host name or address of a normal URL, without port; IPv6 keeps its brackets."""
    authority = authority_of(url)
    if authority.endswith("]"):
        return authority
    return authority.rpartition(":")[0] or authority


def port_of(url: str) -> int:
    authority = authority_of(url)
    port = "" if authority.endswith("]") else authority.rpartition(":")[2] if ":" in authority else ""
    return int(port) if port else {"http": 80, "https": 443}[scheme_of(url)]


def path_of(url: str) -> str:
    """Path with query, as robots.txt rules see it."""
    return url[url.index("/", url.index("://") + 3) :]


def is_address(host: str) -> bool:
    """Whether a host of a normal URL is an address literal (the WHATWG parser leaves dotted decimal or brackets)."""
    return host.startswith("[") or host.rpartition(".")[2].isdigit()


def sort_key(url: str) -> str:
    """SURT order, ``com,example)/path?query``: the pages of a site and the sites of a domain stay together.

    http and https of one page have equal keys; ``url_id`` tells them apart.
    """
    host = host_of(url)
    reverse = host if is_address(host) else ",".join(reversed(host.split(".")))
    return f"{reverse}{authority_of(url)[len(host) :]}){path_of(url)}"


def url_id(url: str) -> bytes:
    """xxh3-128 of the normal form: 16 bytes."""
    return xxhash.xxh3_128_digest(url.encode())


@cache
def _suffixes() -> tldextract.TLDExtract:
    return tldextract.TLDExtract(
        cache_dir=None, suffix_list_urls=(), fallback_to_snapshot=True, include_psl_private_domains=True
    )


@lru_cache(maxsize=65536)
def registered_domain(host: str) -> str:
    """The site of a host: one label more than its public suffix; an address or a bare suffix is its own site."""
    if is_address(host):
        return host
    found = _suffixes()(host)
    if found.suffix:
        return found.top_domain_under_public_suffix or host
    return ".".join(host.split(".")[-2:])  # the list's default rule: an unknown last label is a suffix


def shard_of(domain: str, shards: int) -> int:
    """Which shard has all hosts of a registered domain."""
    return xxhash.xxh3_64_intdigest(domain.encode()) % shards
