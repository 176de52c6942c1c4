"""The elements of a page as a person names them: tag, id and classes, and which of those belong to which category."""

from dataclasses import dataclass

from dataprep.html.dom.attributes import next_attribute
from dataprep.html.dom.automaton import BOUNDARY, CATEGORIES, CATEGORY, ITEM, ROLE, match
from dataprep.html.dom.records import Records
from dataprep.html.dom.scan import tables
from dataprep.html.dom.tags import name_hash
from dataprep.text.utf8 import Bytes

# attribute: how its words are read, and what stands before a word of it
_READ = {
    "id": (BOUNDARY, "#{}"),
    "class": (BOUNDARY, ".{}"),
    "role": (ROLE, "[role={}]"),
    "itemprop": (ITEM, "[itemprop={}]"),
}
_ATTRIBUTES = {name_hash(name): read for name, read in _READ.items()}


@dataclass(frozen=True)
class Word:
    """A tag, an id or a class, and the categories that it alone belongs to."""

    text: str
    categories: tuple[str, ...]


@dataclass(frozen=True)
class Element:
    """``words``: first its tag, which has also what no other word explains. ``parent``: None for the outermost."""

    words: tuple[Word, ...]
    parent: "Element | None"


class Elements:
    """The elements of a scanned page by the number of their node, made when asked for; the document is none."""

    def __init__(self, b: Bytes, nodes: Records) -> None:
        self.b, self.nodes = b, nodes
        self.page = b.tobytes()
        self.made: dict[int, Element] = {}

    def get(self, n: int) -> Element | None:
        return self[n] if n > 0 else None

    def __getitem__(self, n: int) -> Element:
        path = []
        while n > 0 and n not in self.made:
            path.append(n)
            n = int(self.nodes[n]["parent"])
        for node in reversed(path):
            self.made[node] = Element(self._words(node), self.made.get(n))
            n = node
        return self.made[n]

    def _words(self, n: int) -> tuple[Word, ...]:
        at = int(self.nodes[n]["attributes"])
        tag = self.page[self.page.rfind(b"<", 0, at) + 1 : at].decode("utf-8", "replace").lower()
        mask = int(self.nodes[n]["categories"])
        words = []
        while True:
            at, hashed, start, end = next_attribute(self.b, at)
            if not hashed:
                break
            kind, shown = _ATTRIBUTES.get(int(hashed), (BOUNDARY, ""))
            for word in self.page[start:end].split() if shown else ():
                first = self.page.index(word, start)
                start = first + len(word)
                found = mask & self._mask(first, start, kind)
                words.append(Word(shown.format(word.decode("utf-8", "replace")), _names(found)))
        own = int(tables().traits[int(self.nodes[n]["tag"])]["categories"])
        explained = {name for word in words for name in word.categories}
        rest = tuple(name for name in _names(mask) if own & int(CATEGORY[name]) or name not in explained)
        return Word(tag, rest), *words

    def _mask(self, start: int, end: int, kind: int) -> int:
        known = tables()
        return int(match(known.step, known.found, known.symbols, self.b, start, end, kind))


def _names(mask: int) -> tuple[str, ...]:
    return tuple(name for name in CATEGORIES if mask & int(CATEGORY[name]))
