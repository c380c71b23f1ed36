"""What was exported, held against the run: its tokens, its logits and its predictions on dev examples."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import transformers

from intertask.errors import number_of, refusal
from intertask.formats.extractive_qa import OVERLAP, ExtractiveQA
from intertask.studies import store
from intertask.training.batches import by_length
from intertask.training.model import Model, Part
from intertask.use.choice import Chosen
from intertask.use.plain import INSTEAD, plain_logits

AT_ONCE = 16
"""Examples of a batch."""
TOLERANCE = 1e-3
"""The largest difference of a logit that is not refused."""


@dataclass
class Check:
    """How what was written agrees: the largest difference of a logit from the stored model's, and from the recorded
    ones (None: none are kept); how many of `examples` predictions are the recorded ones (None: they have no rows).

    carried: two layers of a class of transformers hold the one of the run.
    """

    apart: float
    recorded: float | None
    equal: int | None
    examples: int
    carried: bool = False


@torch.inference_mode()
def held_against(chosen: Chosen, model: Model, part: Part, rows: pd.DataFrame, plain, folder: Path) -> Check:
    """Predicts rows with what lies in the folder; refused where that differs from the stored model, or the record."""
    run, form = chosen.run, part.format
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    encoded = form.encode(rows, tokenizer, run.max_length)
    _refuse_other_tokens(part, rows, encoded, tokenizer)
    plain, apart, found, rng = plain.to(model.device), [], [], np.random.default_rng(0)
    for index in by_length(encoded.lengths, AT_ONCE):
        batch = model.batch(part, encoded, index, rng)
        own = model.head(part)(model.reads(part, *model.outputs([batch]), batch), batch)
        given = plain_logits(plain, model.head(part), part, batch, tokenizer.model_input_names)
        apart.append(_largest(own.cpu().numpy(), given.cpu().numpy()))
        found.append(form.predictions(given.cpu().numpy(), encoded, index, batch))
    found = pd.concat(found).sort_values("row", kind="stable", ignore_index=True)
    check = _against_record(chosen, found, float(np.max(apart)))  # which passes on what is not a number
    worst = np.max([check.apart, check.recorded or 0.0]) if chosen.precision == "float32" else check.apart
    if not worst <= TOLERANCE:
        expected, remedy = (
            f"logits within {TOLERANCE} of those of {chosen.record['id']}",
            f"Nothing is written; {INSTEAD}.",
        )
        raise refusal(type(plain).__name__, expected, f"differences up to {worst:.2g}", remedy)
    return check


def _largest(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference; where both are -inf, as of absent choices, there is none."""
    apart = np.subtract(one, other, where=one != other, out=np.zeros(one.shape))
    return float(np.abs(apart).max(initial=0.0))


def _against_record(chosen: Chosen, found: pd.DataFrame, apart: float) -> Check:
    recorded = pd.read_parquet(store.predictions_file(chosen.folder, chosen.task))
    recorded = recorded[(recorded["split"] == chosen.outcome["reported"]) & recorded["row"].isin(found["row"])]
    if (found["row"] < 0).any():  # of tokens, whose rows are not kept
        return Check(apart, None, None, len(found))
    if len(recorded) != len(found):
        expected, remedy = (
            f"{number_of(len(found), 'prediction')} on the dev set",
            "Has the data changed? Run the task again.",
        )
        raise refusal(chosen.record["id"], expected, f"{len(recorded)} recorded", remedy)
    kept = "logits" in recorded and recorded["logits"].notna().all()
    logits = _largest(np.stack(found["logits"]), np.stack(recorded["logits"])) if kept else None
    pairs = zip(found["prediction"], recorded["prediction"], strict=True)
    same = np.array([np.array_equal(mine, theirs) for mine, theirs in pairs])  # of several labels arrays
    if found["prediction"].dtype.kind == "f":
        same = np.isclose(found["prediction"].to_numpy(), recorded["prediction"].to_numpy(), atol=TOLERANCE)
    return Check(apart, logits, int(same.sum()), len(found))


def _refuse_other_tokens(part: Part, rows: pd.DataFrame, encoded, tokenizer) -> None:
    """Refuses a tokenizer that, called as anyone would, gives other ids than the run read."""
    how: dict[str, Any] = {"truncation": True}
    if isinstance(part.format, ExtractiveQA):
        stride = int(OVERLAP * tokenizer.model_max_length)
        how = {"truncation": "only_second", "stride": stride, "return_overflowing_tokens": True}
    given = tokenizer(*map(list, part.format.texts(rows)), **how)["input_ids"]
    own = np.split(encoded.inputs["input_ids"], encoded.starts[1:-1])
    if len(given) != len(own) or any(list(one) != other.tolist() for one, other in zip(given, own, strict=True)):
        expected, remedy = "a tokenizer that reads the dev set as the run did", f"Nothing is written; {INSTEAD}."
        raise refusal(type(tokenizer).__name__, expected, "one that gives other tokens", remedy)


def match_in_words(chosen: Chosen, check: Check) -> str:
    """In a sentence how the exported model agrees with the run."""
    words = f"Loaded anew by plain transformers, its logits are within {check.apart:.1e} of the run's own model"
    if check.recorded is not None:
        words += f", and within {check.recorded:.1e} of the recorded ones"
    if check.equal is not None:
        words += f"; {check.equal} of {number_of(check.examples, 'prediction')} equal the recorded ones"
    if chosen.precision != "float32":
        words += f"; what is recorded was computed in {chosen.precision}"
    return f"{words} ({chosen.task}, {chosen.outcome['reported']})."
