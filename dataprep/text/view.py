"""One batch's text and everything computed from it, each computed once, when first asked for.

``text_of(batch)`` is what a signal calls. Several signals run over one batch one after the other, as separate steps;
each thread remembers the view of the last text column it saw, so they share words and lines without knowing each other.
"""

import threading
from collections.abc import Callable
from functools import cached_property
from importlib.metadata import version
from typing import Literal

import numpy as np
import pyarrow as pa

from dataprep.text import chunks, spans, utf8, whitespace, words
from dataprep.text.spans import Spans
from dataprep.text.utf8 import Longs, Utf8
from dataprep.text.words import Words

WordsName = Literal["unicode", "spacy-en", "white-space"]
WORDS: dict[WordsName, Callable[[Utf8], Words]] = {
    "unicode": words.segment,
    "spacy-en": chunks.segment_spacy,
    "white-space": whitespace.chunks,
}


def libraries_of(definition: WordsName) -> dict[str, str]:
    """The libraries, with their versions, that decide what a word is by ``definition``."""
    return {"spacy": version("spacy")} if definition == "spacy-en" else {}


class Text:
    """The text column of one batch. Attributes are arrays over documents, words or spans."""

    def __init__(self, column: pa.Array) -> None:
        self.column = column  # owns the buffers the arrays look into
        self.utf8 = Utf8.of(column)
        self._words: dict[WordsName, Words] = {}

    @property
    def documents(self) -> int:
        return self.utf8.documents

    @cached_property
    def code_points(self) -> Longs:
        return utf8.code_points(self.utf8.values, self.utf8.offsets)

    def words(self, definition: WordsName = "unicode") -> Words:
        """The words by one of the definitions in ``WORDS``."""
        if definition not in self._words:
            self._words[definition] = WORDS[definition](self.utf8)
        return self._words[definition]

    @cached_property
    def python_lines(self) -> Spans:
        return spans.python_lines(self.utf8)

    @cached_property
    def newline_lines(self) -> Spans:
        return spans.newline_lines(self.utf8)

    @cached_property
    def newline_run_lines(self) -> Spans:
        return spans.newline_run_lines(self.utf8)

    @cached_property
    def paragraphs(self) -> Spans:
        return spans.paragraphs(self.utf8)

    def count(self, pattern: str) -> Longs:
        """``text.count(pattern)`` of every document."""
        if not pattern:
            raise ValueError("the pattern to count is empty")
        return utf8.count_text(self.utf8.values, self.utf8.offsets, np.frombuffer(pattern.encode(), np.uint8))


class _LastView(threading.local):
    key: tuple[object, ...] | None = None
    text: Text | None = None


_last = _LastView()


def text_of(batch: pa.RecordBatch) -> Text:
    """The view of ``batch``'s column ``text``; the same object as long as the same buffers are asked for."""
    column = batch.column("text")
    # an address identifies a buffer while something holds it, and the remembered view does
    addresses = tuple(buffer.address if buffer is not None else 0 for buffer in column.buffers())
    key = (column.type, column.offset, len(column), addresses)
    if _last.text is None or _last.key != key:
        forget_text()  # let the old arrays go before the new ones are made
        _last.text = Text(column)
        _last.key = key
    return _last.text


def forget_text() -> None:
    """Free what this thread remembers, about ten times the text: engines keep idle threads around."""
    _last.text = None
