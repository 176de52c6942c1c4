"""Files are whole or absent, here and on an object store."""

import os
import subprocess
import sys
import time

import fsspec
import pytest

from dataprep import storage


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path):
    path = str(tmp_path / "a.bin")
    storage.write_bytes(path, b"old")
    with pytest.raises(RuntimeError), storage.open_atomic(path) as handle:
        handle.write(b"new")
        raise RuntimeError("disk on fire")
    assert storage.read_bytes(path) == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_killed_write_leaves_no_file_under_its_name(tmp_path):
    script = (
        "import sys, time\nfrom dataprep import storage\n"
        "with storage.open_atomic(sys.argv[1]) as f:\n"
        "    f.write(b'x' * 100000); f.flush(); print('written', flush=True); time.sleep(60)\n"
    )
    target = str(tmp_path / "part.parquet")
    child = subprocess.Popen([sys.executable, "-c", script, target], stdout=subprocess.PIPE)
    assert child.stdout
    child.stdout.readline()
    child.kill()
    child.wait()
    assert not os.path.exists(target)
    assert storage.list_files(str(tmp_path)) == []  # the temporary file is there, and no listing shows it
    assert len(os.listdir(tmp_path)) == 1


@pytest.mark.parametrize("make", [storage.open_atomic, storage.directory_atomic])
@pytest.mark.parametrize("name", ["file/x", "file/x/y"])
def test_a_place_that_cannot_be_written_is_named_as_it_was_given(tmp_path, make, name):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="cannot be written: ") as caught, make(f"{tmp_path}/{name}"):
        raise AssertionError("nothing is begun")
    assert caught.value.filename == f"{tmp_path}/{name}"


def test_a_file_is_not_written_over_a_directory(tmp_path):
    with pytest.raises(IsADirectoryError) as caught:
        storage.write_bytes(str(tmp_path), b"x")
    assert caught.value.filename == str(tmp_path)
    assert os.listdir(tmp_path) == []


def test_an_object_store_gets_whole_objects_only():
    path = "memory://bucket/a/b.json"
    storage.write_json(path, {"b": 1, "a": [2]})
    assert storage.read_json(path) == {"a": [2], "b": 1}
    with pytest.raises(RuntimeError), storage.open_atomic("memory://bucket/a/c.json") as handle:
        handle.write(b"half")
        raise RuntimeError
    assert [file.path for file in storage.list_files("memory://bucket/a")] == ["memory:///bucket/a/b.json"]
    storage.remove_tree("memory://bucket/a")
    assert not fsspec.filesystem("memory").exists("/bucket/a/b.json")


def test_listings_are_sorted_and_a_missing_directory_is_empty(tmp_path):
    for name in ("b.txt", "a.txt", "c.bin"):
        (tmp_path / name).write_text(name)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "d.txt").write_text("d")
    names = [os.path.basename(f.path) for f in storage.list_files(str(tmp_path), ".txt")]
    assert names == ["a.txt", "b.txt"]
    assert len(storage.list_files(str(tmp_path), ".txt", recursive=True)) == 3
    assert storage.list_files(str(tmp_path / "nowhere")) == []


def test_removing_a_tree_takes_everything(tmp_path):
    (tmp_path / "x" / "y").mkdir(parents=True)
    (tmp_path / "x" / "y" / "z").write_text("z")
    storage.remove_tree(str(tmp_path / "x"))
    storage.remove_tree(str(tmp_path / "x"))
    assert os.listdir(tmp_path) == []


def test_a_removal_that_was_killed_is_finished_by_sweeping(tmp_path):
    half = tmp_path / f"_work{storage.TEMPORARY}12345678"
    (half / "p=00000").mkdir(parents=True)
    (half / "p=00000" / "00000.arrow").write_text("x")
    (tmp_path / "part.parquet").write_text("whole")
    assert [os.path.basename(f.path) for f in storage.list_files(str(tmp_path), recursive=True)] == ["part.parquet"]
    storage.sweep(str(tmp_path))
    assert os.listdir(tmp_path) == ["part.parquet"]


def test_linked_folders_are_read_once_and_circles_end(tmp_path):
    (tmp_path / "real" / "inner").mkdir(parents=True)
    (tmp_path / "real" / "inner" / "a.txt").write_text("a")
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "circle").symlink_to(tmp_path / "corpus")
    found = storage.list_files(str(tmp_path / "corpus"), recursive=True)
    assert [os.path.relpath(f.path, tmp_path) for f in found] == ["corpus/link/inner/a.txt"]


def test_damaged_json_is_named(tmp_path):
    (tmp_path / "_stage.json").write_text("{half")
    with pytest.raises(ValueError, match=r"_stage\.json is damaged"):
        storage.read_json(str(tmp_path / "_stage.json"))


def test_one_place_has_one_spelling(tmp_path):
    assert storage.absolute(f"file://{tmp_path}/x") == storage.absolute(f"{tmp_path}/y/../x") == f"{tmp_path}/x"
    assert storage.absolute("gs://bucket/x") == "gs://bucket/x"


def test_a_file_changed_in_place_has_another_version(tmp_path):
    path = tmp_path / "a"
    path.write_text("one")
    before = storage.list_files(str(path))[0]
    time.sleep(0.01)
    path.write_text("two")
    assert storage.list_files(str(path))[0] != before
