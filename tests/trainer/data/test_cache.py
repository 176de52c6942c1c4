"""The cache never shows half a piece, stays within its bound, and may be shared and killed at any moment."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trainer.data.cache import TEMPORARY, PieceCache


def pieces(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(TEMPORARY)
    }


def test_pieces_are_read_as_they_were_written_whole_and_in_part(tmp_path: Path) -> None:
    cache = PieceCache(tmp_path / "new" / "folder", 1000)
    assert cache.read("a/b") is None
    cache.write("a/b", b"0123456789")
    assert cache.read("a/b") == b"0123456789"
    assert cache.read("a/b", 3, 5) == b"34"
    assert cache.read("a/b", 8, 12) is None  # shorter than it should be
    assert PieceCache(tmp_path / "new" / "folder", 1000).read("a/b") == b"0123456789"


def test_the_least_recently_used_pieces_make_room(tmp_path: Path) -> None:
    cache = PieceCache(tmp_path, 1000)
    for number in range(8):
        cache.write(str(number), bytes(100))
        os.utime(tmp_path / str(number), (number, number))
    assert cache.read("0") is not None  # used just now
    cache.write("8", bytes(100))
    assert set(pieces(tmp_path)) == {"0", "2", "3", "4", "5", "6", "7", "8"}
    for number in range(9, 60):
        cache.write(str(number), bytes(100))
        assert sum(pieces(tmp_path).values()) <= 1000


def test_a_smaller_bound_is_kept_from_the_start(tmp_path: Path) -> None:
    cache = PieceCache(tmp_path, 10_000)
    for number in range(80):
        cache.write(str(number), bytes(100))
    PieceCache(tmp_path, 1000)
    assert 0 < sum(pieces(tmp_path).values()) <= 1000


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = PieceCache(tmp_path, 1000)

    def full(_self: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        cache.write("piece", b"x")
    assert [path.name for path in tmp_path.iterdir()] == [f"{TEMPORARY}lock"]


WRITER = """
import sys
from pathlib import Path
from trainer.data.cache import PieceCache
cache = PieceCache(Path(sys.argv[1]), 40_000_000)
print("ready", flush=True)
number = int(sys.argv[2])
while True:
    number = (number * 1103515245 + 12345) % 997
    name = f"{number % 7}/{number}"
    data = cache.read(name)
    assert data is None or data == bytes([number % 256]) * 500_000, name
    if data is None:
        cache.write(name, bytes([number % 256]) * 500_000)
"""


def test_processes_that_share_a_cache_and_are_killed_leave_only_whole_pieces(tmp_path: Path) -> None:
    for _ in range(2):
        running = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, str(tmp_path), str(seed)], stdout=subprocess.PIPE, text=True
            )
            for seed in (1, 2)
        ]
        for process in running:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        time.sleep(0.3)
        for process in running:
            assert process.poll() is None, "a process found half a piece"
            process.kill()
            process.wait()
            assert process.stdout
            process.stdout.close()
        found = pieces(tmp_path)
        assert found
        for name, size in found.items():
            assert size == 500_000
            assert set((tmp_path / name).read_bytes()) == {int(name.split("/")[1]) % 256}
        assert sum(found.values()) <= 40_000_000


def test_what_a_killed_process_left_is_removed_once_nobody_can_be_writing_it(tmp_path: Path) -> None:
    (tmp_path / f"{TEMPORARY}dead").write_bytes(b"half")
    (tmp_path / f"{TEMPORARY}busy").write_bytes(b"half")
    os.utime(tmp_path / f"{TEMPORARY}dead", (0, 0))
    PieceCache(tmp_path, 1000)
    assert {path.name for path in tmp_path.iterdir()} == {f"{TEMPORARY}busy", f"{TEMPORARY}lock"}


def test_many_threads_share_one_cache(tmp_path: Path) -> None:
    cache = PieceCache(tmp_path, 20_000)

    def use(seed: int) -> None:
        for number in range(seed, seed + 300):
            name = str(number % 50)
            data = cache.read(name)
            assert data in (None, name.encode() * 500)
            if data is None:
                cache.write(name, name.encode() * 500)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(use, range(0, 400, 100)))
    assert sum(pieces(tmp_path).values()) <= 20_000
