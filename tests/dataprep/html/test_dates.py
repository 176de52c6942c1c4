"""Dates as people and machines write them."""

import datetime
from importlib.resources import files

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dataprep.html.metadata.collect import words
from dataprep.html.metadata.dates import FIRST_DAY, LAST_DAY, LONGEST, find_date, find_path_date


def date(text: str, american: bool = False, latest: int = LAST_DAY) -> str:
    line, out = np.frombuffer(text.encode() or b" ", np.uint8), np.zeros(LONGEST, np.uint8)
    size, start = find_date(line, len(line), words().months, american, FIRST_DAY, latest, out)
    assert 0 <= start < len(line)
    return bytes(out[:size]).decode()


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2019-02-08", "2019-02-08"),
        ("2019/2/8", "2019-02-08"),
        ("20190208", "2019-02-08"),
        ("20190208T103005Z", "2019-02-08"),
        ("2019年2月8日", "2019-02-08"),
        ("2019년 2월 8일", "2019-02-08"),
        ("8.2.2019", "2019-02-08"),
        ("08.02.19", "2019-02-08"),
        ("2/8/2019", "2019-08-02"),
        ("2/18/2019", "2019-02-18"),
        ("8. Februar 2019", "2019-02-08"),
        ("Freitag, den 8. MÄRZ 2019 um", "2019-03-08"),
        ("8 de febrero de 2019", "2019-02-08"),
        ("le 1er août 2019", "2019-08-01"),
        ("February 8th, 2019", "2019-02-08"),
        ("Feb. 8, 2019 at 10:30", "2019-02-08"),
        ("8 Февраля 2019", "2019-02-08"),
        ("2019-02-08T10:30", "2019-02-08T10:30:00"),
        ("2019-02-08 10:30:05.123", "2019-02-08T10:30:05"),
        ("2019-02-08T10:30:05Z", "2019-02-08T10:30:05Z"),
        ("2019-02-08T10:30:05 UTC", "2019-02-08T10:30:05Z"),
        ("2019-02-08T10:30:05+0000", "2019-02-08T10:30:05Z"),
        ("2019-02-08T10:30:05-0530", "2019-02-08T10:30:05-05:30"),
        ("2019-02-08T10:30:05.000+01:00", "2019-02-08T10:30:05+01:00"),
        ("2019-02-08T24:30", "2019-02-08"),
        ("2019-02-08T10:75", "2019-02-08"),
        ("Fri, 08 Feb 2019 10:30:05 GMT", "2019-02-08T10:30:05Z"),
        ("08 Feb 2019, 10:30 pm", "2019-02-08T22:30:00"),
        ("08 Feb 2019 12:30am", "2019-02-08T00:30:00"),
        ("call 555 or wait until 8 Feb 2019", "2019-02-08"),
        ("29.2.2020", "2020-02-29"),
        ("29.2.2019", ""),
        ("31.4.2019", ""),
        ("8.2-2019", ""),
        ("10:30:45", ""),
        ("1.2.3", ""),
        ("8 Feb", ""),
        ("1234567890", ""),
        ("99999999999999999999-01-01", ""),
        ("Feb", ""),
        ("", ""),
        ("\0", ""),
    ],
)
def test_a_date_is_read_however_it_is_written(text: str, iso: str) -> None:
    assert date(text) == iso


def test_slashes_mean_month_first_in_america_only_if_they_can() -> None:
    assert date("2/8/2019", american=True) == "2019-02-08"
    assert date("18/2/2019", american=True) == "2019-02-18"
    assert date("2.8.2019", american=True) == "2019-08-02"


def test_each_name_of_a_month_is_known_in_every_spelling() -> None:
    lists = yaml.safe_load(files("dataprep.html").joinpath("words", "metadata.yaml").read_text("utf-8"))["months"]
    for listed in lists.values():
        assert len(listed) == 12
        for number, forms in enumerate(listed, 1):
            for form in forms.split():
                for spelling in (form, form.capitalize(), form.upper()):
                    assert date(f"8 {spelling} 2019") == f"2019-{number:02}-08"


@given(st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2038, 1, 18)))
def test_what_iso_8601_writes_is_read_back(moment: datetime.datetime) -> None:
    moment = moment.replace(microsecond=0)
    assert date(moment.isoformat()) == moment.isoformat()
    assert date(moment.date().isoformat()) == moment.date().isoformat()
    assert date(moment.strftime("%d %B %Y")) == moment.date().isoformat()


@given(st.text(alphabet=st.sampled_from("0123456789 -/.:TZ+abFebmrzä年"), max_size=40))
def test_whatever_is_written_what_is_read_is_a_date(text: str) -> None:
    found = date(text)
    if found:
        datetime.datetime.fromisoformat(found)


@pytest.mark.parametrize(
    ("url", "iso"),
    [
        ("https://a.example/2019/02/08/story", "2019-02-08"),
        ("https://a.example/news-2019-02-08.html", "2019-02-08"),
        ("https://a.example/2019/02/story", ""),
        ("https://a.example/2019/0208/story", ""),
        ("https://a.example/120190208", ""),
        ("https://a.example/201902080", ""),
        ("https://a.example/2019/13/08/", ""),
        ("https://a.example/1900/01/01/", ""),
        ("https://a.example/2019/02/09/", ""),
        ("https://a.example/x?from=2019-02-08", ""),
        ("https://a.example/x#2019-02-08", ""),
        ("https://2019-02-08.example/x", ""),
        ("", ""),
    ],
)
def test_a_path_is_read_only_if_it_names_a_day(url: str, iso: str) -> None:
    assert path_date(url, divided=True) == iso


@pytest.mark.parametrize(
    ("url", "iso"),
    [
        ("https://a.example/20190208-story", "2019-02-08"),
        ("https://a.example/2019/02/08/story", ""),
        ("https://a.example/item?id=20190208", ""),
        ("https://a.example/20190209-story", ""),
        ("https://a.example/120190208", ""),
    ],
)
def test_eight_digits_are_told_from_a_date_that_is_divided(url: str, iso: str) -> None:
    assert path_date(url, divided=False) == iso


def path_date(url: str, divided: bool) -> str:
    line, out = np.frombuffer(url.encode() or b" ", np.uint8), np.zeros(LONGEST, np.uint8)
    return bytes(out[: find_path_date(line, len(line), divided, 20190208, out)]).decode()


@pytest.mark.parametrize(
    "text",
    [
        "Linux-6.18.24-fc-v669",
        "kernel 6.18.24-rc",
        "v1.2.2019",
        "a_20190208",
        "b-2019-02-08",
        "2019-02-08.txt",
        "1.2.2019.4",
    ],
)
def test_a_version_or_a_name_with_numbers_is_no_date(text: str) -> None:
    assert date(text) == ""


def test_a_date_whose_blank_got_lost_is_read() -> None:
    assert date("Erstellt am09.02.2019") == "2019-02-09"
    assert date("2019-02-08-05:00") == "2019-02-08"


def test_a_day_after_the_last_is_passed_over() -> None:
    assert date("9.2.2019, 8.2.2019", latest=20190208) == "2019-02-08"
    assert date("1.1.2099") == ""
