"""Encoders that read words beside what one would otherwise run: training a BiLSTM, and targets on a frozen one."""

import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from intertask.encoders.bilstm import BilstmConfig, BilstmModel
from intertask.encoders.pretrained import save_encoder
from intertask.encoders.word_tokenizer import WordTokenizer
from intertask.formats.heads import SIZES
from intertask.run import Run
from intertask.training import frozen, prepare, train
from intertask.training.mixing import Mixture
from intertask.training.model import build_model

SETTINGS = {"classifier": "medium", "max_length": 40, "per_device_train_batch_size": 32, "learning_rate": 1e-4}
CELLS = 512


def bilstm_speeds(task: str, limit: int, rounds: int = 3) -> list[tuple[float, float]]:
    """Per round, the examples per second of a plain PyTorch loop and of the lab: the same sizes, the same batches."""
    with tempfile.TemporaryDirectory() as folder:
        run, tasks = written(folder, Run(task=task, limit=limit, num_train_epochs=1, eval_steps=10**9, **SETTINGS))
        found = []
        for _ in range(rounds):
            plain = limit / plain_loop(run, tasks)
            found.append((plain, limit / train(run, tasks, run.encoder).seconds["train"]))
    return found


def frozen_speeds(task: str, limit: int, epochs: int = 5) -> tuple[float, float]:
    """Seconds of a target's training on a frozen encoder that reads every batch anew, and of a restart on kept states.

    Evaluations are in both; in the second so is reading what was kept.
    """
    with tempfile.TemporaryDirectory() as folder:
        run, tasks = written(folder, Run(task=task, limit=limit, num_train_epochs=epochs, tuning="frozen", **SETTINGS))
        train(run, tasks, run.encoder)  # which keeps the states
        kept = sum(train(run.model_copy(update={"seed": 1}), tasks, run.encoder).seconds.values())
        read, frozen.read_splits = frozen.read_splits, lambda *_: None
        try:
            anew = sum(train(run, tasks, run.encoder).seconds.values())
        finally:
            frozen.read_splits = read
    return anew, kept


def written(folder: str, run: Run):
    """The run on an untrained encoder with the published word vectors' sizes, and its tasks, with a small dev set."""
    save_encoder(BilstmModel(BilstmConfig(cell_size=CELLS)), WordTokenizer(), Path(folder))
    run = run.model_copy(update={"encoder": folder})
    tasks = prepare(run)
    for task in tasks.values():
        task.splits["validation"] = task.splits["validation"].head(64)
        task.splits.pop("test", None)
    return run, tasks


class Plain(nn.Module):
    """What one would write: torch's LSTMs on a table of word vectors, and a classifier as Wang et al. 2019's."""

    def __init__(self, words: int, size: int, width: int, labels: int):
        super().__init__()
        self.vectors = nn.Embedding(words, size).requires_grad_(False)
        self.lstm = nn.LSTM(size, CELLS, 2, batch_first=True, bidirectional=True, dropout=0.2)
        self.dropout = nn.Dropout(0.2)
        self.projection = nn.Linear(2 * CELLS + size, width)
        self.classifier = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Dropout(0.2), nn.Linear(width, labels))

    def forward(self, words: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        vectors = self.dropout(self.vectors(words))
        packed = pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        states = self.projection(torch.cat([self.dropout(states), vectors], dim=-1))
        padding = torch.arange(words.shape[1]) >= lengths[:, None]
        return self.classifier(states.masked_fill(padding[..., None], -torch.inf).amax(1))


def plain_loop(run: Run, tasks) -> float:
    """Seconds of one epoch."""
    torch.set_num_threads(run.threads)
    part = build_model(run, tasks, run.encoder).parts[0]
    encoded = part.encoded["train"]
    distinct, numbers = np.unique(encoded.inputs["input_ids"], axis=0, return_inverse=True)
    texts = [torch.from_numpy(one) for one in np.split(numbers.ravel(), encoded.starts[1:-1])]
    labels = torch.from_numpy(encoded.labels)
    model = Plain(len(distinct), 512, SIZES[run.classifier].width, len(part.task.entry.labels))
    weights = [one for one in model.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=run.learning_rate, fused=True)
    batches = Mixture(run, [encoded.lengths], [0.0], np.random.default_rng(0)).batches
    began = time.perf_counter()
    for ((_, index),) in batches:
        own = [texts[place] for place in index]
        logits = model(pad_sequence(own, batch_first=True), torch.tensor([len(one) for one in own]))
        nn.functional.cross_entropy(logits, labels[torch.from_numpy(index)]).backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return time.perf_counter() - began
