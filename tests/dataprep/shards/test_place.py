"""Every token of a split has one place, and the place knows its document."""

import pytest

from dataprep.shards import locate, shard_of
from tests.dataprep.shards.corpus import corpus


def test_every_position_leads_to_its_token_and_document(tmp_path):
    manifest = corpus(tmp_path, documents=7, longest=5)
    for split in ("train", "validation"):
        position = 0
        for info in manifest.select(split):
            shard = manifest.open(info)
            for row in range(shard.documents):
                for index in range(len(shard.document(row))):
                    assert shard_of(manifest, split, position) == (info, int(shard.offsets[row]) + index)
                    place = locate(manifest, info, int(shard.offsets[row]) + index)
                    assert (place.row, place.index, place.doc_id) == (row, index, shard.doc_id(row))
                    assert place.end - place.first == len(shard.document(row))
                    position += 1
        for outside in (-1, position):
            with pytest.raises(ValueError, match=f"of split '{split}': there are {position}, the first is 0"):
                shard_of(manifest, split, outside)


def test_a_token_that_a_shard_does_not_have_is_refused(tmp_path):
    manifest = corpus(tmp_path)
    info = manifest.shards[0]
    for token in (-1, info.tokens):
        with pytest.raises(ValueError, match=f"of {info.path}: there are {info.tokens:,}"):
            locate(manifest, info, token)
    with pytest.raises(ValueError, match="of split 'test': there are 0"):
        shard_of(manifest, "test", 0)
