"""An exported directory against a plain Llama that reads it, and against transformers where that is installed."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor

from dataprep.shards import Manifest
from tests.trainer.conftest import byte_tokenizer, random_documents, shard, tiny_config
from trainer import loop, parallel
from trainer.prepare import prepare
from trainer.saved.trained import Trained, load_trained
from trainer.use.export import export

KINDS = ("model.tied_embeddings=true", "model.tied_embeddings=false", "model.qk_norm=true")
IDS = torch.randint(0, 257, (2, 16), generator=torch.Generator().manual_seed(1))


def trained_run(folder: Path, *assignments: str, steps: int = 2) -> Trained:
    """A short run on random bytes, with a tokenizer."""
    tokenizer = folder / "tokenizer.json"
    byte_tokenizer().save(str(tokenizer))
    written = [
        shard(folder / "shards", "a", "train", 0, random_documents(1, 20, 257), 257, tokenizer.read_bytes()),
    ]
    Manifest.build(str(folder / "shards"), written).save()
    config = tiny_config(*assignments, f"steps={steps}")
    with parallel.start(config) as ranks:
        run = prepare(str(folder / "shards"), folder / "run", config, str(tokenizer), ranks, lambda _line: None)
        loop.train(run)
    return load_trained(folder / "run")


def weights_of(out: Path) -> dict[str, Tensor]:
    return {name: tensor for path in sorted(out.glob("*.safetensors")) for name, tensor in load_file(path).items()}


def plain_llama(out: Path, ids_bt: Tensor) -> Tensor:
    """Llama as Touvron et al. 2023 describe it, a head at a time, from nothing but the directory."""
    config: dict[str, Any] = json.loads((out / "config.json").read_text())
    weights = weights_of(out)
    width, count = config["head_dim"], ids_bt.shape[1]
    angles = torch.arange(count)[:, None] * config["rope_theta"] ** (-torch.arange(0, width, 2) / width)

    def norm(x: Tensor, name: str) -> Tensor:
        return x / (x.square().mean(-1, keepdim=True) + config["rms_norm_eps"]).sqrt() * weights[f"{name}.weight"]

    def turned(x: Tensor) -> Tensor:
        a, b = x[..., : width // 2], x[..., width // 2 :]
        return torch.cat([a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()], -1)

    x = weights["model.embed_tokens.weight"][ids_bt]
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}"
        h = norm(x, f"{at}.input_layernorm")
        q, k, v = (h @ weights[f"{at}.self_attn.{one}_proj.weight"].T for one in "qkv")
        seen = []
        for head in range(config["num_attention_heads"]):
            shared = head // (config["num_attention_heads"] // config["num_key_value_heads"])
            mine, theirs = (slice(n * width, (n + 1) * width) for n in (head, shared))
            query, key = q[..., mine], k[..., theirs]
            if config["model_type"] == "qwen3":
                query, key = norm(query, f"{at}.self_attn.q_norm"), norm(key, f"{at}.self_attn.k_norm")
            scores = turned(query) @ turned(key).transpose(1, 2) / math.sqrt(width)
            scores = scores.masked_fill(torch.ones(count, count).triu(1).bool(), -torch.inf)
            seen.append(scores.softmax(-1) @ v[..., theirs])
        x = x + torch.cat(seen, -1) @ weights[f"{at}.self_attn.o_proj.weight"].T
        h = norm(x, f"{at}.post_attention_layernorm")
        gate, up, down = (weights[f"{at}.mlp.{one}_proj.weight"].T for one in ("gate", "up", "down"))
        x = x + (h @ gate * torch.sigmoid(h @ gate) * (h @ up)) @ down
    head = "model.embed_tokens.weight" if config["tie_word_embeddings"] else "lm_head.weight"
    return norm(x, "model.norm") @ weights[head].T


@pytest.mark.parametrize("kind", KINDS)
def test_a_plain_llama_that_reads_the_directory_has_our_logits(tmp_path: Path, kind: str) -> None:
    trained = trained_run(tmp_path, kind)
    out = tmp_path / "out"
    names = ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    assert export(trained, out) == names
    assert torch.allclose(plain_llama(out, IDS), trained.model(IDS), atol=1e-4)
    assert all(tensor.dtype == torch.float32 for tensor in weights_of(out).values())


@pytest.mark.parametrize("kind", KINDS)
def test_transformers_loads_it_without_a_word_and_has_our_logits(tmp_path: Path, kind: str) -> None:
    transformers = pytest.importorskip("transformers")
    trained = trained_run(tmp_path, kind)
    out = tmp_path / "out"
    export(trained, out)
    named = transformers.Qwen3ForCausalLM if kind == "model.qk_norm=true" else transformers.LlamaForCausalLM
    for loader in (named, transformers.AutoModelForCausalLM):
        model, said = loader.from_pretrained(out, output_loading_info=True)
        assert not any(said[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
        with torch.no_grad():
            assert torch.allclose(model(IDS).logits, trained.model(IDS), atol=1e-4)
    tokenizer = transformers.AutoTokenizer.from_pretrained(out)
    text = "Once é, upon"
    assert tokenizer(text).input_ids == byte_tokenizer().encode(text).ids
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.model_max_length) == (0, 0, 16)
    drawn = model.generate(
        torch.zeros(64, 1, dtype=torch.int64), do_sample=True, temperature=50.0, top_k=0, max_length=16
    )
    assert 200 < drawn.max() < 257  # padding of the embedding is never drawn


def test_the_files_say_what_the_model_is(tmp_path: Path) -> None:
    trained = trained_run(tmp_path, "model.rope_theta=500000", "model.norm_eps=1e-6")
    out = tmp_path / "out"
    export(trained, out, "bfloat16")
    config = json.loads((out / "config.json").read_text())
    wanted = {
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "num_hidden_layers": 2,
        "max_position_embeddings": 16,
        "rope_theta": 500_000,
        "rms_norm_eps": 1e-6,
        "vocab_size": 320,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "torch_dtype": "bfloat16",
    }
    assert {name: config[name] for name in wanted} == wanted
    weights = weights_of(out)
    assert all(tensor.dtype == torch.bfloat16 for tensor in weights.values())
    assert "lm_head.weight" not in weights
    assert len(weights) == 2 + 2 * 9
    assert sum(tensor.numel() for tensor in weights.values()) == trained.model.parameter_count()
    with safe_open(out / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}
    generation = json.loads((out / "generation_config.json").read_text())
    assert generation["suppress_tokens"] == list(range(257, 320))
    assert json.loads((out / "tokenizer_config.json").read_text())["eos_token"] == "<eos>"
    assert Tokenizer.from_file(str(out / "tokenizer.json")).get_vocab_size() == 257


def test_weights_above_the_bound_are_spread_over_files_and_the_index_finds_each(tmp_path: Path) -> None:
    trained = trained_run(tmp_path)
    export(trained, tmp_path / "one")
    export(trained, tmp_path / "many", shard_bytes=8_000)
    whole = weights_of(tmp_path / "one")
    index = json.loads((tmp_path / "many" / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == sum(tensor.nbytes for tensor in whole.values())
    assert list(index["weight_map"]) == sorted(whole)
    files = sorted(set(index["weight_map"].values()))
    assert files == [f"model-{n:05d}-of-{len(files):05d}.safetensors" for n in range(1, len(files) + 1)]
    assert 2 < len(files) < len(whole)
    for name, file in index["weight_map"].items():
        assert torch.equal(load_file(tmp_path / "many" / file)[name], whole[name])
    for file in files[1:]:  # the first holds the embedding alone, which is larger
        assert sum(tensor.nbytes for tensor in load_file(tmp_path / "many" / file).values()) <= 8_000


def test_a_directory_that_is_there_is_not_touched_and_a_failure_leaves_none(tmp_path: Path) -> None:
    trained = trained_run(tmp_path)
    out = tmp_path / "deep" / "out"
    with pytest.raises(ValueError, match="dtype is 'int8': allowed are float32, bfloat16"):
        export(trained, out, "int8")
    (trained.folder / "tokenizer.json").write_text("{")
    with pytest.raises(Exception, match="EOF"):
        export(trained, out)
    assert list(out.parent.iterdir()) == []
    out.mkdir()
    with pytest.raises(ValueError, match="is there already"):
        export(trained, out)
    assert list(out.iterdir()) == []
