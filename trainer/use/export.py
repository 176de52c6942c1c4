"""A checkpoint as a directory that ``transformers`` loads without further code.

Decisions:
- The layout is ``LlamaForCausalLM``'s. It has no place for QK-norm; a model with that is the same as Qwen3 (Yang et al.
  2025), whose class differs from Llama's in nothing else, and is written as ``Qwen3ForCausalLM``.
- Weights keep their float32 unless asked otherwise, and the rows that pad the embedding: logits, and the probabilities
  made of them, are the trainer's. ``generation_config.json`` keeps padding ids from being drawn.
- ``tokenizer.json`` is the run's, byte for byte. Its EOS also begins a text (``bos_token``), as in training; a caller
  puts it there, the tokenizer does not.
- Weights above ``shard_bytes`` are spread over several files with an index, as ``save_pretrained`` does.
- The directory is written under a temporary name and renamed; one that is there is never touched.
"""

import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from trainer.config import ModelConfig
from trainer.files import TEMPORARY, sync_directory, write_file
from trainer.saved import record
from trainer.saved.trained import Trained, load_tokenizer

SHARD_BYTES = 5 * 10**9
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}

IN_BLOCK = {
    "attention_norm": "input_layernorm",
    "attention": "self_attn",
    "feed_forward_norm": "post_attention_layernorm",
    "feed_forward": "mlp",
}
OUTSIDE = {"embedding": "model.embed_tokens", "norm": "model.norm", "head": "lm_head"}


def export(trained: Trained, out: Path, dtype: str = "float32", shard_bytes: int = SHARD_BYTES) -> list[str]:
    """Write ``out``; returns the names of its files. Raises ``ValueError`` when it is there
    already, and for another ``dtype``."""
    if out.exists():
        raise ValueError(f"{out}: is there already; allowed is a directory that is not")
    if dtype not in DTYPES:
        raise ValueError(f"dtype is {dtype!r}: allowed are {', '.join(DTYPES)}")
    temporary = out.with_name(f"{TEMPORARY}{out.name}-{uuid.uuid4().hex[:8]}")
    temporary.mkdir(parents=True)
    try:
        for name, content in _files(trained, dtype, shard_bytes):
            write_file(temporary / name, content)
        sync_directory(temporary)
        temporary.rename(out)
    except BaseException:
        shutil.rmtree(temporary)
        raise
    sync_directory(out.parent)
    return sorted(path.name for path in out.iterdir())


def _files(trained: Trained, dtype: str, shard_bytes: int) -> Iterator[tuple[str, bytes]]:
    tensors = {
        llama_name(name): tensor.detach().to("cpu", DTYPES[dtype]) for name, tensor in trained.model.named_parameters()
    }
    shards = _shards(tensors, shard_bytes)
    names = [f"model-{number:05d}-of-{len(shards):05d}.safetensors" for number in range(1, len(shards) + 1)]
    if len(shards) == 1:
        names = ["model.safetensors"]
    else:
        owner = {tensor: name for name, shard in zip(names, shards, strict=True) for tensor in shard}
        size = sum(tensor.nbytes for tensor in tensors.values())
        yield "model.safetensors.index.json", _json({"metadata": {"total_size": size}, "weight_map": owner})
    for name, shard in zip(names, shards, strict=True):
        yield name, save({tensor: tensors[tensor].contiguous() for tensor in shard}, {"format": "pt"})
    rows = trained.model.embedding.num_embeddings
    eos_id = trained.eos_id
    yield "config.json", _json(llama_config(trained.config.model, rows, eos_id, dtype))
    padding = list(range(trained.vocabulary, rows))
    generation = {"bos_token_id": eos_id, "eos_token_id": eos_id, "pad_token_id": eos_id}
    yield "generation_config.json", _json(generation | ({"suppress_tokens": padding} if padding else {}))
    tokenizer = trained.folder / record.TOKENIZER
    if tokenizer.exists():
        yield record.TOKENIZER, tokenizer.read_bytes()
        eos = load_tokenizer(trained.folder).id_to_token(eos_id)
        yield (
            "tokenizer_config.json",
            _json(
                {
                    "tokenizer_class": "PreTrainedTokenizerFast",
                    "bos_token": eos,
                    "eos_token": eos,
                    "pad_token": eos,
                    "model_max_length": trained.config.model.context,
                    "clean_up_tokenization_spaces": False,
                }
            ),
        )


def llama_name(name: str) -> str:
    """A parameter's name in ``LlamaForCausalLM``, and in ``Qwen3ForCausalLM``."""
    first, _, rest = name.partition(".")
    if first != "blocks":
        return f"{OUTSIDE[first]}.{rest}"
    number, part, rest = rest.split(".", 2)
    return f"model.layers.{number}.{IN_BLOCK[part]}.{rest}"


def llama_config(config: ModelConfig, rows: int, eos_id: int, dtype: str) -> dict[str, Any]:
    """``config.json``; the rotary base stands where transformers 4 and where 5 look for it."""
    return {
        "architectures": ["Qwen3ForCausalLM" if config.qk_norm else "LlamaForCausalLM"],
        "model_type": "qwen3" if config.qk_norm else "llama",
        "attention_bias": False,
        "bos_token_id": eos_id,
        "eos_token_id": eos_id,
        "pad_token_id": None,
        "head_dim": config.head_width,
        "hidden_act": "silu",
        "hidden_size": config.width,
        "intermediate_size": config.feed_forward,
        "max_position_embeddings": config.context,
        "mlp_bias": False,
        "num_attention_heads": config.heads,
        "num_hidden_layers": config.layers,
        "num_key_value_heads": config.kv_heads,
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "tie_word_embeddings": config.tied_embeddings,
        "torch_dtype": dtype,
        "vocab_size": rows,
    }


def _shards(tensors: dict[str, Tensor], most: int) -> list[list[str]]:
    """Names in their order, a new shard wherever the next tensor would make it larger than ``most``."""
    shards: list[list[str]] = [[]]
    size = 0
    for name, tensor in tensors.items():
        if shards[-1] and size + tensor.nbytes > most:
            shards.append([])
            size = 0
        shards[-1].append(name)
        size += tensor.nbytes
    return shards


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()
