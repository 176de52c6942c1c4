"""Masking personal data: e-mail addresses, IP addresses, telephone numbers, and secrets (keys, tokens, passwords).

==============  ========================================================================  ==========================
column          counts what was masked                                                    found by
==============  ========================================================================  ==========================
pii.emails      e-mail addresses, as datatrove 0.10                                       `dataprep.edits.addresses`
pii.ips         IPv4 addresses as datatrove 0.10 and IPv6 addresses, if globally routable  `dataprep.edits.addresses`
pii.phones      telephone numbers                                                         `dataprep.edits.phones`
pii.secrets     keys, tokens, passwords                                                   `dataprep.edits.secrets`
==============  ========================================================================  ==========================

Decisions:
- What stands in the place of a match depends on the document's id and the match, never on what came before: the same
  address in a document becomes the same placeholder, in whatever order and batch documents come. (datatrove takes its
  replacements in turn.)
- Placeholders are of the blocks reserved for examples: example.com, .org, .net (RFC 2606), 192.0.2.0/24,
  198.51.100.0/24, 203.0.113.0/24 (RFC 5737), 2001:db8::/32 (RFC 3849), 555-0100 to 555-0199 in North America. A secret
  becomes one fixed word: a hash of a password would let one try passwords.
- Where matches of two kinds overlap, the earlier in the order secrets, e-mail, IP, telephone is masked.
"""

import ipaddress
import platform
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import xxhash
from pydantic import Field, field_validator

from dataprep.edits.addresses import ASCII, find_emails, find_ipv4, find_ipv6, is_numbering
from dataprep.edits.base import NO_SPANS, Spans, count_by_document, document_of, replace_spans
from dataprep.edits.phones import find_phones
from dataprep.edits.secrets import find_secrets
from dataprep.steps import Step, with_columns
from dataprep.text.classes import classes
from dataprep.text.utf8 import Longs, Utf8
from dataprep.text.view import text_of

Kind = Literal["emails", "ips", "phones", "secrets"]

ORDER: tuple[Kind, ...] = ("secrets", "emails", "ips", "phones")
TAGS: dict[Kind, str] = {"emails": "<EMAIL>", "ips": "<IP_ADDRESS>", "phones": "<PHONE>", "secrets": "<SECRET>"}
EXAMPLE_DOMAINS = ("example.com", "example.org", "example.net")
EXAMPLE_NETWORKS = ("192.0.2", "198.51.100", "203.0.113")
EXAMPLE_AREAS = ("202", "212", "303", "312", "404", "415", "503", "617", "713", "808")


class Pii(Step):
    """Masks the kinds in ``mask``: by a ``placeholder`` of the same kind or by a ``tag`` as ``<EMAIL>``.

    Changes ``text`` and adds ``pii.KIND`` for each kind: how many were masked in the document. ``spare_numbering``
    leaves IPv4 addresses that look like the number of a section or version (`addresses.is_numbering`).
    """

    name: ClassVar[str] = "pii"
    edits: ClassVar[bool] = True
    mask: Annotated[tuple[Kind, ...], Field(min_length=1)] = ("emails", "ips", "phones", "secrets")
    replacement: Literal["placeholder", "tag"] = "placeholder"
    spare_numbering: bool = False

    @field_validator("mask")
    @classmethod
    def _once(cls, mask: tuple[Kind, ...]) -> tuple[Kind, ...]:
        if len(set(mask)) < len(mask):
            raise ValueError("a kind is given more than once")
        return mask

    @property
    def columns(self) -> pa.Schema:
        return pa.schema([(f"pii.{kind}", pa.int32()) for kind in self.mask])

    def depends_on(self) -> dict[str, Any]:
        # which networks are global changes with Python's releases
        return {"python": platform.python_version()}

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        text = text_of(batch).utf8
        spans, kinds, counts = NO_SPANS, np.empty(0, np.int64), {}
        for kind in ORDER:
            if kind in self.mask:
                found = _free(self._find(kind, text), spans)
                counts[f"pii.{kind}"] = count_by_document(text.offsets, found)
                spans = np.concatenate((spans, found))
                kinds = np.concatenate((kinds, np.full(len(found), ORDER.index(kind))))
                order = np.argsort(spans[:, 0])
                spans, kinds = spans[order], kinds[order]
        edited = replace_spans(batch, spans, self._replacements(batch, text, spans, kinds)) if len(spans) else batch
        return with_columns(edited, self.columns, counts)

    def _find(self, kind: Kind, text: Utf8) -> Spans:
        if kind == "secrets":
            return find_secrets(text)
        if kind == "emails":
            return find_emails(text.values, text.offsets, ASCII, classes())
        if kind == "phones":
            return find_phones(text)
        ipv4, ipv6 = (find(text.values, text.offsets, ASCII) for find in (find_ipv4, find_ipv6))
        if self.spare_numbering:
            ipv4 = ipv4[~is_numbering(text.values, text.offsets, ipv4, ASCII)]
        spans = np.concatenate((ipv4, _free(ipv6, ipv4)))
        routed = [_is_global(text.values[start:end].tobytes().decode()) for start, end in spans.tolist()]
        return spans[np.array(routed, bool)]

    def _replacements(self, batch: pa.RecordBatch, text: Utf8, spans: Spans, kinds: Longs) -> pa.Array:
        ids = batch.column("id").take(pa.array(document_of(text.offsets, spans))).to_pylist()
        new = []
        for document, (start, end), number in zip(ids, spans.tolist(), kinds.tolist(), strict=True):
            if self.replacement == "tag":
                new.append(TAGS[ORDER[number]])
            else:
                new.append(placeholder(ORDER[number], document, text.values[start:end].tobytes()))
        return pa.array(new, pa.large_string())


def placeholder(kind: Kind, document: bytes, match: bytes) -> str:
    """What stands for ``match`` in the document with this id."""
    number = xxhash.xxh3_64_intdigest(document + match)  # ids are all of one length
    if kind == "emails":
        return f"user{number // 3 % 1000}@{EXAMPLE_DOMAINS[number % 3]}"
    if kind == "ips" and b":" in match:
        return f"2001:db8::{number % 0xFFFF + 1:x}"
    if kind == "ips":
        return f"{EXAMPLE_NETWORKS[number % 3]}.{number // 3 % 254 + 1}"
    if kind == "phones":
        country = "+1 " if match.startswith(b"+") else ""
        return f"{country}{EXAMPLE_AREAS[number % 10]}-555-01{number // 10 % 100:02}"
    return TAGS[kind]


def _is_global(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def _free(spans: Spans, taken: Spans) -> Spans:
    """Those of ``spans`` that overlap none of ``taken``, which are in order and disjoint."""
    after = np.searchsorted(taken[:, 1], spans[:, 0], side="right")
    begins = np.append(taken[:, 0], np.iinfo(np.int64).max)
    return spans[begins[after] >= spans[:, 1]]
