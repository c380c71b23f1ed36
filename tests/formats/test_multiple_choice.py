"""Multiple choice from data to predictions: choices as columns and as lists, and fewer of them in some rows."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from intertask.errors import IntertaskError
from intertask.formats import FORMATS
from intertask.tasks.load import load_task
from intertask.tasks.schema import TaskEntry

ENTRY = {
    "format": "multiple_choice",
    "inputs": ["a", "b"],
    "choices": ["c"],
    "label": "label",
    "labels": ["1", "2", "3"],
}


def form(**changes):
    return FORMATS["multiple_choice"](TaskEntry(name="t", mini="hellaswag", **ENTRY | changes))


def rows() -> pd.DataFrame:
    """Two examples, of two and of three choices."""
    texts = {"a": ["a dog", "a"], "b": ["is", "is a"], "choices": [["a", "a a"], ["a", "a a a", "a a"]]}
    return pd.DataFrame(texts, index=[5, 9]).assign(label=[1, 2])


def test_every_choice_is_a_sequence_beside_its_context(encoder):
    tokenizer = encoder[1]
    encoded = form().encode(rows(), tokenizer, 16)
    assert encoded.counts.tolist() == [2, 3] and encoded.firsts.tolist() == [0, 2, 5]
    # [CLS] a dog [SEP] is a a [SEP] is 8 tokens, [CLS] a [SEP] is a a a a [SEP] is 9
    assert encoded.lengths.tolist() == [8, 9] and encoded.rows.index.tolist() == [5, 9]
    batch = form().collate(encoded, np.array([1, 0]), tokenizer, None)
    read = tokenizer.batch_decode(batch["input_ids"], skip_special_tokens=True)
    assert read == ["a is a a", "a is a a a a", "a is a a a", "a dog is a", "a dog is a a"]
    assert batch["present"].tolist() == [[True, True, True], [True, True, False]]
    assert batch["labels"].tolist() == [2, 1]


def test_an_example_is_truncated_if_one_of_its_choices_is(encoder):
    assert form().encode(rows(), encoder[1], 8).truncated == 1
    assert form().encode(rows(), encoder[1], 9).truncated == 0


def test_an_absent_choice_is_never_chosen_and_costs_nothing(encoder):
    model, tokenizer = encoder
    batch = form().collate(form().encode(rows(), tokenizer, 16), np.array([0, 1]), tokenizer, None)
    head = form().head(model, "first").eval()
    inputs = {name: batch[name] for name in ("input_ids", "token_type_ids", "attention_mask")}
    logits = head(head.reads(model(**inputs), batch), batch)
    assert logits.shape == (2, 3) and torch.isinf(logits).tolist() == [[False, False, True], [False] * 3]
    known = torch.tensor([[0.0, 0.0, -torch.inf], [0.0, 0.0, 0.0]], requires_grad=True)
    loss = form().loss(known, batch)
    assert loss.item() == pytest.approx((np.log(2) + np.log(3)) / 2)
    loss.backward()
    assert known.grad.isfinite().all() and known.grad[0, 2] == 0
    assert form().predict(np.array([[-9.0, -8.0, -np.inf]])).tolist() == [1]


@pytest.fixture
def own(tmp_path):
    """Writes a task of one's own and gives its task file."""

    def write(name: str, text: str, **entry) -> str:
        (tmp_path / name).write_text(text)
        fields = {"files": {"train": name, "validation": name}, "format": "multiple_choice", "inputs": ["ask"]} | entry
        (tmp_path / "tasks.yaml").write_text(json.dumps({"quiz": fields}))
        return str(tmp_path / "tasks.yaml")

    return write


CSV = "ask,one,two,three,right\nx,a,b,c,0\ny,d,e,,1\n"
COLUMNS = {"choices": ["one", "two", "three"], "label": "right"}


def test_a_column_for_each_choice_of_which_some_rows_have_fewer(own):
    task = load_task("quiz", own("quiz.csv", CSV, **COLUMNS))
    assert task.splits["train"].to_dict("list") == {
        "ask": ["x", "y"],
        "choices": [["a", "b", "c"], ["d", "e"]],
        "label": [0, 1],
    }
    assert task.entry.labels == ["0", "1", "2"]


@pytest.mark.parametrize("column, wrap", [("c", lambda texts: texts), ("c.text", lambda texts: {"text": texts})])
def test_a_list_of_choices(own, column, wrap):
    lines = [{"ask": "x", "c": wrap(["a", "b"]), "right": "B"}, {"ask": "y", "c": wrap(["d", "e"]), "right": "A"}]
    text = "\n".join(map(json.dumps, lines))
    task = load_task("quiz", own("quiz.jsonl", text, choices=[column], label="right", labels=["A", "B"]))
    assert task.splits["train"]["choices"].tolist() == [["a", "b"], ["d", "e"]]
    assert task.splits["train"]["label"].tolist() == [1, 0]


@pytest.mark.parametrize(
    "line, words",
    [
        ("y,d,e,,2", ["row 2", "one of the row's 2 choices", "number 3", "Correct the label or the choices"]),
        ("y,d,,,0", ["row 2", "two or more texts", "['d']"]),
        ("y,d,e,f,3", ["row 2", "one of 0, 1, 2", "'3'"]),
    ],
)
def test_a_row_that_cannot_be_answered_is_refused(own, line, words):
    with pytest.raises(IntertaskError) as refusal:
        load_task("quiz", own("quiz.csv", CSV.rsplit("\n", 2)[0] + f"\n{line}\n", **COLUMNS))
    assert all(word in str(refusal.value) for word in words)


def test_choices_belong_to_multiple_choice_alone(own):
    with pytest.raises(IntertaskError, match="choices for cloze and multiple_choice and for nothing else"):
        load_task("quiz", own("quiz.csv", CSV, label="right"))
    with pytest.raises(IntertaskError, match="choices for cloze and multiple_choice and for nothing else"):
        load_task("quiz", own("quiz.csv", CSV, **COLUMNS, format="classification"))


def test_shuffled_labels_stay_among_the_choices_of_their_rows():
    frame = pd.DataFrame({"choices": [["a"] * 2, ["a"] * 5] * 50, "label": [1, 4] * 50})
    shuffled = form().shuffled(frame, np.random.default_rng(0))
    assert (shuffled["label"] < frame["choices"].map(len)).all()
    assert not shuffled["label"].equals(frame["label"])
