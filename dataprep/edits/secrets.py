"""Keys, tokens and passwords: known by their beginnings, or by what they are assigned to.

Forms are those that the issuers document and that gitleaks 8 (config/gitleaks.toml) and detect-secrets 1.5 look for. A
kernel finds the places where one may begin; a regular expression of bounded length decides there.

A value that is assigned to a password or key (``password = "…"``) has no form, so it must look random: the entropy of
its characters and, so that words and names stay, a digit and a letter. Without quotes it must be longer, have letters
of both cases and stand alone. What documentation writes in place of a secret (``your-password``, ``xxxx``) stays.
"""

import math
import re
from collections import Counter
from functools import cache

import numpy as np

from dataprep.compiled import njit
from dataprep.edits.base import NO_SPANS, Spans, append, document_of
from dataprep.text.utf8 import Bytes, Longs, Utf8

NAME_REACH = 24  # bytes that are read before "=" or ":"
SIGNS = b"=:"
HYPHEN = 0x2D
ANCHORS = b"_-/.AGJSB"  # every token's beginning has one, and prose has few

# how a token begins, what follows; nothing that could belong to it may come after
TOKENS = {
    b"AKIA": rb"[A-Z2-7]{16}",  # AWS access key ids
    b"ASIA": rb"[A-Z2-7]{16}",
    b"ABIA": rb"[A-Z2-7]{16}",
    b"ACCA": rb"[A-Z2-7]{16}",
    b"ghp_": rb"[0-9A-Za-z]{36,251}",  # GitHub
    b"gho_": rb"[0-9A-Za-z]{36,251}",
    b"ghu_": rb"[0-9A-Za-z]{36,251}",
    b"ghs_": rb"[0-9A-Za-z]{36,251}",
    b"ghr_": rb"[0-9A-Za-z]{36,251}",
    b"github_pat_": rb"[0-9A-Za-z_]{82}",
    b"glpat-": rb"[0-9A-Za-z_-]{20,64}",  # GitLab
    b"gldt-": rb"[0-9A-Za-z_-]{20,64}",
    b"glrt-": rb"[0-9A-Za-z_-]{20,64}",
    b"glptt-": rb"[0-9a-f]{40}",
    b"xoxb-": rb"[0-9]{8,14}-[0-9A-Za-z-]{10,200}",  # Slack
    b"xoxp-": rb"[0-9]{8,14}-[0-9A-Za-z-]{10,200}",
    b"xoxa-": rb"[0-9]{8,14}-[0-9A-Za-z-]{10,200}",
    b"xoxs-": rb"[0-9]{8,14}-[0-9A-Za-z-]{10,200}",
    b"xapp-": rb"[0-9]-[A-Z0-9]{8,14}-[0-9]{8,14}-[0-9A-Za-z]{32,128}",
    b"https://hooks.slack.com/": rb"(?:services|workflows|triggers)/[A-Za-z0-9+/]{43,56}",
    b"sk_live_": rb"[0-9A-Za-z]{10,99}",  # Stripe
    b"sk_test_": rb"[0-9A-Za-z]{10,99}",
    b"rk_live_": rb"[0-9A-Za-z]{10,99}",
    b"rk_test_": rb"[0-9A-Za-z]{10,99}",
    b"AIza": rb"[0-9A-Za-z_-]{35}",  # Google API keys and OAuth tokens
    b"ya29.": rb"[0-9A-Za-z_-]{20,1000}",
    b"GOCSPX-": rb"[0-9A-Za-z_-]{28}",
    b"sk-": rb"(?:(?:proj|svcacct|admin)-)?[0-9A-Za-z_-]{20,90}T3BlbkFJ[0-9A-Za-z_-]{20,90}",  # OpenAI
    b"sk-ant-": rb"(?:api|admin)[0-9]{2}-[0-9A-Za-z_-]{80,120}",  # Anthropic
    b"hf_": rb"[A-Za-z]{34}",  # Hugging Face
    b"npm_": rb"[0-9A-Za-z]{36}",
    b"pypi-AgEIcHlwaS5vcmc": rb"[0-9A-Za-z_-]{50,1000}",
    b"SG.": rb"[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43}",  # SendGrid
    b"eyJ": rb"[0-9A-Za-z_-]{14,4000}\.eyJ[0-9A-Za-z_-]{14,8000}\.[0-9A-Za-z_-]{10,2000}",  # JSON web tokens, RFC 7519
    b"-----BEGIN ": rb"(?:[A-Z0-9]{1,10} ){0,3}PRIVATE KEY(?: BLOCK)?-----"  # RFC 7468 and OpenPGP
    rb"(?:[^-]|-(?!----)){64,16384}-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----",
}
_TOKEN = re.compile(
    b"(?:" + b"|".join(re.escape(head) + b"(?:" + tail + b")" for head, tail in TOKENS.items()) + rb")(?![0-9A-Za-z_])"
)

# names end in one of these, and the kernel looks at their last three letters
_NAME = re.compile(
    rb"(?:password|passwd|passphrase|pwd|secret|token|(?:api|access|secret|private|auth|account)[ _.-]?key)"
    rb"""["'`]?[ \t]{0,3}\Z""",
    re.IGNORECASE,
)
NAME_ENDS = np.frombuffer(b"ordswdasepwdretkenkey", np.uint8)
_VALUE = re.compile(
    rb"""(?::=|=>|=|:)[ \t]{0,3}"""
    rb"""(?:(["'`])(?P<quoted>[!-~]{8,128}?)\1|(?P<plain>[0-9A-Za-z+/_-]{20,128}={0,2})(?=[\s;,&"'<]|\Z))"""
)
ENTROPY = 3.0  # bits a character; gitleaks has 3.5 for values of 10 characters or more, "password" has 2.75
PLAIN_ENTROPY = 4.0
_PLACEHOLDER = re.compile(
    rb"example|sample|your|changeme|change_me|placeholder|dummy|(.)\1{3}|\*\*\*|\.\.\.|1234567|abcdef|"
    rb"[$%#]?\{|<|>|\(|\)|://|password|passwd|secret",
    re.IGNORECASE,
)


def find_secrets(text: Utf8) -> Spans:
    """All keys, tokens and passwords of all documents, in order and disjoint."""
    values = text.values.data
    places = _places(text.values, text.offsets, *_heads(), NAME_ENDS)
    firsts = text.offsets[document_of(text.offsets, places)].tolist()
    found = []
    for first, (start, end) in zip(firsts, places.tolist(), strict=True):
        if text.values[start] not in SIGNS:
            token = _TOKEN.match(values, start, end)
            if token:
                found.append(token.span())
        elif _NAME.search(values, max(first, start - NAME_REACH), start):
            value = _VALUE.match(values, start, end)
            group = "quoted" if value and value["quoted"] else "plain"
            if value and _is_random(bytes(value[group]), group == "quoted"):
                found.append(value.span(group))
    return _disjoint(found)


def _is_random(value: bytes, quoted: bool) -> bool:
    if entropy(value) < (ENTROPY if quoted else PLAIN_ENTROPY) or _PLACEHOLDER.search(value):
        return False
    return bool(
        re.search(rb"[0-9]", value)
        and re.search(rb"[A-Za-z]", value)
        and (quoted or (re.search(rb"[a-z]", value) and re.search(rb"[A-Z]", value)))
    )


def entropy(value: bytes) -> float:
    """Shannon's entropy of the bytes of ``value``, in bits a byte."""
    return -sum(n / len(value) * math.log2(n / len(value)) for n in Counter(value).values())


def _disjoint(spans: list[tuple[int, int]]) -> Spans:
    """``spans`` in order, of overlapping ones the first, of those that begin together the longest."""
    kept: list[tuple[int, int]] = []
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if not kept or start >= kept[-1][1]:
            kept.append((start, end))
    return np.array(kept, np.int64) if kept else NO_SPANS


@cache
def _heads() -> tuple[Bytes, Longs, Longs, Longs]:
    """The tokens' beginnings by the byte that is looked for: as one array, its offsets, where that byte is in each.

    Last, for each byte b the beginnings with it: ``range(first[b], first[b + 1])``.
    """
    anchored = [(next(i for i, byte in enumerate(head) if byte in ANCHORS), head) for head in TOKENS]
    anchored.sort(key=lambda item: item[1][item[0]])
    sought = [head[anchor] for anchor, head in anchored]
    return (
        np.frombuffer(b"".join(head for _, head in anchored), np.uint8),
        np.cumsum([0, *(len(head) for _, head in anchored)]),
        np.array([anchor for anchor, _ in anchored]),
        np.searchsorted(sought, np.arange(257)),
    )


@njit(nogil=True, cache=True)
def _places(
    values: Bytes, offsets: Longs, heads: Bytes, head_offsets: Longs, anchors: Longs, by_byte: Longs, name_ends: Bytes
) -> Spans:
    """To the document's end, from where a token may begin or ``=`` or ``:`` follows a name's last letters.

    A token begins after no letter, digit, ``_`` or ``-``; a private key anywhere.
    """
    spans = np.empty((64, 2), np.int64)
    count = 0
    sought = by_byte[1:] > by_byte[:-1]
    sought[0x3D] = sought[0x3A] = True
    for d in range(len(offsets) - 1):
        first, end = offsets[d], offsets[d + 1]
        for i in range(first, end):
            byte = values[i]
            if not sought[byte]:
                continue
            for h in range(by_byte[byte], by_byte[byte + 1]):
                start = i - anchors[h]
                if start >= first and _is_at(values, start, end, heads, head_offsets[h], head_offsets[h + 1]):
                    if start == first or values[start] == HYPHEN or not _in_name(values[start - 1]):
                        spans, count = append(spans, count, start, end)
                    break
            if (byte == 0x3D or byte == 0x3A) and _after_name(values, first, i, name_ends):
                spans, count = append(spans, count, i, end)
    return spans[:count]


@njit(nogil=True, cache=True, inline="always")
def _is_at(values: Bytes, start: int, end: int, heads: Bytes, head: int, head_end: int) -> bool:
    if start + head_end - head > end:
        return False
    for k in range(head_end - head):  # noqa: SIM110
        if values[start + k] != heads[head + k]:
            return False
    return True


@njit(nogil=True, cache=True, inline="always")
def _in_name(byte: int) -> bool:
    letter = 0x61 <= (byte | 0x20) <= 0x7A or byte >= 0x80
    return letter or 0x30 <= byte <= 0x39 or byte == 0x5F or byte == 0x2D


@njit(nogil=True, cache=True)
def _after_name(values: Bytes, first: int, sign: int, name_ends: Bytes) -> bool:
    """Whether spaces and a quote aside the three letters before ``sign`` are those with which some name ends."""
    stop = sign
    while stop > first and stop > sign - 3 and (values[stop - 1] == 0x20 or values[stop - 1] == 0x09):
        stop -= 1
    if stop > first and (values[stop - 1] == 0x22 or values[stop - 1] == 0x27 or values[stop - 1] == 0x60):
        stop -= 1
    if stop < first + 3:
        return False
    for k in range(0, len(name_ends), 3):
        if (
            values[stop - 1] | 0x20 == name_ends[k + 2]
            and values[stop - 2] | 0x20 == name_ends[k + 1]
            and values[stop - 3] | 0x20 == name_ends[k]
        ):
            return True
    return False
