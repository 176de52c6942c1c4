"""The word lists: every entry is on a page, none is there twice, and pages lose what the lists say and nothing else."""

import re
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import dataprep.html
from dataprep.html.dom.automaton import (
    BEYOND,
    BOUNDARY,
    CATEGORIES,
    DIGIT,
    ITEM,
    ROLE,
    SYMBOLS,
    build,
    class_words,
    entries,
    match,
    parse_entries,
    symbols_of,
)
from dataprep.html.dom.records import NODES, count_tags, room_for
from dataprep.html.dom.scan import scan, tables
from dataprep.html.dom.tags import TAG, TAGS, traits
from dataprep.html.pages import PAGES as PAGE_BATCH
from dataprep.html.pages import extract_pages
from dataprep.html.selection.phrases import FOLDED, KINDS, fold_table, folded, phrase_of, phrase_table
from dataprep.html.selection.rules import NEGATIVE
from dataprep.html.settings import ExtractSettings

TYPICAL = Path(__file__).parent / "typical"
LANGUAGES = yaml.safe_load((TYPICAL / "languages.yaml").read_text("utf-8"))
PAGES = {path.stem: path.read_text("utf-8") for path in sorted(TYPICAL.glob("*.html"))}
PROSE = LANGUAGES["en"]["text"]
CLASS_LISTS, PHRASE_LISTS = entries("classes", CATEGORIES), entries("phrases", KINDS)
CLASS_ENTRIES = [(category, entry) for category, listed in CLASS_LISTS.items() for entry in listed]
PHRASES = [(kind, entry) for kind, listed in PHRASE_LISTS.items() for entry in listed]
FOLD = fold_table()
SYMBOL_RANGES = ("\x80\xbf", "\u2000\u2fff", "\u3000\u303f", "\uff00\uff3f", "\U00010000\U0010ffff")
LISTS = {"classes": CATEGORIES, "phrases": tuple(KINDS)}


def scanned(page, table):
    b = np.frombuffer(page.encode(), np.uint8)
    dom = room_for(count_tags(b))
    scan(b, dom, table)
    return b, dom


def text_of(page):
    batch = pa.RecordBatch.from_pylist([{"payload": page.encode(), "charset": "utf-8"}], schema=PAGE_BATCH)
    text = extract_pages(batch, ExtractSettings(profile="article")).column("text")[0].as_py()
    return [line for line in text.split("\n") if line]


# What the kernels do, entry by entry.


def symbols(value, kind):
    """A value of an attribute as the automaton reads it."""
    found = [kind]
    for before, c in pairwise(f" {value}"):
        if "a" <= c.lower() <= "z" and c.isascii():
            if "a" <= before <= "z" and c.isupper():
                found.append(BOUNDARY)
            found.append(ord(c.lower()) - 96)
        elif c.isascii() and c.isdigit():
            found.append(DIGIT)
        elif c.isascii():
            found += [BOUNDARY] * (found[-1] != BOUNDARY and len(found) > 1)
        else:
            found += [BEYOND] * len(c.encode())
    return [*found, BOUNDARY] if found[-1] != BOUNDARY or len(found) == 1 else found


def holds(row, part):
    return any(tuple(row[i : i + len(part)]) == part for i in range(len(row) - len(part) + 1))


def is_symbol(c):
    """Neither letter nor digit, as far as the first bytes tell."""
    if c.isascii():
        return not c.isalnum()
    return any(low <= c <= high for low, high in SYMBOL_RANGES)


def bare(text):
    first = 0
    while first < len(text) and is_symbol(text[first]):
        if text[first].isascii() and text[first] not in " (*->[|":
            break
        if text[first] == "-" and text[first + 1 : first + 2] not in ("", " "):
            break
        first += 1
    last = max((i + 1 for i in range(first, len(text)) if not is_symbol(text[i])), default=first)
    allowed = " !*-.:>|" + (")]" if first else "")
    if any(c.isascii() and c not in allowed for c in text[last:]):
        last = len(text)
    return first, last


def prepared(kind):
    """Folded phrase, whether its last word must end there, and the entry."""
    for entry in PHRASE_LISTS[kind]:
        phrase = folded(entry, FOLD)
        whole_word = phrase[-1].isalnum() and not "\u3040" <= phrase[-1] <= "\ud7ff"
        yield phrase.removesuffix("*"), whole_word, entry


WHOLE = {phrase: entry for phrase, _, entry in prepared("whole")}
CREDIT = list(prepared("credit"))
STARTS = defaultdict(list)
for one in prepared("starts"):
    STARTS[one[0][:2]].append(one)


def phrases_in(block):
    """The entries that the text of a block begins with, is or holds."""
    text = " ".join(folded(block, FOLD).split(" ")).strip(" ")
    first, last = bare(text)
    found = {("whole", WHOLE[text[start:last]]) for start in (0, first) if text[start:last] in WHOLE}
    for start in (0, first):
        for phrase, whole_word, entry in STARTS[text[start : start + 2]]:
            if text.startswith(phrase, start) and ends(text, start + len(phrase), whole_word):
                found.add(("starts", entry))
    for phrase, whole_word, entry in CREDIT:
        at = text.find(phrase)
        while at >= 0:
            begins = not phrase[0].isalnum() or at in (0, first) or text[at - 1] in " (/["
            if begins and ends(text, at + len(phrase), whole_word):
                found.add(("credit", entry))
            at = text.find(phrase, at + 1)
    return found


def ends(text, at, whole_word):
    return not whole_word or at >= len(text) or is_symbol(text[at])


def said(lines):
    """The kinds of phrase each line is, as blocks of one page."""
    phrases = phrase_table()
    b, dom = scanned("".join(f"<p>{line}</p>" for line in lines), tables())
    return [phrase_of(b, dom.nodes, dom.segments, dom.blocks, k, phrases) for k in range(len(lines))]


def kinds(found):
    return sum({KINDS[kind] for kind, _ in found})


ODD = "aAbBzZ09-_ .\u00e9\u4e00"  # letters, digits, boundaries, others


@given(st.text(ODD, max_size=12), st.sampled_from(CLASS_ENTRIES), st.text(ODD, max_size=4))
def test_class_words_are_found_where_the_reference_finds_them(before, chosen, after):
    step, found, table, _ = class_words()
    name = re.sub(r"^(role=|item=|tag=)|[$^]", "", chosen[1])
    for kind in (BOUNDARY, ROLE, ITEM):
        value = before + name + after
        expected = 0
        row = symbols(value, kind)
        for category, entry in CLASS_ENTRIES:
            if not entry.startswith("tag=") and holds(row, symbols_of(entry)):
                expected |= 1 << CATEGORIES.index(category)
        b = np.frombuffer(value.encode(), np.uint8)
        assert int(match(step, found, table, b, 0, len(b), kind)) == expected, value


NOISE = [" ", "x", "9", ":", "…", "»", "-", "(", ")", "é", "Ğ", "ω", "я", "\u4e00", "：", "©", ".", "|"]
PIECES = st.one_of(st.sampled_from(NOISE), st.sampled_from([entry for _, entry in PHRASES]))


@given(st.lists(PIECES, min_size=1, max_size=4))
def test_phrases_are_found_where_the_reference_finds_them(pieces):
    line = "".join(pieces)
    if line.strip() and len(line.encode()) < 200:
        assert said([f"x {line}", line]) == [kinds(phrases_in(f"x {line}")), kinds(phrases_in(line))], line


def test_case_is_folded_as_python_does():
    for code in range(FOLDED):
        c = chr(code)
        if len(c.lower()) == 1 and ord(c.lower()) < FOLDED:
            assert FOLD[code] == FOLD[ord(c.lower())], c
        if c.lower() != c and not 0x370 <= code < 0x400 and c != "İ":
            assert chr(FOLD[code]) == (c.lower() if ord(c.lower()) < FOLDED else c), c
    assert folded("DEVAMINI İLGİLİ ı", FOLD) == "devamini ilgili i"
    assert folded("ΔΙΑΒΑΣΤΕ ΕΠΙΣΗΣ", FOLD) == folded("διαβάστε επίσης", FOLD)


# The lists themselves.


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_sorted_and_has_no_entry_twice(name):
    text = (Path(dataprep.html.__file__).parent / "words" / f"{name}.yaml").read_text("utf-8")
    for group, languages in yaml.safe_load(text).items():
        for language, listed in languages.items():
            assert all(isinstance(entry, str) for entry in listed), (group, language)
            assert listed == sorted(listed, key=lambda entry: entry.strip("^$*")), (group, language)
        together = [folded(entry, FOLD) for listed in languages.values() for entry in listed]
        assert sorted(set(together)) == sorted(together), group


def test_no_class_entry_is_found_by_another_of_its_category():
    for category, listed in CLASS_LISTS.items():
        words = {entry: symbols_of(entry) for entry in listed if not entry.startswith("tag=")}
        for entry, word in words.items():
            assert [other for other in words if holds(word, words[other])] == [entry], category


def test_no_phrase_is_found_by_another_of_its_kind():
    for kind, entry in PHRASES:
        assert {other for other_kind, other in phrases_in(entry.rstrip("*")) if other_kind == kind} == {entry}


def test_a_group_that_no_rule_knows_is_an_error():
    for name, groups in LISTS.items():
        with pytest.raises(ValueError, match=rf"words/{name}\.yaml: there is no 'nope', only {groups[0]}, "):
            parse_entries(f"words/{name}.yaml", "nope: {en: [x]}", groups)


# The pages.


def test_every_class_entry_is_on_a_typical_page():
    names = [name for typical in LANGUAGES.values() for key in ("classes", "bodies") for name in typical.get(key, ())]
    pages = [*PAGES.values(), "".join(f'<div class="{name}"></div>' for name in names)]
    missing = []
    for start in range(0, len(CLASS_ENTRIES), 32):
        some = list(enumerate(CLASS_ENTRIES[start : start + 32], 32))  # the lower bits are categories the scan reads
        tags = np.zeros(len(TAGS), np.uint64)
        for bit, (_, entry) in some:
            if entry.startswith("tag="):
                tags[TAG[entry[4:]]] |= np.uint64(1 << bit)
        words = [(symbols_of(entry), 1 << bit) for bit, (_, entry) in some if not entry.startswith("tag=")]
        step, found = build(words, SYMBOLS)
        table = tables()._replace(traits=traits(tags), step=step, found=found)
        seen = 0
        for page in pages:
            _, dom = scanned(page, table)
            seen |= int(np.bitwise_or.reduce(dom.nodes["categories"][: dom.counts[NODES]]))
        missing += [entry for bit, entry in some if not seen >> bit & 1]
    assert not missing


def test_every_phrase_is_on_a_typical_page_in_any_case():
    covered = set()
    for language, typical in LANGUAGES.items():
        lines = typical["lines"]
        found = [phrases_in(line) for line in lines]
        assert all(found), (language, [line for line, hits in zip(lines, found, strict=True) if not hits])
        assert said(lines) == [kinds(hits) for hits in found], language
        loud = [line.upper() for line in lines]
        assert said(loud) == [kinds(phrases_in(line)) for line in loud], language
        covered |= set().union(*found)
    assert sorted(set(PHRASES) - covered) == []


@pytest.mark.parametrize("name", PAGES)
def test_of_a_typical_page_the_text_is_left(name):
    kept = text_of(PAGES[name])
    assert [line for line in kept if line in PROSE] == PROSE
    assert [line for line in kept if line not in PROSE and len(line) < 40] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_of_a_page_in_any_language_the_text_is_left(language):
    typical = LANGUAGES[language]
    first, *others = (f"<p>{paragraph}</p>" for paragraph in typical["text"])
    names = typical.get("classes", ())
    furniture = [f'<div class="{name}">Stands in the text, but is not of it.</div>' for name in names]
    furniture += [f"<p>{line}</p>" for line in typical["lines"]]
    for body in typical.get("bodies", ["article-body"]):
        inside = "".join((first, *furniture, *others))
        assert text_of(f'<body><h1>A title</h1><div class="{body}">{inside}</div></body>') == typical["text"]


LOOKALIKES = (
    "authority authoring buyers correlated generating guimenu lableContent likewise maintenance mostly navy nextcloud "
    "operating preview prevention printf recommence shared sidereal subscript trail unrelated"
)


@pytest.mark.parametrize("name", LOOKALIKES.split())
def test_a_name_that_only_looks_like_furniture_cuts_nothing(name):
    step, found, table, _ = class_words()
    b = np.frombuffer(name.encode(), np.uint8)
    assert not int(match(step, found, table, b, 0, len(b), BOUNDARY)) & int(NEGATIVE)


def test_the_slug_of_a_heading_is_not_a_name():
    slugs = '<h2 id="related-work"></h2><dt id="comment"></dt><a id="footer"></a><div id="related-work"></div>'
    _, dom = scanned(slugs, tables())
    named = [TAGS[node["tag"]] for node in dom.nodes[: dom.counts[NODES]] if int(node["categories"]) & int(NEGATIVE)]
    assert named == ["div"]


def test_a_sentence_that_only_begins_like_furniture_is_none():
    sentences = [
        "Share prices fell on Monday.",
        "Copyright law is older than that.",
        "See also issue 32 on this.",
        "Commented out, it compiles.",
        "Loading the file takes a second.",
        "We recommend the longer way.",
        "Thanks for the pasta, Anna.",
        "The function close() returns nothing.",
        "close()",
        "--tags",
        "Tagsüber ist es warm.",
        "Ausnutzung der Kohlenstoffquelle: negativ.",
        "Teilen wir uns den Kuchen.",
        "Anzeige gegen Unbekannt erstattet.",
        "Compartir alimentos ni utensilios.",
        "Dela in gruppen i tre delar.",
        "La foto di Maria è bella.",
        "Popularny, ale drogi.",
    ]
    assert [sentence for sentence, kind in zip(sentences, said(sentences), strict=True) if kind] == []
