"""What a recipe may say about a crawl, and which URLs then belong to it."""

import pytest
from pydantic import ValidationError

from dataprep.crawl.scope import Scope
from dataprep.crawl.settings import CrawlSettings

CONTACT = {"contact_url": "https://me.example/bot", "contact_mail": "me@me.example"}
PUBLIC = {"seeds": ("https://www.a.example/start",), **CONTACT}


def refused(**values: object) -> str:
    with pytest.raises(ValidationError) as error:
        CrawlSettings(**values)  # type: ignore[arg-type]
    return str(error.value)


def test_a_crawl_without_contact_refuses_to_start() -> None:
    message = refused(seeds=("https://www.a.example/",))
    assert "contact_url and contact_mail missing" in message
    assert "contact_mail missing" in refused(seeds=("https://a.example/",), contact_url="https://me.example/")


def test_a_crawl_of_this_machine_needs_no_contact_as_long_as_it_stays_there() -> None:
    loopback = {"seeds": ("http://127.0.0.1:8000/", "http://localhost/"), "own_hosts": {"127.0.0.1": 0, "localhost": 0}}
    CrawlSettings(**loopback)  # type: ignore[arg-type]
    assert "who is asking" in refused(**loopback, scope="any")


def test_a_private_seed_must_be_named_as_an_own_host() -> None:
    assert "own_hosts" in refused(seeds=("http://127.0.0.1:8000/",))
    assert "own_hosts" in refused(seeds=("http://[::ffff:10.0.0.1]/",), **CONTACT)


def test_the_delay_can_be_lowered_for_own_hosts_only() -> None:
    assert "greater than or equal to 5" in refused(**PUBLIC, delay=0.1)
    settings = CrawlSettings(**PUBLIC, own_hosts={"WWW.a.example": 0.5})  # type: ignore[arg-type]
    assert settings.delay_of("www.a.example") == 0.5
    assert settings.delay_of("b.example") == 5.0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user_agent", "my bot/1.0"),
        ("seeds", ("ftp://a.example/",)),
        ("seeds", ()),
        ("contact_mail", "nobody"),
        ("exclude", ("getfile",)),
        ("own_hosts", {"a.example:80x": 1}),
        ("own_hosts", {"a.example": -1}),
        ("scope", "world"),
        ("max_pages", 0),
    ],
)
def test_a_wrong_value_is_refused_by_name(field: str, value: object) -> None:
    assert field in refused(**{**PUBLIC, field: value})


def test_seeds_are_normalised() -> None:
    settings = CrawlSettings(**{**PUBLIC, "seeds": ("HTTPS://A.Example:443", "https://a.example/#x")})  # type: ignore[arg-type]
    assert settings.seeds == ("https://a.example/",)


def test_a_seed_whose_publisher_offers_a_dump_is_mentioned() -> None:
    settings = CrawlSettings(**{**PUBLIC, "seeds": ("https://en.wikipedia.org/wiki/X", "https://a.example/")})  # type: ignore[arg-type]
    (line,) = settings.dump_warnings()
    assert "dumps.wikimedia.org" in line


@pytest.mark.parametrize(
    ("scope", "inside", "outside"),
    [
        ("host", "https://www.a.example/x", "https://blog.a.example/x"),
        ("domain", "https://blog.a.example/x", "https://b.example/x"),
        ("any", "https://b.example/x", "https://b.example:8080/x"),
    ],
)
def test_scope(scope: str, inside: str, outside: str) -> None:
    rules = Scope(CrawlSettings(**PUBLIC, scope=scope))  # type: ignore[arg-type]
    assert rules.allows(inside)
    assert not rules.allows(outside)


@pytest.mark.parametrize(
    ("pattern", "url", "matches"),
    [
        ("/get", "/getfile?key=1", True),
        ("/get?", "/getfile", False),
        ("/get?", "/get?key=1", True),
        ("/*.pdf$", "/a/b.pdf", True),
        ("/*.pdf$", "/a/b.pdf?x", False),
        ("/*.pdf$", "/a.pdf/b.pdf", True),
        ("/*__main__", "/x.__main__.html", True),
        ("/a*b*c", "/a-b-b-c-d", True),
        ("/a*b*c", "/a-c-b", False),
        ("/exact$", "/exact", True),
        ("/exact$", "/exactly", False),
        ("https://www.a.example/x", "/x/y", True),
        ("https://www.a.example/x", "/y", False),
        ("*x", "/y/x", True),
    ],
)
def test_patterns_are_those_of_robots_txt(pattern: str, url: str, matches: bool) -> None:
    full = "https://www.a.example" + url
    assert Scope(CrawlSettings(**PUBLIC, exclude=(pattern,))).allows(full) is not matches  # type: ignore[arg-type]
    assert Scope(CrawlSettings(**PUBLIC, include=(pattern,))).allows(full) is matches  # type: ignore[arg-type]


def test_a_pattern_of_many_stars_is_matched_in_linear_time() -> None:
    rules = Scope(CrawlSettings(**PUBLIC, exclude=("/" + "*a" * 200 + "$",)))  # type: ignore[arg-type]
    assert rules.allows("https://www.a.example/" + "a" * 1900 + "b")
