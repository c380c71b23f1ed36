"""What `check` says of a study before anything trains: the runs' own refusals, and what is worth knowing."""

import shutil

import pandas as pd
import pytest
import yaml
from safetensors.torch import load_file, save_file

from intertask.encoders.pretrained import load_encoder
from intertask.errors import IntertaskError
from intertask.run import Run
from intertask.studies.check import examined
from intertask.studies.graph import expand
from intertask.studies.study import Study, load_study
from intertask.training import prepare
from intertask.training.model import build_model
from made_encoders import write
from made_task import write_fruit

LM, BOTH_SIDES = "masked_language_modelling", "bidirectional_language_modelling"
NAMED = {0: "plum", 1: "apple"}
SETTINGS = {"num_train_epochs": 1, "per_device_train_batch_size": 8, "max_length": 16}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Tasks of several formats, and encoders that lack one thing or another."""
    folder = tmp_path_factory.mktemp("check")
    tasks = yaml.safe_load(write_fruit(folder).read_text())
    files = {"train": "train.csv", "validation": "dev.csv"}
    common = {"files": files, "inputs": ["text"], "unused": ["fruit"]}
    for name in (LM, "causal_language_modelling", BOTH_SIDES):
        tasks[name] = common | {"format": name}
    rows = [{"question": "where is it", "text": "apple " * 30 + "here", "answer": "here"}] * 4
    for split in files:
        pd.DataFrame(rows).to_json(folder / f"{split}.jsonl", orient="records", lines=True)
    own = {split: f"{split}.jsonl" for split in files}
    tasks["qa"] = {"files": own, "format": "extractive_qa", "inputs": ["question", "text"], "label": "answer"}
    pd.DataFrame({"text": ["a b"] * 4, "tags": [["x", "y"], ["y", "x"]] * 2}).to_json(
        folder / "tags.jsonl", orient="records", lines=True
    )
    tags = {"train": "tags.jsonl", "validation": "tags.jsonl"}
    tasks["tags"] = {"files": tags, "format": "tagging", "inputs": ["text"], "label": "tags"}
    (folder / "tasks.yaml").write_text(yaml.safe_dump(tasks))
    for name in ("bert", "distilbert", "albert", "gpt2", "xlnet"):
        write(folder / name, name)
    heads = {"numbered": ("bert", {}), "named": ("bert", NAMED), "other": ("bert", {0: "a", 1: "b"})}
    for name, (kind, labels) in (heads | {"unlike": ("distilbert", NAMED)}).items():
        write(folder / name, kind, "AutoModelForSequenceClassification", **{"id2label": labels} if labels else {})
    return folder


def study(folder, encoder="bert", task="fruit", report=(), **settings):
    encoder = encoder if "/" in encoder else str(folder / encoder)
    content = {"title": "T", "encoders": [encoder], "targets": [task], "regimes": ["single"], "seeds": 2}
    return Study(**content, task_file=str(folder / "tasks.yaml"), train=SETTINGS | settings, report=list(report))


def test_a_test_split_that_is_to_report_has_labels(folder):
    content = study(folder).model_dump() | {"targets": ["fruit", "ripeness"], "report_on": "test"}
    fruit, ripeness = examined(Study(**content), {}).problems
    assert fruit.startswith("report_on: test, fruit: expected a labelled test split, found one without labels. Supply")
    assert ripeness.startswith("report_on: test, ripeness: expected a labelled test split, found train, validation al")
    tasks = yaml.safe_load((folder / "tasks.yaml").read_text())
    tasks["fruit"]["files"]["test"] = "dev.csv"
    (folder / "labelled.yaml").write_text(yaml.safe_dump({"fruit": tasks["fruit"]}))
    content |= {"targets": ["fruit"], "task_file": str(folder / "labelled.yaml")}
    assert not examined(Study(**content), {}).problems


def verdict(folder, *arguments, **more):
    one = study(folder, *arguments, **more)
    return examined(one, expand("s", one).runs)


def test_a_sound_study_has_no_problems_and_is_looked_at_once(folder, monkeypatch):
    assert verdict(folder).problems == []
    monkeypatch.setattr("intertask.studies.ready.prepared_encoder", None)
    monkeypatch.setattr("intertask.studies.check.load_task", None)
    assert verdict(folder).problems == []


def test_runs_that_differ_in_what_reads_the_encoder_are_each_looked_at(folder):
    one = study(folder, "mini/bilstm", pooling="mean")
    runs = expand("s", one).runs
    first, second = (
        run.model_copy(update=to) for run, to in zip(runs.values(), ({}, {"pooling": "last"}), strict=True)
    )
    small = second.model_copy(update={"classifier": "small"})
    for order in ([small, second], [second, small]):
        (found,) = examined(one, {run.id(): run for run in (first, *order)}).problems
        assert found.startswith("pooling: last: expected an encoder with a token for it")


READY, FORMATS, ENCODERS = "studies/ready.py", "formats", "encoders/pretrained.py"
SMALL = {"classifier": "small"}
REUSED = {"reuse_head": True, "pooling": "pooler"}
WRONG = [
    (f"{READY} prepared_encoder", "bert", "fruit", {"max_length": 65}, "max_length: 65 tokens, but .* at most 64"),
    (f"{READY} check_reading", "bert", "fruit", {"layer": 3}, "layer: expected 0 to 2, the layers of .*bert, found 3"),
    (f"{READY} check_reading", "bert", "fruit", {"layer": 1, "pooling": "pooler"}, "the pooler reads the last layer"),
    (f"{READY} check_reading", "xlnet", "fruit", {}, r"pooling: first: .* whose \[CLS\] stands last. Use last"),
    (
        f"{READY} check_reading",
        *("mini/bilstm", "mini/rte", {"pooling": "mean"}, "classifier: linear: expected .* two texts together"),
    ),
    (f"{READY} check_reading", "gpt2", LM, {"pooling": "last"}, "a token for what is masked, found none"),
    (f"{READY} check_reading", "mini/bert", LM, {"tuning": "frozen"}, "tuning: frozen, but masked_language_modelling"),
    (f"{READY} check_reading", "gpt2", "causal_language_modelling", {"tuning": "frozen"}, "tuning: expected something"),
    (f"{READY} check_reading", "mini/bilstm", BOTH_SIDES, {}, "with a model per direction, .* found mini/bilstm"),
    (
        f"{READY} check_reading",
        *("mini/bilstm", "fruit", SMALL | {"scalar_mix": True}, "scalar_mix: .* offers several layers"),
    ),
    (
        f"{READY} own_order",
        "numbered",
        "fruit",
        REUSED,
        "names of its labels in .* found LABEL_0, LABEL_1. Write",
    ),
    (f"{READY} own_order", "other", "fruit", REUSED, r"the labels of fruit, \['apple', 'plum'\], found \['a', 'b'\]"),
    (
        f"{READY} own_order",
        "unlike",
        "fruit",
        {"reuse_head": True},
        "a head as that of bert, .* found DistilBertFor",
    ),
    (
        f"{READY} own_order",
        "named",
        "fruit",
        {"reuse_head": True},
        "a linear layer reads the pooler.* pooling: first",
    ),
    (f"{ENCODERS} load_encoder", "distilbert", "fruit", {"pooling": "pooler"}, r"\(distilbert\) has no pooler"),
    (f"{ENCODERS} load_encoder", "mini/gpt", "fruit", {"pooling": "pooler"}, r"mini/gpt \(gpt2\) has no pooler"),
    (f"{ENCODERS} checkpoint_gradients", "albert", "fruit", {"gradient_checkpointing": True}, "offers none for Albert"),
    (f"{FORMATS}/heads.py PooledHead.__init__", "gpt2", "fruit", {}, "pooling: first, but GPT2Model reads from left"),
    (
        f"{FORMATS}/causal_language_modelling.py refuse_reading_ahead",
        *("bert", "fruit", {"language_modelling_weight": 0.5}, "language_modelling_weight: expected .* left to right"),
    ),
    (
        f"{FORMATS}/causal_language_modelling.py refuse_reading_ahead",
        *("bert", "causal_language_modelling", {}, "causal_language_modelling: expected .* left to right"),
    ),
    (
        f"{FORMATS}/causal_language_modelling.py refuse_reading_ahead",
        *(
            "mini/elmo",
            "fruit",
            SMALL | {"language_modelling_weight": 0.5},
            "language_modelling_weight: .* left to right",
        ),
    ),
    ("encoders/lora.py with_lora", "mini/bilm", "fruit", SMALL | {"tuning": "lora"}, "linear layers in its blocks"),
    (f"{FORMATS}/tokens.py _framed", "bert", "qa", {"max_length": 8}, "max_length: expected room for the longest"),
]


@pytest.mark.parametrize("place, encoder, task, settings, message", WRONG)
def test_what_a_run_would_refuse_is_refused_by_check_in_the_same_words(
    folder, reached, place, encoder, task, settings, message
):
    found = verdict(folder, encoder, task, **settings).problems
    assert place in reached
    name = encoder if "/" in encoder else str(folder / encoder)
    run = Run(task=task, task_file=str(folder / "tasks.yaml"), encoder=name, **SETTINGS | settings)
    with pytest.raises(IntertaskError, match=message) as caught:
        build_model(run, prepare(run), name)
    assert found == [str(caught.value)], "once, for however many runs"


def test_an_encoder_that_is_none_is_refused_and_the_others_are_looked_at(folder, tmp_path, reached):
    for name in ("half", "no_tokenizer", "damaged", "other"):
        shutil.copytree(folder / "bert", tmp_path / name)
    weights = load_file(tmp_path / "half" / "model.safetensors")
    save_file({n: w for n, w in weights.items() if "layer.1." not in n}, tmp_path / "half" / "model.safetensors")
    for path in (tmp_path / "no_tokenizer").glob("tokenizer*"):
        path.unlink()
    (tmp_path / "damaged" / "model.safetensors").write_bytes(b"damaged")
    (tmp_path / "other" / "config.json").write_text('{"model_type": "t5"}')
    names = [str(path) for path in sorted(tmp_path.iterdir())]
    one = Study(**study(folder).given | {"encoders": [*names, {"encoder": names[1], "layer": 7}]})
    found = examined(one, expand("s", one).runs).problems
    assert [message.split(": ")[0] for message in found] == [f"Encoder {name}" for name in names]
    functions = ("_in_words", "_refuse_misfit", "_refuse_tokenizer", "_architecture")
    assert reached == {f"{ENCODERS} {function}" for function in functions}


def test_pooling_is_nothing_to_who_reads_every_token(folder):
    assert verdict(folder, "xlnet", "tags").problems == []
    assert verdict(folder, "gpt2", "tags").problems == []


def test_adapters_need_layers_to_stand_beside(folder, monkeypatch, reached):
    assert verdict(folder, tuning="lora").problems == []
    monkeypatch.setattr("intertask.encoders.lora.re.search", lambda *_: None)
    assert "an encoder with linear layers in its blocks" in verdict(folder, tuning="lora", lora_r=2).problems[0]
    assert reached == {"encoders/lora.py with_lora"}


def test_spans_that_would_be_cut_are_counted_before(folder, tmp_path, reached):
    rows = [{"text": "a " * 30, "span": [28, 29], "label": label} for label in ("x", "y")]
    for split in ("train", "validation"):
        pd.DataFrame(rows).to_json(tmp_path / f"{split}.jsonl", orient="records", lines=True)
    files = {split: str(tmp_path / f"{split}.jsonl") for split in ("train", "validation")}
    entry = {"files": files, "format": "span_classification", "inputs": ["text"], "spans": ["span"], "label": "label"}
    (tmp_path / "tasks.yaml").write_text(yaml.safe_dump({"edge": entry}))
    one = study(folder, task="edge").model_copy(update={"task_file": str(tmp_path / "tasks.yaml")})
    (found,) = examined(one, expand("s", one).runs).problems
    assert found.startswith("max_length: expected that at most 5% of the spans of edge lose tokens, found 2 of 2")
    assert "formats/spans.py SpanFormat.encode" in reached


def test_a_dev_set_that_cannot_be_divided_is_known_before(folder):
    one = study(folder).model_copy(update={"holdout": 0.01})
    (found,) = examined(one, expand("s", one).runs).problems
    assert found.startswith("holdout: expected a dev set that can be divided, found 32 rows")


def test_a_task_that_is_amiss_hides_nothing_of_the_encoder(folder):
    one = study(folder, layer=3).model_copy(update={"holdout": 0.01})
    assert [message.split(":")[0] for message in examined(one, expand("s", one).runs).problems] == ["holdout"]
    two = study(folder, max_length=65).model_copy(update={"holdout": 0.01})
    found = examined(two, expand("s", two).runs).problems
    assert [message.split(":")[0] for message in found] == ["holdout", "max_length"]


@pytest.mark.parametrize(
    "report, message",
    [
        (
            {"notebook": "transfer_matrix", "confidense": 0.9},
            "report, transfer_matrix: There is no parameter",
        ),
        ({"notebook": "transfer_matrix", "confidence": "0.9"}, "confidence: expected float, found '0.9'"),
        ({"notebook": "literature", "tables": "x"}, "report, literature: tables: expected list, found 'x'"),
        ({"notebook": "none"}, "report: there is no notebook none"),
    ],
)
def test_parameters_of_the_reports_notebooks_are_held_against_their_cells(folder, report, message):
    (found,) = verdict(folder, report=[report]).problems
    assert message in found


def test_a_tokenizer_that_knows_little_of_the_texts_is_said(folder):
    """The tiny BERT's knows letters alone: of 10 characters 6 digits and 2 blanks are unknown."""
    assert verdict(folder, "mini/bert").remarks == []
    write_fruit(folder / "digits")
    frame = pd.read_csv(folder / "digits" / "train.csv")
    frame.assign(text="1234 56 ab").to_csv(folder / "digits" / "train.csv", index=False)
    one = study(folder).model_copy(update={"task_file": str(folder / "digits" / "tasks.yaml")})
    found = examined(one, expand("s", one).runs).remarks[0]
    assert "bert: the tokenizer does not know 80% of the tokens of fruit, train" in found


@pytest.mark.parametrize(
    "mixing, said",
    [
        ({"sampling": [1, 1e9]}, "sampling: an epoch of fruit + ripeness has no example of fruit."),
        ({"sampling": "power_1000"}, "sampling: expected weights with a finite sum above 0, found inf"),
        ({"sampling": [1, 1e9], "epoch_length": "shortest"}, None),
    ],
)
def test_what_a_sampling_never_draws_is_known_before(folder, mixing, said):
    one = study(folder).given | {"regimes": ["mtl"], "supporting": ["ripeness"], "mixing": [{"name": "m"} | mixing]}
    found = examined(Study(**one), expand("s", Study(**one)).runs)
    assert any(sentence.startswith(said) for sentence in found.problems + found.remarks) if said else not found.problems
    assert said or not any("no example" in sentence for sentence in found.remarks)


def test_targets_that_nothing_is_compared_with_are_said(folder):
    words = "regimes: without single there is no score of a target alone, and no transfer is told."
    content = study(folder).model_dump() | {"supporting": ["ripeness"]}
    for regimes in (["stilts"], ["single", "stilts"]):
        assert (words in examined(Study(**content | {"regimes": regimes}), {}).remarks) == (regimes == ["stilts"])


def test_a_split_that_is_the_training_data_is_said(folder, tmp_path):
    folder = shutil.copytree(folder, tmp_path / "own")
    tasks = yaml.safe_load((folder / "tasks.yaml").read_text())
    tasks["fruit"]["files"]["validation"] = "train.csv"
    (folder / "tasks.yaml").write_text(yaml.safe_dump(tasks))
    assert verdict(folder).remarks[0] == "fruit: validation reads train.csv, which train reads too."


def test_what_a_run_is_too_short_for_is_said(folder):
    """64 examples in batches of 8, once."""
    found = verdict(folder, warmup_steps=9, eval_steps=8).remarks
    assert found[0] == "warmup_steps 9 of fruit is more than its 8 steps." and "eval_steps" not in "".join(found)


def test_weights_that_nothing_reads_are_said(folder, tmp_path):
    shutil.copytree(folder / "bert", tmp_path / "cut")
    config = (tmp_path / "cut" / "config.json").read_text()
    (tmp_path / "cut" / "config.json").write_text(config.replace('"num_hidden_layers": 2', '"num_hidden_layers": 1'))
    assert len(load_encoder(tmp_path / "cut")[0].encoder.layer) == 1
    found = verdict(folder, str(tmp_path / "cut")).remarks[-1]
    assert "no place for 16 weights of the checkpoint, such as encoder.layer.1.attention.output.LayerNorm.bias" in found


def test_an_encoder_beside_the_study_is_found_from_everywhere(folder, tmp_path, monkeypatch, refused):
    content = {"title": "T", "encoders": ["bert", {"encoder": "bert", "layer": 1}], "targets": ["fruit"]}
    content |= {"regimes": ["single"], "seeds": 1, "task_file": "tasks.yaml", "train": SETTINGS}
    content["parts"] = [{"name": "p", "encoders": ["distilbert"]}, {"name": "q"}]
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(content))
    monkeypatch.chdir(tmp_path)
    graph = expand(*load_study(str(path)))
    assert {run.encoder for run in graph.runs.values()} == {str(folder / "bert"), str(folder / "distilbert")}
    assert {row.encoder for row in graph.rows} == {"bert", "bert[layer=1]", "distilbert"}
    elsewhere = tmp_path / "study.yaml"
    elsewhere.write_text(yaml.safe_dump(content | {"parts": []}))
    monkeypatch.chdir(folder)
    refused(
        lambda: load_study(str(elsewhere)),
        f"encoders: bert: expected a folder beside the study, in {tmp_path}, found it in {folder}",
        f"Say {folder / 'bert'}",
    )
