"""transformers' Trainer with a LlamaForCausalLM of our shape, on one file of ids; see ``benchmarks/training.py``.

RIVALS/bin/python benchmarks/rivals/training_transformers.py SETTINGS.json
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainerCallback, TrainingArguments


class Windows(torch.utils.data.Dataset):  # type: ignore[type-arg]
    def __init__(self, path: str, context: int) -> None:
        self.ids, self.context = np.memmap(path, np.uint16, "r"), context

    def __len__(self) -> int:
        return len(self.ids) // self.context

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        window = torch.from_numpy(self.ids[index * self.context : (index + 1) * self.context].astype(np.int64))
        return {"input_ids": window, "labels": window}


class Clock(TrainerCallback):
    def __init__(self, warm: int) -> None:
        self.warm = warm
        self.used: dict[str, float] = {}

    def on_step_begin(self, _arguments: Any, state: Any, _control: Any, **_: Any) -> None:
        if state.global_step == self.warm:
            self.wall, self.cpu = time.perf_counter(), time.process_time()

    def on_train_end(self, *_: Any, **__: Any) -> None:
        self.used = {"wall": time.perf_counter() - self.wall, "cpu": time.process_time() - self.cpu}


def main() -> None:
    settings = json.loads(Path(sys.argv[1]).read_text())
    torch.set_num_threads(settings["threads"])
    config = LlamaConfig(
        vocab_size=settings["vocabulary"],
        hidden_size=settings["width"],
        intermediate_size=settings["feed_forward"],
        num_hidden_layers=settings["layers"],
        num_attention_heads=settings["heads"],
        num_key_value_heads=settings["kv_heads"],
        max_position_embeddings=settings["context"],
        tie_word_embeddings=True,
        use_cache=False,
    )
    model, clock = LlamaForCausalLM(config), Clock(settings["warm"])
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=settings["rows"],
            max_steps=settings["warm"] + settings["steps"],
            learning_rate=settings["rate"],
            optim="adamw_torch_fused",
            weight_decay=0.1,
            use_cpu=True,
            report_to=[],
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
        )
        windows = Windows(settings["ids"], settings["context"])
        loss = Trainer(model, arguments, train_dataset=windows, callbacks=[clock]).train().training_loss
    print(json.dumps(clock.used | {"loss": loss, "parameters": sum(p.numel() for p in model.parameters())}))


if __name__ == "__main__":
    main()
