"""Whole documents in windows: nothing lost, hardly anything cut, and how many windows is known beforehand."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dataprep.shards import Manifest
from tests.trainer.conftest import random_documents, shard
from trainer.data.documents import Documents, Pieces
from trainer.data.packing import BLOCK, SLACK, Packed, pack
from trainer.data.stream import TokenStream


def best_fit_reference(lengths: list[int], windows: int, context: int) -> list[tuple[int, int, int, int]]:
    """(window, document, offset, length) of all pieces: a document at a time, every window looked at.

    Of windows that fit equally well it takes the one that was filled last, of empty ones the first.
    """
    pieces = []
    for document, length in enumerate(lengths):
        for offset in range(0, length // context * context, context):
            pieces.append((len(pieces), document, offset, context))
    rooms = dict.fromkeys(range(windows - 1, len(pieces) - 1, -1), context)
    for document in sorted(range(len(lengths)), key=lambda document: lengths[document] % context, reverse=True):
        left = lengths[document] % context
        while left:
            room = min((room for room in rooms.values() if room >= left), default=max(rooms.values()))
            window = [window for window in rooms if rooms[window] == room][-1]
            taken = min(left, room)
            pieces.append((window, document, lengths[document] - left, taken))
            del rooms[window]
            rooms[window] = room - taken
            left -= taken
    return pieces


def check_every_token_once(lengths: NDArray[np.int64], windows: int, context: int) -> NDArray[np.int64]:
    """Pack and prove it; returns how many pieces each document became."""
    packing = pack(lengths, windows, context)
    assert (packing.length > 0).all()
    assert np.bincount(packing.window, packing.length, minlength=windows).max() <= context
    order = np.lexsort((packing.offset, packing.document))
    document, offset, length = (a[order] for a in packing[1:])
    same = document[1:] == document[:-1]
    first = np.concatenate([[True], ~same])
    assert (offset[first] == 0).all()
    assert (offset[1:][same] == (offset + length)[:-1][same]).all()
    assert np.array_equal(np.bincount(document, length, minlength=len(lengths)), lengths)
    return np.bincount(document, minlength=len(lengths))


LENGTHS = st.one_of(
    st.lists(st.integers(1, 40), min_size=1, max_size=60),
    st.lists(st.sampled_from([2, 3, 7, 11]), min_size=1, max_size=60),
)


@given(LENGTHS, st.integers(1, 17), st.integers(0, 3))
def test_the_kernel_is_best_fit_decreasing_and_loses_no_token(lengths: list[int], context: int, spare: int) -> None:
    windows = -(-sum(lengths) // context) + spare
    packing = pack(np.array(lengths), windows, context)
    check_every_token_once(np.array(lengths), windows, context)
    pieces = zip(*(array.tolist() for array in packing), strict=True)
    assert list(pieces) == best_fit_reference(lengths, windows, context)


def test_more_tokens_than_room_are_refused() -> None:
    with pytest.raises(ValueError, match="33 tokens do not fit 2 windows of 16"):
        pack(np.array([30, 3]), 2, 16)


@pytest.mark.parametrize("context", [2_048, 8_192])
@pytest.mark.parametrize(
    ("lengths", "most_cut"),
    [
        ("web", 0.0),  # log-normal, median 500 tokens: documents of the web
        ("books", 0.1),
        ("empty", 0.0),  # an EOS each
        ("halves", 0.5),  # just over half a window: every second one must be cut, or half of all tokens were padding
    ],
)
def test_packing_throws_nothing_away_pads_under_half_a_percent_and_cuts_what_it_must(
    context: int, lengths: str, most_cut: float
) -> None:
    generator = np.random.default_rng(1)
    documents = {
        "web": np.exp(generator.normal(6.2, 1.1, 70_000)).astype(np.int64) + 1,
        "books": generator.integers(50_000, 150_000, 700),
        "empty": np.ones(300 * context, np.int64),
        "halves": generator.integers(context // 2 + 1, context // 2 + 99, 6_000),
    }[lengths]
    windows = BLOCK
    tokens = windows * context - windows * context // SLACK
    if documents.sum() > tokens:
        documents = documents[: np.searchsorted(np.cumsum(documents), tokens) + 1]
        documents[-1] -= documents.sum() - tokens
    else:
        windows = -(-int(documents.sum()) * SLACK // (context * (SLACK - 1)))
    pieces = check_every_token_once(documents, windows, context)
    assert 1 - documents.sum() / (windows * context) < 0.005
    cut = pieces > -(-documents // context)
    assert cut.mean() <= most_cut


def packed(folder: Path, tokens: range, context: int, block: int) -> Packed:
    """Over six shards of random documents."""
    written = [shard(folder, "a", "train", i, random_documents(i, 30, 60), 60) for i in range(6)]
    Manifest.build(str(folder), written).save()
    documents = Documents(TokenStream(Manifest.load(str(folder)), "train", 64))
    return Packed(documents, tokens.start, tokens.stop, context, block)


@pytest.mark.parametrize("tokens", [range(3_000), range(17, 2_950), range(40, 60), range(2_048)])
@pytest.mark.parametrize("block", [4, 64, 4_096])
def test_all_windows_together_are_the_stream_each_token_once(tmp_path: Path, tokens: range, block: int) -> None:
    layout = packed(tmp_path, tokens, 32, block)
    pieces = layout.pieces(np.arange(layout.count))
    order = np.argsort(pieces.start)
    start, length = pieces.start[order], pieces.length[order]
    assert start[0] == tokens.start
    assert np.array_equal(start[1:], (start + length)[:-1])
    assert start[-1] + length[-1] == tokens.stop
    assert np.array_equal(layout.targets(np.arange(layout.count)), np.bincount(pieces.row, pieces.length))
    assert layout.targets(np.arange(layout.count)).max() <= 32
    assert layout.count <= -(-len(tokens) * SLACK // (32 * (SLACK - 1)))


def test_a_document_that_fits_is_whole_and_no_piece_holds_two(tmp_path: Path) -> None:
    layout = packed(tmp_path, range(3_000), 64, 4_096)
    pieces = layout.pieces(np.arange(layout.count))
    cut = layout.documents.split(pieces)
    assert all(np.array_equal(a, b) for a, b in zip(cut, pieces, strict=True))
    begins = layout.documents.starts(0, 3_000)
    assert np.count_nonzero(~np.isin(begins, pieces.start)) == 0
    assert len(pieces.start) < 1.05 * len(begins)


def test_a_window_is_the_same_whatever_else_is_asked_for(tmp_path: Path) -> None:
    layout = packed(tmp_path, range(3_000), 32, 8)
    asked = np.array([70, 3, 3, 41, 0])
    together = layout.pieces(asked)
    for row, window in enumerate(asked):
        alone = layout.pieces(np.array([window]))
        assert np.array_equal(alone.start, together.start[together.row == row])
        assert np.array_equal(alone.length, together.length[together.row == row])


@given(st.integers(1, 1_000), st.integers(1, 9), st.text(max_size=3))
def test_an_epoch_of_packed_windows_is_a_bijection_and_any_place_of_it_is_known_at_once(
    tokens: int, block: int, key: str
) -> None:
    layout = Packed(None, 0, tokens, 8, block)  # type: ignore[arg-type]  # an order needs no document
    whole = layout.order(np.arange(layout.count), key)
    assert np.array_equal(np.sort(whole), np.arange(layout.count))
    some = np.arange(layout.count)[::-3]
    assert np.array_equal(layout.order(some, key), whole[some])


def test_epochs_differ_in_the_order_of_blocks_and_inside_them() -> None:
    layout = Packed(None, 0, 511 * 10, 8, 64)  # type: ignore[arg-type]  # ten blocks, a token of slack in each
    first, second = (layout.order(np.arange(layout.count), key).reshape(-1, 64) for key in "ab")
    assert (first // 64 == first[:, :1] // 64).all(), "a block's windows follow one another: its plan is made once"
    assert first[:, 0].tolist() != second[:, 0].tolist()
    inside = {tuple(row % 64) for row in (*first, *second)}
    assert len(inside) == 20


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Documents:
    """Shards of one to three documents each, of 1 to 9 tokens."""
    folder = tmp_path_factory.mktemp("tiny")
    written = [shard(folder, "a", "train", i, random_documents(i, 1 + i % 3, 60, 8), 60) for i in range(12)]
    Manifest.build(str(folder), written).save()
    return Documents(TokenStream(Manifest.load(str(folder)), "train", 64))


@given(st.data())
def test_pieces_are_cut_wherever_a_document_begins_also_across_shards(tiny: Documents, data: st.DataObject) -> None:
    tokens = tiny.stream.tokens
    begins = set(tiny.starts(0, tokens).tolist())
    spans = st.tuples(st.integers(0, tokens - 1), st.integers(1, tokens)).filter(lambda span: sum(span) <= tokens)
    pieces = data.draw(st.lists(st.tuples(st.integers(0, 3), spans), max_size=5).map(sorted))
    expected = []
    for row, (start, length) in pieces:
        cuts = [start, *(at for at in range(start + 1, start + length) if at in begins), start + length]
        expected += [(row, first, last - first) for first, last in pairwise(cuts)]
    columns = np.array([(row, *span) for row, span in pieces], np.int64).reshape(-1, 3).T
    found = tiny.split(Pieces(*columns))
    assert list(zip(*(array.tolist() for array in found), strict=True)) == expected
