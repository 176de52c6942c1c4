"""A checkpoint is whole or not there."""

import os
import pickle
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainer.test_optim import stepped
from trainer.optim import optimizer_tensors
from trainer.saved.checkpoint import (
    CHECKSUMS,
    INDEX,
    LATEST,
    STATE,
    CheckpointError,
    Saver,
    checkpoints,
    load_checkpoint,
)

MODEL, OPTIMIZER = "model-00000.safetensors", "optimizer-00000.safetensors"


class Killed(BaseException):
    """Unwinds like a kill: nothing in the trainer catches it."""


def save(folder: Path, step: int, keep: int = 3, keep_every: int | None = None) -> Path:
    model, optimizer = stepped(1)
    with torch.no_grad():
        model.norm.weight.fill_(step)
    with Saver(folder, keep, keep_every) as saver:
        saver.save(step, model, optimizer, {"manifest": "m", "tokens": step * 10})
    return folder / f"step-{step:08d}"


def load(folder: Path) -> tuple[int | None, list[str]]:
    said: list[str] = []
    checkpoint = load_checkpoint(folder, said.append)
    if checkpoint:
        assert checkpoint.model["norm.weight"][0] == checkpoint.step
    return checkpoint and checkpoint.step, said


def test_what_was_saved_is_what_is_loaded(tmp_path: Path) -> None:
    model, optimizer = stepped(3)
    torch.manual_seed(5)
    with Saver(tmp_path, 3) as saver:
        saver.save(3, model, optimizer, {"manifest": "m", "monitor": {"seen": [1, None]}})
    drawn = torch.rand(4)
    other, fresh = stepped(0)
    checkpoint = load_checkpoint(tmp_path, print)
    assert checkpoint is not None
    assert checkpoint.state["monitor"] == {"seen": [1, None]}
    checkpoint.restore(other, fresh)
    assert torch.equal(torch.rand(4), drawn)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        assert all(torch.equal(optimizer.state[a][slot], fresh.state[b][slot]) for slot in optimizer.state[a])


def test_a_kill_at_any_point_of_a_save_leaves_the_last_whole_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stops at every flush, rename and removal in turn; whatever the disk then holds must load."""
    reached = 0
    for point in range(100):
        folder = tmp_path / str(point)
        save(folder, 1, keep=2)
        save(folder, 2, keep=2)
        left = point

        def stops(original: Any) -> Any:
            def wrapped(*args: Any, **kwargs: Any) -> Any:
                nonlocal left
                if left == 0:
                    raise Killed
                left -= 1
                return original(*args, **kwargs)

            return wrapped

        with monkeypatch.context() as patch:
            for owner, name in ((os, "fsync"), (Path, "rename"), (Path, "replace"), (Path, "mkdir")):
                patch.setattr(owner, name, stops(getattr(owner, name)))
            try:
                save(folder, 3, keep=2)
                finished = True
            except Killed:
                finished = False
        step, said = load(folder)
        assert step in (2, 3)
        assert said == []
        assert not finished or step == 3
        save(folder, 3, keep=2)
        assert load(folder) == (3, [])
        assert not list(folder.glob(".tmp-*"))
        if finished:
            break
        reached += 1
    assert 10 < reached < 99


@pytest.mark.parametrize("name", [MODEL, OPTIMIZER, INDEX, STATE, CHECKSUMS])
def test_a_flipped_byte_is_found_named_and_the_checkpoint_before_it_used(tmp_path: Path, name: str) -> None:
    save(tmp_path, 1)
    broken = save(tmp_path, 2) / name
    content = bytearray(broken.read_bytes())
    content[len(content) // 2] ^= 4
    broken.write_bytes(content)
    step, said = load(tmp_path)
    assert step == 1
    assert len(said) == 1
    assert "step-00000002" in said[0]


def test_a_missing_file_is_as_bad_as_a_flipped_byte(tmp_path: Path) -> None:
    save(tmp_path, 1)
    (save(tmp_path, 2) / OPTIMIZER).unlink()
    assert load(tmp_path)[0] == 1


def test_when_no_checkpoint_is_whole_it_says_so_and_does_not_start_over_in_silence(tmp_path: Path) -> None:
    (save(tmp_path, 1) / MODEL).write_bytes(b"")
    with pytest.raises(ValueError, match="none of 1 checkpoints is whole"):
        load_checkpoint(tmp_path, lambda _line: None)


def test_no_checkpoint_yet_is_none(tmp_path: Path) -> None:
    assert load(tmp_path / "absent") == (None, [])


def test_an_unreadable_pointer_falls_back_to_the_newest(tmp_path: Path) -> None:
    save(tmp_path, 1)
    save(tmp_path, 2)
    (tmp_path / LATEST).write_bytes(b"\xff\x00")
    assert load(tmp_path)[0] == 2


def test_the_newest_k_are_kept(tmp_path: Path) -> None:
    for step in range(1, 6):
        save(tmp_path, step, keep=2)
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000005", "step-00000004"]


def test_what_is_there_of_later_steps_takes_no_place_among_the_newest_k(tmp_path: Path) -> None:
    for step in (8, 9):
        (save(tmp_path, step, keep=2) / MODEL).write_bytes(b"")
    for step in range(1, 5):
        save(tmp_path, step, keep=2)
    assert [path.name[-1] for path in checkpoints(tmp_path)] == ["9", "8", "4", "3"]
    assert load(tmp_path) == (4, [])


def test_those_of_every_so_many_steps_are_kept_for_good(tmp_path: Path) -> None:
    for step in range(1, 10):
        save(tmp_path, step, keep=2, keep_every=3)
    assert [path.name[-1] for path in checkpoints(tmp_path)] == ["9", "8", "6", "3"]


def test_a_save_holds_the_moment_it_was_asked_for_and_the_next_one_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, flush = threading.Event(), os.fsync

    def waits(descriptor: int) -> None:
        slow.wait(60)
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", waits)
    model, optimizer = stepped(1)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    with Saver(tmp_path, 3) as saver:
        saver.save(1, model, optimizer, {})
        with torch.no_grad():
            for tensor in (*model.parameters(), *optimizer_tensors(model, optimizer).values()):
                tensor.fill_(7)
        second = threading.Thread(target=saver.save, args=(2, model, optimizer, {}))
        second.start()
        second.join(0.1)
        assert second.is_alive()
        assert checkpoints(tmp_path) == []
        slow.set()
        second.join()
    assert len(checkpoints(tmp_path)) == 2
    (tmp_path / LATEST).write_text("step-00000001")
    other, fresh = stepped(0)
    checkpoint = load_checkpoint(tmp_path, print)
    assert checkpoint is not None
    checkpoint.restore(other, fresh)
    assert all(torch.equal(a, b) for a, b in zip(before, other.parameters(), strict=True))
    assert all((tensor != 7).any() for tensor in optimizer_tensors(other, fresh).values())


def test_a_save_that_fails_is_an_error_of_the_next_one_and_of_the_end(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    model, optimizer = stepped(1)
    with pytest.raises(CheckpointError, match=r"checkpoint .*step-00000002: rank 0: "):  # noqa: SIM117
        with Saver(tmp_path / "file", 3) as saver:
            saver.save(1, model, optimizer, {})
            with pytest.raises(CheckpointError, match=r"checkpoint .*step-00000001: rank 0: "):
                saver.save(2, model, optimizer, {})
            saver.save(2, model, optimizer, {})


def test_a_damaged_checkpoint_is_replaced_when_its_step_is_reached_again(tmp_path: Path) -> None:
    save(tmp_path, 1)
    (save(tmp_path, 2) / MODEL).write_bytes(b"")
    assert load(tmp_path)[0] == 1
    save(tmp_path, 2)
    assert load(tmp_path) == (2, [])


def test_loading_never_unpickles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise AssertionError("unpickled")

    save(tmp_path, 1)
    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    monkeypatch.setattr(torch, "load", refuse)
    assert load(tmp_path)[0] == 1
