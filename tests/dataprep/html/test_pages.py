"""A batch of pages in, a row for each out: of one shape for every engine, whatever a page's neighbours are."""

import pyarrow as pa
import pytest

from dataprep.document import PAGE_SIGNALS
from dataprep.html.pages import ENGINES, EXTRACTED_PAGES, PAGES, extract_pages, page_batch, payload_views, plain_pages
from dataprep.html.settings import ExtractSettings

WORDS = "An ordinary sentence about nothing at all, long enough for every engine. "
PAGE = f"<html><head><title> A \n title </title></head><body><p>{WORDS * 9}</p></body></html>".encode()
HOSTILE = {
    b"": None,
    b"\0" * 50: None,
    b"\xff\xfe\xff": None,
    b"<": None,
    b"&#x0;&#xd800;&" * 9: None,
    ("<p>" + "\u0301" * 900).encode(): None,
    b"<html><body>" + b"<div>" * 50_000: "nested_too_deep",
    b"<p>large " * 40_000: "too_large",
}


def batch(*payloads):
    rows = [{"payload": payload, "charset": None, "url": "http://x"} for payload in payloads]
    return pa.RecordBatch.from_pylist(rows, schema=PAGES)


def test_every_engine_is_a_choice_in_recipes_and_the_other_way_round():
    assert set(ENGINES) == set(ExtractSettings.model_fields["engine"].annotation.__args__)


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_a_row_depends_on_its_page_alone_and_a_page_that_fails_has_a_reason_and_no_text(engine):
    settings = ExtractSettings(engine=engine, page_bytes=300_000)
    payloads = [item for hostile in HOSTILE for item in (PAGE, hostile)]
    found = extract_pages(batch(*payloads), settings)
    found.validate(full=True)
    assert found.schema == EXTRACTED_PAGES
    rows = found.to_pylist()
    reasons = [
        None if engine == "corpusmill" and reason == "nested_too_deep" else reason for reason in HOSTILE.values()
    ]
    assert [row["reason"] for row in rows] == [reason for hostile in reasons for reason in (None, hostile)]
    for row in rows:
        assert (row["reason"] is None) == (row["error"] is None) == (row["charset"] is not None)
        assert row["reason"] is None or row["text"] == ""
        assert row["title"] is None or row["title"] == " ".join(row["title"].split()) != ""
        assert "\0" not in row["text"]
    assert WORDS.strip() in rows[0]["text"]
    assert rows[0]["title"] == "A title"
    alone = [extract_pages(batch(payload), settings).to_pylist()[0] for payload in payloads]
    assert rows == alone
    assert rows[3:9] == extract_pages(batch(*payloads).slice(3, 6), settings).to_pylist()


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_no_pages_are_no_rows(engine):
    found = extract_pages(batch(), ExtractSettings(engine=engine))
    assert (found.num_rows, found.schema) == (0, EXTRACTED_PAGES)


@pytest.mark.parametrize("engine", ["resiliparse", "trafilatura"])
def test_a_librarys_engine_measures_nothing(engine):
    found = extract_pages(batch(PAGE), ExtractSettings(engine=engine))
    assert all(found.column(name).null_count == 1 for name in PAGE_SIGNALS.names)


def test_plain_pages_are_decoded_and_nothing_else():
    pages = pa.RecordBatch.from_pylist(
        [
            {"payload": "Käse\0\n\n ".encode("cp1252"), "charset": "latin1"},
            {"payload": b"<b>", "charset": None},
            {"payload": b"", "charset": None},
        ],
        schema=PAGES,
    )
    found = plain_pages(pages)
    assert found.schema == EXTRACTED_PAGES
    assert found.column("text").to_pylist() == ["Käse\n\n ", "<b>", ""]
    assert found.column("charset").to_pylist() == ["cp1252", "utf-8", "utf-8"]
    assert plain_pages(pages.slice(1, 1)).to_pylist() == found.to_pylist()[1:2]


def test_payloads_are_seen_where_they_lie():
    pages = batch(b"one", b"", b"three")
    views = payload_views(pages.column("payload"))
    assert [bytes(view) for view in views] == [b"one", b"", b"three"]
    assert [bytes(view) for view in payload_views(pages.slice(1).column("payload"))] == [b"", b"three"]
    assert payload_views(batch().column("payload")) == []
    assert payload_views(batch(b"", b"").column("payload")) == [b"", b""]


def test_what_an_engine_does_not_give_is_null():
    found = page_batch(2, {"text": ["a", "b"]})
    assert {name for name in found.schema.names if found.column(name).null_count == 0} == {"text"}
