"""Where a page names its encoding: the HTML Standard's prescan and its reading of an XML declaration.

Section 13.2.3.2, "prescan a byte stream to determine its encoding", with "get an attribute" (any order, any quotes, the
first of a name counts), "extracting a character encoding from a meta element" and "get an XML encoding". Two things
differ from the standard: UTF-16 declared in UTF-16 is left to detection; white space may precede an XML declaration and
its case does not matter. `prescan_kernel` does the same for many pages.
"""

import re
from collections.abc import Iterator

_TAG = re.compile(rb"<(?:(!--)|(meta)(?=[\t\n\f\r /])|(/?[a-z][^\t\n\f\r >]*)|[!/?])", re.IGNORECASE)
_NAME = re.compile(rb"[\t\n\f\r /]*([^\t\n\f\r />]?[^\t\n\f\r />=]*)[\t\n\f\r ]*(=?)[\t\n\f\r ]*")
_UNQUOTED = re.compile(rb"[^\t\n\f\r >]*")
_IN_CONTENT = re.compile(rb"charset[\t\n\f\r ]*=[\t\n\f\r ]*(?:([\"'])|([^\t\n\f\r ;]*))", re.IGNORECASE)
_XML = re.compile(rb"[\t\n\f\r ]*<\?xml([^>]*)>", re.IGNORECASE)
_ENCODING = re.compile(rb"encoding([\0-\x20]*=[\0-\x20]*([\"'])(.*?)\2)?", re.IGNORECASE | re.DOTALL)


class _UnfinishedError(Exception):
    """The bytes end inside a tag, which then declares nothing."""


def labels(page: bytes) -> Iterator[bytes]:
    """The labels that ``page`` declares, in order of belief: by meta elements, then by an XML declaration."""
    at = 0
    while tag := _TAG.search(page, at):
        comment, meta, other = tag.groups()
        try:
            if comment:
                at = _behind(page, b"-->", tag.start() + 2)  # the dashes of "<!-->" open and close it
            elif meta or other:
                attributes, at = _attributes(page, tag.end())
                if meta and (label := _label(attributes)) is not None:
                    yield label
            else:
                at = _behind(page, b">", tag.start())
        except _UnfinishedError:
            break
    if (declaration := _XML.match(page)) and (encoding := _ENCODING.search(declaration[1])) and encoding[1]:
        yield encoding[3]


def _label(attributes: dict[bytes, bytes]) -> bytes | None:
    """What a meta element with these attributes declares."""
    if b"charset" in attributes:
        return attributes[b"charset"]
    content = attributes.get(b"content", b"")
    found = _IN_CONTENT.search(content)
    if not found or attributes.get(b"http-equiv", b"").lower() != b"content-type":
        return None
    if not found[1]:
        return found[2]
    label, closing, _ = content[found.end() :].partition(found[1])
    return label if closing else None


def _attributes(page: bytes, at: int) -> tuple[dict[bytes, bytes], int]:
    """A tag's attributes from ``at`` on, and where its ``>`` is."""
    attributes: dict[bytes, bytes] = {}
    while True:
        name = _NAME.match(page, at)
        assert name
        at = name.end()
        if at == len(page):
            raise _UnfinishedError
        if not name[1]:
            return attributes, at
        value = b""
        if name[2]:
            quote = page[at : at + 1]
            if quote in (b'"', b"'"):
                close = _behind(page, quote, at + 1)
                value, at = page[at + 1 : close - 1], close
            else:
                unquoted = _UNQUOTED.match(page, at)
                assert unquoted
                value, at = unquoted[0], unquoted.end()
        attributes.setdefault(name[1].lower(), value)


def _behind(page: bytes, sought: bytes, at: int) -> int:
    found = page.find(sought, at)
    if found < 0:
        raise _UnfinishedError
    return found + len(sought)
