"""What a run kept of its model, read back without the task's data."""

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from intertask.errors import IntertaskError
from intertask.run import Run
from intertask.training import prepare, train
from intertask.training.model import HEADS, save_model, stored_model, stored_tasks
from intertask.training.train import predict


@pytest.mark.parametrize("settings", [{}, {"tuning": "lora", "pooling": "mean"}, {"scalar_mix": True}])
def test_a_stored_model_predicts_as_it_did(tmp_path, settings):
    run = Run(task="mini/rte", limit=64, num_train_epochs=1, max_length=64, learning_rate=1e-3, **settings)
    tasks = prepare(run)
    result = train(run, tasks, "mini/bert")
    save_model(result.model, tmp_path / "encoder")

    model = stored_model(run, tmp_path / "encoder")

    kept = stored_tasks(tmp_path / "encoder")["mini/rte"]
    assert kept["entry"]["labels"] == ["entailment", "not_entailment"]
    (part,) = model.parts
    rows = tasks["mini/rte"].splits["validation"]
    encoded = part.format.encode(rows, model.tokenizer, run.max_length)
    logits = predict(model, part, encoded, 64)["logits"]
    recorded = result.main.predictions.query("split == 'validation'")["logits"]
    assert np.allclose(np.stack(logits), np.stack(recorded), atol=1e-5)


def test_heads_without_names_are_refused(tmp_path):
    run = Run(task="mini/rte", limit=32, max_steps=1, max_length=64)
    save_model(train(run, prepare(run), "mini/bert").model, tmp_path / "encoder")
    save_file(load_file(tmp_path / "encoder" / HEADS), tmp_path / "encoder" / HEADS)  # as earlier versions did

    with pytest.raises(IntertaskError, match="--redo"):
        stored_model(run, tmp_path / "encoder")
