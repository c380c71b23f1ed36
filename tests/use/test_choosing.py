"""Which run is exported, what is kept for it, and what is refused with what would help."""

import json
import shutil
from types import SimpleNamespace

import huggingface_hub
import pytest
import yaml
from typer.testing import CliRunner

from intertask.cli import app
from intertask.encoders.pretrained import encoder_fingerprint, load_encoder
from intertask.execution.redo import run_to_redo
from intertask.files import results_root
from intertask.run import Run
from intertask.studies import store
from intertask.studies.graph import expand
from intertask.studies.status import is_best
from intertask.studies.study import load_study
from intertask.training import prepare, train
from intertask.training.model import STORED_ADAPTER
from intertask.use import export as use
from intertask.use.adapter import refuse_no_adapter
from intertask.use.choice import choose
from intertask.use.export import export_run, push
from made_runs import make_regimes, scored
from made_store import write_failure
from made_task import write_fruit

STUDY = {"title": "T", "encoders": ["mini/bert"], "supporting": ["ripeness"], "targets": ["fruit"], "seeds": 2}


def silent(words: str) -> None:
    pass


def role(run: str, seed: int, score: float, **more) -> dict:
    """A finished single run of a target, or one of another configuration."""
    named = {"run": run, "stage": "target", "regime": "single", "target": "mini/rte", "seed": seed}
    return named | {"record": {"tasks": {"mini/rte": scored(score)}, "settings": {}}} | more


def chosen(refused, *arguments) -> str:
    """The run that is chosen, of which no test here keeps more than a record."""
    return refused(lambda: choose(*arguments), "a run that kept its encoder").partition(":")[0]


def test_the_best_and_the_median_run_of_a_study(refused):
    after = {"regime": "stilts", "supporting": "mini/mnli"}
    roles = [role("a0", 0, 90.0), role("a1", 1, 10.0), role("a2", 2, 20.0)]
    roles += [role("b0", 0, 60.0, **after), role("b1", 1, 80.0, **after), role("b2", 2, 50.0, **after)]
    roles += [role("c0", 0, 99.0, target="mini/cola", record={"tasks": {"mini/cola": scored(99.0)}})]
    roles += [role("d0", 3, 0.0, record=None)]
    make_regimes(results_root(), roles, "made")
    assert chosen(refused, "made", "mini/rte") == "a0"  # the highest score
    assert chosen(refused, "made", "mini/rte", "median") == "b0"  # the best mean is 63.3, with the median 60
    assert chosen(refused, "made", "mini/cola") == "c0"
    refused(lambda: choose("made"), "--task: expected a target of made: mini/rte, mini/cola, found none")
    refused(lambda: choose("made", "mini/rt"), "--task", "found mini/rt")


def test_of_equal_runs_the_one_that_kept_its_encoder(refused):
    make_regimes(results_root(), [role("a0", 0, 90.0), role("a1", 1, 90.0)], "made")
    (store.folder_of("a1") / "encoder").mkdir()
    (store.folder_of("a1") / "parameters.yaml").write_text("task: mini/rte")
    assert [choose("made", "", rule).record["id"] for rule in ("best", "median")] == ["a1", "a1"]


def test_a_study_of_which_nothing_is_finished(refused):
    make_regimes(results_root(), [role("a0", 0, 0.0, record=None)], "made")
    write_failure(results_root(), "a0", "no space left")
    refused(lambda: choose("made"), "finished runs on mini/rte", "Run it first: intertask run")


def test_how_an_encoder_is_had_that_was_not_kept(made, refused):
    one = made("pairs", keep_encoder=False)
    command = f"papermill notebooks/experiments/train.ipynb out.ipynb -f {one.folder}/parameters.yaml -p keep_encoder"
    refused(lambda: choose(str(one.folder)), "expected a run that kept its encoder", command)
    make_regimes(results_root(), [role("a0", 0, 50.0)], "made")
    refused(lambda: choose("a0"), "intertask run", "--redo a0 --keep")
    refused(lambda: choose("mde"), "a study that was run, a run's id", "Did you mean 'made'?")


def test_a_study_says_which_targets_keep_their_encoders(tmp_path):
    write_fruit(tmp_path)
    path = tmp_path / "own.yaml"

    def kept(**changes) -> dict[str, set]:
        path.write_text(yaml.safe_dump(STUDY | {"task_file": "tasks.yaml"} | changes))
        graph = expand(*load_study(str(path)))
        rows = {
            row.stage: {graph.runs[one.run].keep_encoder for one in graph.rows if one.stage == row.stage}
            for row in graph.rows
        }
        return rows | {"ids": set(graph.runs)}

    none, best, every = kept(), kept(keep="best"), kept(keep="all")
    assert none["target"] == {False} and best["target"] == {"best of own"} and every["target"] == {True}
    assert none["intermediate"] == best["intermediate"] == {True}
    assert none["ids"] == best["ids"] == every["ids"]  # it decides no result
    # a target from which others start keeps it for them
    both = {"regimes": ["single", "stilts"], "targets": ["ripeness", "fruit"], "keep": "best"}
    assert True in kept(**both)["target"]


def test_a_run_is_the_best_if_no_other_of_its_target_is_as_good():
    make_regimes(results_root(), [role("a0", 0, 70.0), role("a1", 1, 0.0, record=None), role("b", 0, 0.0)], "made")

    def is_kept(score: float, run: str = "a1", study: str = "made") -> bool:
        return is_best(study, {"id": run, "tasks": {"mini/rte": scored(score)}})

    assert [is_kept(score) for score in (69.0, 70.0, 71.0)] == [False, False, True]
    assert is_kept(1.0, run="unknown") and is_kept(1.0, study="unknown")  # nobody can say: rather one too many


def test_the_encoder_is_stored_where_the_run_is_the_best(made):
    kept = made("pairs", keep_encoder="best of made")
    assert (kept.folder / "encoder" / "model.safetensors").is_file()
    better = scored(101.0)
    own = role(kept.run.id(), 0, 0.0, target="pairs", record=None)
    make_regimes(results_root(), [own, role("a0", 0, 0.0, target="pairs", record={"tasks": {"pairs": better}})], "made")
    assert not (made("pairs", keep_encoder="best of made").folder / "encoder").exists()


def test_a_finished_run_keeps_its_encoder_when_it_is_made_again(tmp_path):
    write_fruit(tmp_path)
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(STUDY | {"task_file": "tasks.yaml"}))
    graph = expand(*load_study(str(tmp_path / "own.yaml")))
    run_id = next(row.run for row in graph.rows if row.stage == "target")
    write_failure(results_root(), run_id, "no space left")
    assert [run_to_redo(graph, run_id, keep)[run_id].keep_encoder for keep in (False, True)] == [False, True]


@pytest.mark.parametrize(
    "encoder, settings, parts",
    [
        ("bert", {"classifier": "small"}, ["classifier: small", "Train without classifier"]),
        ("bert", {"scalar_mix": True}, ["scalar_mix", "intertask predict RUN FILE"]),
        ("bert", {"layer": 1}, ["found layer"]),
        ("bert", {"pooling": "mean"}, ["BertForSequenceClassification", "pooling: mean", "Train with pooling: first"]),
        ("xlnet", {"pooling": "last", "max_length": 60}, ["pooling: last", "Train with pooling: first, if"]),
        ("gpt2", {"pooling": "last"}, ["hold 3 outputs with biases", "32 to 3 without bias", "intertask predict"]),
    ],
)
def test_a_head_that_transformers_has_not(made, tmp_path, refused, encoder, settings, parts):
    one = made("pairs", encoder, max_steps=1, **settings)
    refused(lambda: export_run(str(one.folder), tmp_path / "out", say=silent), *parts)
    assert not list(tmp_path.glob(".out*")) and not (tmp_path / "out").exists()


def test_formats_and_orders_that_transformers_has_not(refused):
    entry = SimpleNamespace(name="t", format="span_classification", symmetric=True)
    refused(lambda: use.class_name(Run(task="mini/wic"), entry), "found span_classification", "Exported are classif")
    entry.format = "classification"
    refused(lambda: use.class_name(Run(task="mini/mrpc", both_orders=True), entry), "found both_orders")


def test_an_adapter_needs_lora_and_a_published_encoder(made, tmp_path, refused):
    whole = made("pairs", max_steps=1)
    refused(
        lambda: export_run(str(whole.folder), tmp_path / "out", adapter=True, say=silent),
        "tuning: lora, found tuning: full",
    )
    one = made("text", max_steps=1, tuning="lora")
    refused(lambda: export_run(str(one.folder), tmp_path / "out", adapter=True, say=silent), "beside the embeddings")
    one = made("pairs", max_steps=1, tuning="lora")
    start = choose(str(one.folder))
    start.record["parent"] = "other"
    refused(lambda: refuse_no_adapter(start), "one that starts from other", "Export without --adapter")
    beside = tmp_path / "beside"
    beside.mkdir()
    (beside / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": one.run.encoder}))
    (beside / "adapter_model.safetensors").touch()
    start.record["parent"], start.run = None, one.run.model_copy(update={"encoder": str(beside)})
    refused(lambda: refuse_no_adapter(start), f"no adapter, found one that starts from {beside}")


def test_a_revision_is_named_as_transformers_and_peft_want_it(made, encoders, tmp_path, monkeypatch):
    shutil.copytree(encoders("bert"), tmp_path / "mirror" / "owner" / "name@v1")
    monkeypatch.setenv("INTERTASK_HUB", str(tmp_path / "mirror"))
    one = made("pairs", "owner/name@v1", max_steps=1, tuning="lora")
    folder = export_run(str(one.folder), tmp_path / "out", adapter=True, say=silent)
    said, card = json.loads((folder / "adapter_config.json").read_text()), (folder / "README.md").read_text()
    assert (said["base_model_name_or_path"], said["revision"]) == ("owner/name", "v1")
    assert yaml.safe_load(card.split("---")[1])["base_model"] == "owner/name"
    assert 'from_pretrained("owner/name", revision="v1", config=config)' in card and "from `owner/name@v1`" in card


@pytest.mark.parametrize("factor", [1.01, float("nan")])
def test_what_does_not_predict_as_recorded_is_not_written(made, tmp_path, refused, monkeypatch, factor):
    one = made("pairs", "roberta", max_steps=1)
    plain_model = use.plain_model

    def wrong(*arguments):
        plain = plain_model(*arguments)
        plain.classifier.out_proj.weight.data *= factor
        return plain

    monkeypatch.setattr(use, "plain_model", wrong)
    refused(
        lambda: export_run(str(one.folder), tmp_path / "out", say=silent), "logits within 0.001", "Nothing is written"
    )
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == []


def test_a_folder_that_is_not_empty_and_a_damaged_run(made, tmp_path, refused):
    one = made("pairs", max_steps=1)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    refused(lambda: export_run(str(one.folder), tmp_path / "out", say=silent), "new or empty", "Name another")
    (tmp_path / "out" / "mine").unlink()
    assert export_run(str(one.folder), tmp_path / "out", say=silent) == tmp_path / "out"
    weights = one.folder / "encoder" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    refused(
        lambda: export_run(str(one.folder), tmp_path / "other", say=silent), "model.safetensors", "changed or damaged"
    )


def test_a_task_of_which_the_encoder_was_another(made, letters, refused):
    one = made("pairs", max_steps=1)
    refused(lambda: choose(str(one.folder), "marks"), "a task of the run: pairs, found marks")
    record_file = one.folder / "run.json"
    found = json.loads(record_file.read_text())
    found["tasks"]["other"] = found["tasks"]["pairs"] | {"best_step": 7}
    del found["sha256"]
    store.write_sealed(record_file, one.folder.name, json.dumps(found))
    refused(lambda: choose(str(one.folder), "other"), "best checkpoint for other", "selection: average")


def test_a_child_of_an_adapted_encoder_begins_where_that_ended(made):
    one = made("pairs", "roberta", tuning="lora", learning_rate=3e-2, max_steps=8)
    encoder = one.folder / "encoder"
    assert (encoder / STORED_ADAPTER).is_file() and len(encoder_fingerprint(str(encoder))) == 16
    still = one.run.model_copy(
        update={"learning_rate": 1e-12, "reuse_head": True, "encoder": str(encoder), "tuning": "full"}
    )
    child = train(still, prepare(still), encoder).main
    theirs = json.loads((one.folder / "run.json").read_text())["tasks"]["pairs"]
    assert child.scores == theirs["scores"]
    assert not any("lora" in name for name, _ in load_encoder(encoder)[0].named_parameters())


def test_pushing_where_the_hub_is_out_of_reach(tmp_path, refused, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    refused(lambda: push(tmp_path, "me/model"), "--push me/model: expected the Hub", "The folder is whole", "hf upload")


@pytest.mark.parametrize("encoder, pooling", [("bert", "pooler"), ("roberta", "pooler"), ("modernbert", "mean")])
def test_other_poolings_that_a_class_has(made, tmp_path, encoder, pooling):
    one, said = made("pairs", encoder, pooling=pooling, max_steps=1), []
    export_run(str(one.folder), tmp_path / "out", say=said.append)
    assert "24 of 24 predictions equal the recorded ones" in said[-1]
    two = "two with an activation between" in (tmp_path / "out" / "README.md").read_text()
    assert two == (pooling == "mean")  # a pooler is carried as it is


def test_the_card_says_how_it_came_to_be_and_how_sure_one_can_be(made, tmp_path):
    one = made("pairs", max_steps=1, limit=20)
    score = json.loads((one.folder / "run.json").read_text())["tasks"]["pairs"]["scores"]["validation"]["main"]
    shutil.copytree(one.folder, results_root() / "runs" / one.folder.name)
    named = {"target": "pairs", "encoder": "bert", "task": "pairs"}
    after = {"regime": "stilts", "supporting": "marks", "supporting_run": "marks-0", **named}
    roles = [role(f"a{seed}", seed, 0.0, **named, record=_record(score - gain)) for seed, gain in enumerate([2, 4, 9])]
    roles.append(role(one.folder.name, 0, 0.0, **after, record=None))
    roles += [role(f"b{seed}", seed, 0.0, **after, record=_record(score)) for seed in (1, 2)]
    make_regimes(results_root(), roles, "made")

    output = CliRunner().invoke(app, ["export", "made", str(tmp_path / "out"), "--task", "pairs"]).output
    assert "24 of 24 predictions equal the recorded ones" in output and "model.safetensors" in output
    card = (tmp_path / "out" / "README.md").read_text()
    metadata = yaml.safe_load(card.split("---")[1])
    (result,) = metadata["model-index"][0]["results"]
    assert result["dataset"] == {"name": "pairs", "type": "pairs", "split": "validation"}
    assert result["metrics"] == [{"type": "accuracy", "value": score}]
    assert metadata["pipeline_tag"] == "text-classification" and metadata["library_name"] == "transformers"
    for words in (
        f"Regime: stilts, supporting task: marks. | {score:.2f} | It was chosen for the highest dev score of 6 runs",
        f"Mean over 3 seeds on validation: {score:.2f}, standard deviation 0.00.",
        "without a supporting task, on validation, marks → pairs: +5.0 points",  # the mean of 2, 4 and 9
        "95% interval -4.0 to +14.0, n 3 of 3",
        "(80 % power) differences of",
        "The same dev set chose the checkpoint and reports it, which flatters.",
        "limit: 20 | task_file: tasks.yaml",
        "`text` is `a`; `second` is `b` and `c`, joined by a blank. Inputs longer than 24 tokens are cut",
    ):
        for part in words.split(" | "):
            assert part in card, part
    assert str(tmp_path) not in card and str(one.run.encoder) not in card


def test_the_card_says_which_scores_are_zero_shot_and_what_was_trained_on(made, tmp_path):
    as_other = {"task": "others", "labels": {"no": "no", "may be": "yes", "yes": "yes"}}
    one = made("pairs", max_steps=1, evaluate_on=[as_other])
    export_run(str(one.folder), tmp_path / "out", say=silent)
    card = (tmp_path / "out" / "README.md").read_text()
    own, other = (one["dataset"] for one in yaml.safe_load(card.split("---")[1])["model-index"][0]["results"])
    assert own == {"name": "pairs", "type": "pairs", "split": "validation"}
    assert other == {"name": "others (zero-shot, by a map of labels)", "type": "others"}
    assert "| others (zero-shot, by a map of labels) | 24 | accuracy |" in card
    assert "| `pairs` | files" in card and "| `others`, only scored | files" in card


def _record(score: float) -> dict:
    return {"tasks": {"pairs": scored(score)}, "settings": {}}
