"""Masking: addresses are datatrove's, telephone numbers and secrets are right, and order never matters."""

import gzip
import ipaddress
import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.clean.catalogue import make_step
from dataprep.edits import _reference as reference
from dataprep.edits import phones, secrets
from dataprep.edits.addresses import ASCII, find_emails, find_ipv4
from dataprep.edits.pii import Pii, placeholder
from dataprep.edits.secrets import ANCHORS, TOKENS
from dataprep.text.classes import classes
from dataprep.text.utf8 import Utf8

PIECES = [
    *(
        "a",
        "b",
        "1",
        "2",
        "25",
        "249",
        "256",
        "0",
        ".",
        ".",
        "@",
        "@",
        "-",
        "_",
        "é",
        "字",
        "٣",
        "'",
        "[",
        "]",
        ":",
        " ",
    ),
    *("a.b", "@x.", "x@y.zz", "1.2.3.", "8.8.8.8", "[1.2.3.", "tag:]", "\n", "..", "10.0.0.1", "\u0301"),
]
texts = st.one_of(st.lists(st.sampled_from(PIECES), max_size=25).map("".join), st.text(max_size=60))
ADDRESSES = Pii(mask=("emails", "ips"), replacement="tag")


def batch_of(*texts: str, first_id: int = 0) -> pa.RecordBatch:
    ids = [(first_id + n).to_bytes(16, "big") for n in range(len(texts))]
    return pa.record_batch({"id": pa.array(ids, pa.binary(16)), "text": pa.array(texts, pa.large_string())})


def masked(text: str, *kinds: str, **settings: object) -> str:
    step = Pii.model_validate(
        {"mask": kinds or ("emails", "ips", "phones", "secrets"), "replacement": "tag", **settings}
    )
    return step(batch_of(text)).column("text")[0].as_py()


def spans(pattern: re.Pattern[str], text: str) -> list[list[int]]:
    return [[len(text[: m.start()].encode()), len(text[: m.end()].encode())] for m in pattern.finditer(text)]


def is_global(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_global
    except ValueError:
        return False


@given(text=texts)
@settings(max_examples=400)
def test_email_and_ipv4_addresses_are_those_of_datatrove_on_any_text(text: str) -> None:
    utf8 = Utf8.of(pa.array([text], pa.large_string()))
    assert find_emails(utf8.values, utf8.offsets, ASCII, classes()).tolist() == spans(reference.EMAIL, text)
    assert find_ipv4(utf8.values, utf8.offsets, ASCII).tolist() == spans(reference.IPV4, text)


@given(text=texts)
@settings(max_examples=400)
def test_masking_both_at_once_is_masking_one_after_the_other(text: str) -> None:
    expected = reference.EMAIL.sub("<EMAIL>", text)
    expected = reference.IPV4.sub(lambda m: "<IP_ADDRESS>" if is_global(m[0]) else m[0], expected)
    assert ADDRESSES(batch_of(text)).column("text").to_pylist() == [expected]


def test_addresses_are_those_of_datatrove_on_real_prose(shared_data: Path) -> None:
    with gzip.open(shared_data / "prose" / "peps-rst.jsonl.gz", "rt", encoding="utf-8") as lines:
        documents = [json.loads(line)["text"] for line, _ in zip(lines, range(60), strict=False)]
    assert sum(len(reference.EMAIL.findall(text)) for text in documents) > 50
    utf8 = Utf8.of(pa.array(documents, pa.large_string()))
    found = find_emails(utf8.values, utf8.offsets, ASCII, classes())
    expected = [
        np.array(spans(reference.EMAIL, t), np.int64).reshape(-1, 2) + o
        for t, o in zip(documents, utf8.offsets, strict=False)
    ]
    assert found.tolist() == np.concatenate(expected).tolist()


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("a.b@c.de, x", "<EMAIL>, x"),
        ("éa@b.cc", "éa@b.cc"),  # no word boundary after a letter of any script
        ("a@b", "a@b"),
        ("a@b.c.", "<EMAIL>."),
        ("a@b-.c", "a@b-.c"),
        ("'a@b.c'", "'<EMAIL>'"),
        ("a@[1.2.3.4]", "<EMAIL>"),
        ("a@b.c@d.e", "<EMAIL>@d.e"),
        ("1.2.3.4.5", "<IP_ADDRESS>.5"),
        ("256.8.8.8", "2<IP_ADDRESS>"),
        ("8.8.8.256", "<IP_ADDRESS>6"),
        ("08.8.8.8", "08.8.8.8"),  # found, but no address to Python's ipaddress
        ("10.0.0.1 127.0.0.1 192.168.1.1", "10.0.0.1 127.0.0.1 192.168.1.1"),
        ("2a00:1450:4001:81b::200e.", "<IP_ADDRESS>."),
        ("[2001:4860:4860::8888]:80", "[<IP_ADDRESS>]:80"),
        ("2001:db8::1 fe80::1 ::1 12:30:45", "2001:db8::1 fe80::1 ::1 12:30:45"),
        ("2a00:1450::8.8.8.8", "2a00:1450::<IP_ADDRESS>"),
        ("std::a::b 2001:add::b::c x2a00:1450::1", "std::a::b 2001:add::b::c x2a00:1450::1"),
    ],
)
def test_corner_cases_of_addresses(text: str, result: str) -> None:
    assert masked(text, "emails", "ips") == result


def test_numbering_can_be_spared() -> None:
    text = "4.2.13.4 v2.20.1.155.g42 1.2.3.4.5 34.5.1.3a 93.184.216.34."
    assert masked(text, "ips", spare_numbering=True) == text.replace("93.184.216.34", "<IP_ADDRESS>")


@pytest.mark.parametrize(
    "number",
    [
        *(
            "+49 30 123456-78",
            "+44 20 7946 0958",
            "+44 (0)20 7946 0958",
            "+33 1 23 45 67 89",
            "+919876543210",
            "+1 408 492-1542",
        ),
        *("(212) 456-7890", "212-456-7890", "212.456.7890", "1-415-642-4948", "+1.704.948.4565", "(908)668-5252"),
    ],
)
def test_telephone_numbers_are_masked(number: str) -> None:
    assert masked(f"Call {number}, or", "phones") == "Call <PHONE>, or"
    assert masked(number, "phones") == "<PHONE>"
    assert masked(f"({number})", "phones") == "(<PHONE>)"


@pytest.mark.parametrize(
    "name", ["Tel.: ", "phone ", "Fax: ", "Téléphone : ", "Telefon ", "Telephone  :", "phone no. "]
)
def test_after_a_word_for_telephone_any_grouping_is_one(name: str) -> None:
    assert masked(f"{name}030 / 123 456", "phones") == f"{name}030 / 123 456"  # three characters part two numbers
    assert masked(f"{name}030/123 456 7", "phones") == f"{name}<PHONE>"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "2019-05-12",
            "12.05.2019 14.30",
            "1990-1995 2000",
            "ISBN 978-3-16-148410-0",
            "ISBN 0-306-40615-2",
            "3.11.7-2",
        ),
        *(
            "10 12 14 16 18 20",
            "1,234,567 2,345,678",
            "123-45-6789",
            "+2147483647",
            "-2147483648",
            "+33554432",
            "x+49301234567",
        ),
        *(
            "555-0123",
            "112-456-7890",
            "211-456-7890",
            "911.456.7890",
            "212-456-78901",
            "212-456-7890-1",
            "12:30:45.123456",
        ),
        *(
            "phone 2019-05-12",
            "iPhone 12 34 56 78 90",
            "pages 212-456",
            "DE89 3704 0044 0532 0130 00",
            "4111 1111 1111 1111",
        ),
        *(
            "https://x.org/212-456-7890",
            "id=212-456-7890",
            "$212.456.7890",
            "10.1000/182",
            "arXiv 2112.11446",
            "+999 999 9999",
        ),
    ],
)
def test_other_numbers_are_not_telephone_numbers(text: str) -> None:
    assert masked(text, "phones") == text


# joined here so that no scanner takes this file for a leak
SECRETS = [
    "AKIA" + "Q3EGRIYZ2B6C7D4F",
    "ghp_" + "a1B2" * 9,
    "github_pat_" + "a1B2_3" * 13 + "abcd",
    "glpat-" + "xY1_" * 5,
    "xoxb-" + "123456789012-1234567890123-" + "aB1c" * 6,
    "https://hooks.slack.com/" + "services/T0AB12CD3/B0AB12CD3/" + "aB1c" * 6,
    "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "AIza" + "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q",
    "sk-" + "aB1c" * 5 + "T3BlbkFJ" + "aB1c" * 5,
    "sk-proj-" + "aB1c" * 12 + "T3BlbkFJ" + "aB1c" * 12,
    "hf_" + "aBcDeFgH" * 4 + "xY",
    "npm_" + "a1B2" * 9,
    "eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiIxMjM0NTY3ODkwIn0." + "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    "-----BEGIN RSA "
    + "PRIVATE KEY-----\n"
    + ("MIIEpAIBAAKCAQEA" * 4 + "\n") * 6
    + "-----END RSA "
    + "PRIVATE KEY-----",
]


@pytest.mark.parametrize("secret", SECRETS, ids=lambda s: s[:8])
def test_tokens_are_masked_as_a_whole(secret: str) -> None:
    assert masked(f'x = "{secret}"; y', "secrets") == 'x = "<SECRET>"; y'
    assert masked(secret, "secrets") == "<SECRET>"
    assert masked(f"word{secret}", "secrets") == ("word<SECRET>" if secret.startswith("-") else f"word{secret}")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "password",
            "PASSWD",
            "passphrase",
            "db_pwd",
            "client-secret",
            "authToken",
            "api_key",
            "apiKey",
            "access.key",
        ),
        *("secret key", "private-key", "auth_key", "AccountKey"),
    ],
)
def test_every_name_of_a_secret_is_known(name: str) -> None:
    assert masked(f"x.{name}: 'aB3$dE6gH9'", "secrets") == f"x.{name}: '<SECRET>'"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("password = 'aB3$dE6gH9'", "password = '<SECRET>'"),
        ('"api_key": "q8Rt2LmX0pZs",', '"api_key": "<SECRET>",'),
        ("Root Password   :  FS7CUxsY3xkusv7EkbT9yae\n", "Root Password   :  <SECRET>\n"),
        ("DB_PASSWD=FS7CUxsY3xkusv7EkbT9yae", "DB_PASSWD=<SECRET>"),
        ("client_secret := `x9Kq2LmX0pZs`", "client_secret := `<SECRET>`"),
    ],
)
def test_what_is_assigned_to_a_password_is_masked(text: str, result: str) -> None:
    assert masked(text, "secrets") == result


@pytest.mark.parametrize(
    "text",
    [
        *(
            "password = 'correct horse'",
            'password = "your-password1"',
            "token = 'xxxxxxxxxxx1'",
            "password: str = field()",
        ),
        *(
            "password = getenv('DB_PASS1')",
            'password == "aB3$dE6gH9"',
            "The secret: 12 apples and 3 pears",
            "key = 'aB3$dE6gH9'",
        ),
        *(
            "token=aaaaaaaaaaaaaaaaaaaaaaaa",
            "password_hash = 'aB3$dE6gH9'",
            'secret = "nineteen"',
            "sk-learn",
            "eyJ.eyJ.eyJ",
        ),
        *(
            "-----BEGIN PUBLIC KEY-----\n" + "MIIE" * 40 + "\n-----END PUBLIC KEY-----",
            "AKIAlowercase0000000",
            "ghp_short",
        ),
    ],
)
def test_names_words_and_placeholders_are_not_secrets(text: str) -> None:
    assert masked(text, "secrets") == text


NUMBERS = [
    "1",
    "23",
    "456",
    "7890",
    "+49",
    "(212)",
    " ",
    "-",
    ".",
    "/",
    "(",
    ")",
    "+",
    "a",
    "é",
    ",",
    "@",
    "Tel: ",
    "%",
    ":",
]


@given(document=st.one_of(st.lists(st.sampled_from(NUMBERS), max_size=14).map("".join), st.text(max_size=30)))
@settings(max_examples=300)
def test_the_kernel_passes_over_no_telephone_number(document: str) -> None:
    text, found = document.encode(), []
    for run in re.finditer(rb"[+(]{0,2}[0-9](?:[ ./()-]{0,2}[0-9])*", text):
        start = run.start() + (text[run.start()] == ord("(") and text[run.end() :].startswith(b")"))
        free = not re.search(rb"[A-Za-z_#$%&)+,./=-]\Z", text[:start]) and not re.match(
            rb"[A-Za-z_%/@-]|[,:]\d", text[run.end() :]
        )
        digits = sum(byte in b"0123456789" for byte in run[0])
        if 7 <= digits <= 15 and free and phones._is_phone(memoryview(text), 0, start, run.end()):
            found.append([start, run.end()])
    assert phones.find_phones(Utf8.of(pa.array([document], pa.large_string()))).tolist() == found


KEYS = [
    *(
        "password",
        "PASSWD",
        "pwd",
        "token",
        "api_key",
        "secret",
        "key",
        "=",
        ":",
        ":=",
        "=>",
        " ",
        "'",
        '"',
        "aB3$dE6gH9",
    ),
    *("q8Rt2LmX0pZsFS7CUxsY3xku", "x", "-", "_", "é", ",", "\n"),
]


@given(
    document=st.one_of(
        st.lists(st.sampled_from([*KEYS, *SECRETS]), max_size=12).map("".join),
        st.tuples(*[st.sampled_from([*KEYS, ""])] * 8).map("".join),
        st.text(max_size=30),
    )
)
@settings(max_examples=300)
def test_the_kernel_passes_over_no_secret(document: str) -> None:
    text, found = document.encode(), []
    for i in range(len(text)):
        token = secrets._TOKEN.match(text, i)
        if token and (text[i] == ord("-") or not re.search(rb"[0-9A-Za-z_\x80-\xff-]\Z", text[:i])):
            found.append(token.span())
        value = secrets._VALUE.match(text, i)
        if value and secrets._NAME.search(text[max(0, i - secrets.NAME_REACH) : i]):
            group = "quoted" if value["quoted"] else "plain"
            if secrets._is_random(value[group], group == "quoted"):
                found.append(value.span(group))
    assert (
        secrets.find_secrets(Utf8.of(pa.array([document], pa.large_string()))).tolist()
        == secrets._disjoint(found).tolist()
    )


def test_every_beginning_of_a_token_can_be_found() -> None:
    assert all(set(head) & set(ANCHORS) for head in TOKENS)
    assert not any(a != b and a.startswith(b) and a != b"sk-ant-" for a in TOKENS for b in TOKENS)


def test_where_kinds_overlap_the_secret_is_masked() -> None:
    assert masked("password = 'bob1@corp.com'") == "password = '<SECRET>'"
    assert masked("bob@8.8.8.8") == "<EMAIL>"


@given(documents=st.lists(texts, min_size=1, max_size=5), cut=st.integers(0, 5), data=st.data())
@settings(max_examples=100)
def test_the_result_depends_on_a_document_and_its_id_not_on_its_neighbours(
    documents: list[str], cut: int, data: st.DataObject
) -> None:
    batch = batch_of(*documents)
    order = data.draw(st.permutations(range(len(documents))))
    whole = Pii()(batch).take(pa.array(order)).to_pylist()
    moved = batch.take(pa.array(order))
    assert Pii()(moved.slice(0, cut)).to_pylist() + Pii()(moved.slice(cut)).to_pylist() == whole


def test_the_end_of_the_document_before_is_not_read() -> None:
    texts = ["tel 030/1234567", "ord = 'aB3$dE6gH9'", "a@b.cc", "+49 30 123456", "8.8.8.8", "2a00:1450::1", SECRETS[0]]
    alone = [masked(text) for text in texts]
    assert [text for text, result in zip(texts, alone, strict=True) if text == result] == [texts[1]]
    for before in ("x", "7", "passw", "é", "+", "-", ":"):
        mixed = Pii(replacement="tag")(batch_of(*(part for text in texts for part in (before, text))))
        assert mixed.column("text").to_pylist()[1::2] == alone


def test_an_address_has_one_placeholder_in_a_document_and_others_elsewhere() -> None:
    text = "bob@corp.com, eve@corp.com, bob@corp.com"
    here, there = (Pii()(batch_of(text, first_id=n)).column("text")[0].as_py().split(", ") for n in (1, 2))
    assert here[0] == here[2] != here[1]
    assert here != there


@given(document=st.binary(min_size=16, max_size=16), match=st.binary(max_size=20))
def test_placeholders_are_reserved_for_examples(document: bytes, match: bytes) -> None:
    assert re.fullmatch(r"user\d{1,3}@example\.(com|org|net)", placeholder("emails", document, match))
    assert not is_global(placeholder("ips", document, b"8.8.8.8" + match.replace(b":", b"")))
    assert ipaddress.ip_address(placeholder("ips", document, b"::" + match)) in ipaddress.ip_network("2001:db8::/32")
    assert re.fullmatch(r"(\+1 )?\d{3}-555-01\d\d", placeholder("phones", document, match))
    assert placeholder("secrets", document, match) == "<SECRET>"


def test_columns_count_what_was_masked_and_exist_only_for_kinds_that_were_asked_for() -> None:
    text = "bob@corp.com 8.8.8.8 2a00:1450::1 +49 30 123456-78 password='aB3$dE6gH9' x@y.zz"
    row = Pii()(batch_of("none", text)).to_pylist()[1]
    assert {k: v for k, v in row.items() if k.startswith("pii.")} == {
        "pii.emails": 2,
        "pii.ips": 2,
        "pii.phones": 1,
        "pii.secrets": 1,
    }
    step = Pii(mask=("phones",))
    assert step(batch_of(text)).schema.names == ["id", "text", "pii.phones"]
    assert step(batch_of(text).slice(0, 0)).schema.field("pii.phones").type == pa.int32()


def test_documents_without_matches_keep_their_buffers() -> None:
    batch = batch_of("Nothing to see here.", "é 1.5 a@b")
    edited = Pii()(batch)
    assert edited.column("text").buffers()[2].address == batch.column("text").buffers()[2].address


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("a@" * 300_000, 0),
        ("a." * 300_000 + "@", 0),
        ("a." * 300_000 + "a@b.cc", 1),
        ("a@" + "b." * 300_000 + "c", 1),
        ("1." * 40_000, 10_000),
        ("1" * 500_000, 0),
        ("12 " * 200_000, 0),
        ("2001:" * 100_000, 0),
        ("-----BEGIN PRIVATE KEY-----" * 10_000, 0),
        ("eyJ" + "a" * 500_000, 0),
        ("eyJ-" * 100_000, 0),
        ("password='" * 30_000, 0),
        ("\x00" * 100_000, 0),
        ("\u0301" * 100_000, 0),
    ],
    ids=lambda v: repr(v[:12]) if isinstance(v, str) else "",
)
def test_hostile_documents_are_read_in_linear_time(text: str, count: int) -> None:
    # a quadratic step would take hours
    row = Pii()(batch_of(text)).to_pylist()[0]
    assert sum(v for k, v in row.items() if k.startswith("pii.")) == count


def test_mistakes_are_named() -> None:
    with pytest.raises(
        ValueError, match=r"pii\.mask\.0: 'email': Input should be 'emails', 'ips', 'phones' or 'secrets'"
    ):
        make_step({"pii": {"mask": ["email"]}})
    with pytest.raises(ValueError, match=r"pii\.mask: a kind is given more than once"):
        make_step({"pii": {"mask": ["ips", "ips"]}})
    with pytest.raises(ValueError, match=r"pii\.mask: .*at least 1"):
        make_step({"pii": {"mask": []}})
