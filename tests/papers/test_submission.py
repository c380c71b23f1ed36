"""A submission from a made store: what is picked, what is written, and what is refused."""

import zipfile
from functools import cache

import numpy as np
import pandas as pd
import pytest
import yaml

from intertask.errors import IntertaskError
from intertask.files import results_root
from intertask.papers.submission import SUBMISSION_FILES, write_submission
from intertask.studies import store
from intertask.tasks.catalogue import find_entry
from made_store import reseal, run_id, write_index, write_run

GLUE = ["cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte", "wnli"]
SIZES = {
    "CoLA.tsv": 1063,
    "SST-2.tsv": 1821,
    "MRPC.tsv": 1725,
    "STS-B.tsv": 1379,
    "QQP.tsv": 390965,
    "MNLI-m.tsv": 9796,
    "MNLI-mm.tsv": 9847,
    "QNLI.tsv": 5463,
    "RTE.tsv": 3000,
    "WNLI.tsv": 146,
    "AX.tsv": 1104,
}  # as the leaderboard's own sample submission has them


def splits_of(task: str) -> dict[str, int]:
    """The splits that a run on a GLUE task predicts, with their sizes; the diagnostic set under its own name."""
    sizes = {split: size for split, size in find_entry(task).sizes.items() if split != "train"}
    mini = "mini/" if task.startswith("mini/") else ""
    return sizes | ({f"{mini}ax": find_entry(f"{mini}ax").sizes["test"]} if task.endswith("mnli") else {})


def predicted(split: str, size: int, prediction) -> pd.DataFrame:
    return pd.DataFrame({"split": split, "row": np.arange(size), "label": np.nan, "prediction": prediction})


@cache
def predictions_file(task: str, prediction: float) -> bytes:
    """One prediction for every row of a task; many runs of many tests leave the same."""
    parts = [predicted(split, size, prediction) for split, size in splits_of(task).items()]
    return pd.concat(parts).to_parquet(index=False)


class Made:
    """A study whose runs predict one label each: single 0, after mini/mnli 1; `score(target, supporting, seed)`."""

    def __init__(self, results, prefix="", targets=GLUE, score=None, **study):
        self.results, self.roles, self.study = results, [], study
        for target in [prefix + task for task in targets]:
            for supporting in (None, f"{prefix}mnli"):
                for seed in (0, 1):
                    self.add(target, supporting, seed, (score or self.score)(target, supporting, seed))
        write_index(results, "made", self.roles, **study)

    @staticmethod
    def score(target, supporting, seed):
        return 60.0 + 10 * (supporting is not None) + seed

    def add(self, target, supporting, seed, score, limit=None, encoder="BERT"):
        run = run_id(target, seed, supporting, limit, encoder)
        own = {"reported": "validation", "sizes": {"train": 250}, "degenerate": False, "constant_predictions": False}
        own |= {"scores": {"validation": {"main": score}}, "majority": {"validation": {"main": 50.0}}}
        own |= {"examples_seen": 750, "distinct_examples": 250, "best_step": 24}
        write_run(self.results, run, target, seed, score, tasks={target: own}, steps=24)
        path = self.file(run, target)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(predictions_file(target, 7.25 if target.endswith("stsb") else 1 if supporting else 0))
        reseal(self.results / "runs" / run)
        role = {"run": run, "stage": "target", "regime": "stilts" if supporting else "single", "target": target}
        role |= {"encoder": encoder, "task": target, "supporting": supporting, "limit": limit, "seed": seed}
        role |= dict.fromkeys(["part", "mixing", "supporting_limit", "supporting_run", "supporting_seed"])
        self.roles.append(role | {"substituted": False})
        return run

    def file(self, run, task):
        return store.predictions_file(self.results / "runs" / run, task)

    def predict(self, run, task, predictions):
        predictions.to_parquet(self.file(run, task), index=False)
        reseal(self.results / "runs" / run)

    def change(self, task, how):
        """Changes what the best run of a task predicted."""
        run = run_id(task, 1, "mnli", None, "BERT")
        self.predict(run, task, how(pd.read_parquet(self.file(run, task))))


@pytest.fixture
def results():
    return results_root()


def read(path) -> dict[str, pd.DataFrame]:
    with zipfile.ZipFile(path) as archive:
        return {name: pd.read_csv(archive.open(name), sep="\t") for name in archive.namelist()}


def record(results) -> dict:
    return yaml.safe_load((results / "made" / "submission.yaml").read_text())


def refused(message: str, results, **arguments) -> None:
    with pytest.raises(IntertaskError, match=message):
        write_submission("made", **arguments)
    assert not list((results / "made").glob("submission*"))


def test_the_files_are_the_leaderboards(results):
    Made(results)
    path = write_submission("made")
    files = read(path)
    assert path == results / "made" / "submission.zip"
    assert {name: len(table) for name, table in files.items()} == SIZES
    for table in files.values():
        assert table.columns.tolist() == ["index", "prediction"]
        assert table["index"].tolist() == list(range(len(table)))
    # every best run predicts label 1, and 7.25, which is beyond STS-B's 5
    assert {name: table["prediction"].unique().tolist() for name, table in files.items()} == {
        **dict.fromkeys(["CoLA.tsv", "SST-2.tsv", "MRPC.tsv", "QQP.tsv", "WNLI.tsv"], [1]),
        **dict.fromkeys(["MNLI-m.tsv", "MNLI-mm.tsv", "AX.tsv"], ["neutral"]),
        **dict.fromkeys(["QNLI.tsv", "RTE.tsv"], ["not_entailment"]),
        "STS-B.tsv": [5.0],
    }
    with zipfile.ZipFile(path) as archive:
        assert archive.read("RTE.tsv").startswith(b"index\tprediction\n0\tnot_entailment\n1\t")
        assert archive.read("STS-B.tsv").startswith(b"index\tprediction\n0\t5.000\n")


def test_the_best_on_dev_is_picked_and_the_first_of_equals(results):
    def score(target, supporting, seed):
        return {"cola": 70.0, "rte": 70.0 - 10 * bool(supporting) - seed}.get(
            target, Made.score(target, supporting, seed)
        )

    Made(results, score=score)
    files = read(write_submission("made"))
    picked = record(results)["picked"]
    assert picked["cola"] == {
        "run": run_id("cola", 0, None, None, "BERT"),
        "target": "cola",
        "regime": "single",
        "seed": 0,
        "split": "validation",
        "score": 70.0,
        "candidates": 4,
    }
    assert (picked["rte"]["regime"], picked["rte"]["seed"]) == ("single", 0)
    assert (picked["mnli"]["supporting"], picked["mnli"]["seed"]) == ("mnli", 1)
    assert files["CoLA.tsv"]["prediction"].eq(0).all() and files["RTE.tsv"]["prediction"].eq("entailment").all()
    assert record(results)["rule"] == "best_of_each"


def test_the_baseline_takes_runs_without_a_supporting_task(results):
    Made(results)
    assert read(write_submission("made", "single"))["AX.tsv"]["prediction"].eq("entailment").all()
    assert {pick["regime"] for pick in record(results)["picked"].values()} == {"single"}


def test_runs_on_fewer_examples_count_only_where_there_are_no_others(results):
    made = Made(results, targets=[task for task in GLUE if task != "sst2"])
    made.add("rte", "mnli", 5, 99.0, limit=1000)
    made.add("sst2", None, 5, 80.0, limit=1000)
    write_index(results, "made", made.roles)
    write_submission("made")
    picked = record(results)["picked"]
    assert picked["rte"]["score"] == 71.0 and "limit" not in picked["rte"]
    assert picked["sst2"]["limit"] == 1000


def test_of_several_encoders_one_is_to_be_named(results):
    made = Made(results)
    for task in GLUE:
        made.add(task, None, 0, 50.0, encoder="GPT")
    write_index(results, "made", made.roles)
    refused("several encoders: BERT, GPT", results)
    refused("no finished run of encoder 'GTP'. Did you mean 'GPT'", results, encoder="GTP")
    assert read(write_submission("made", encoder="GPT"))["CoLA.tsv"]["prediction"].eq(0).all()


def test_a_run_that_stands_in_for_another_is_one_candidate(results):
    made = Made(results)
    stand_in = [role | {"regime": "stilts", "substituted": True} for role in made.roles if role["target"] == "mnli"]
    write_index(results, "made", made.roles + stand_in)
    write_submission("made")
    assert record(results)["picked"]["mnli"]["candidates"] == 4


def test_rows_may_lie_in_any_order(results):
    made = Made(results)
    half = predicted("test", 3000, np.arange(3000) % 2).sample(frac=1, random_state=0)
    made.change("rte", lambda rows: pd.concat([half, rows[rows.split == "validation"]]))
    assert read(write_submission("made"))["RTE.tsv"]["prediction"].tolist() == ["entailment", "not_entailment"] * 1500


def test_the_labelled_diagnostic_set_serves_as_well(results):
    Made(results).change("mnli", lambda rows: rows.replace({"split": {"ax": "glue_diagnostic"}}))
    assert len(read(write_submission("made"))["AX.tsv"]) == 1104


@pytest.mark.parametrize(
    "task, change, message",
    [
        ("rte", lambda rows: rows[rows.row != 7], r"RTE.tsv, rte \(test\): expected .* 0 to 2999, found 2999 pred"),
        ("rte", lambda rows: pd.concat([rows, rows[rows.row == 7]]), "found 3001 predictions, for 3000 different"),
        ("qnli", lambda rows: rows.assign(prediction=2), r"labels 0 \(entailment\), 1 \(not_entailment\), found 2"),
        ("stsb", lambda rows: rows.assign(prediction=np.nan), "STS-B.tsv.* a number for each row, found 1379 without"),
        ("mnli", lambda rows: rows[rows.split != "test_mismatched"], r"MNLI-mm.tsv.* found 0 predictions.*complete\?"),
        ("mnli", lambda rows: rows[rows.split != "ax"], r"AX.tsv.* evaluate_on: \{mnli: \[ax\]\}"),
    ],
)
def test_what_is_not_whole_or_not_legal_is_refused(results, task, change, message):
    Made(results).change(task, change)
    refused(message, results)


def test_missing_tasks_and_predictions_are_named(results):
    Made(results, targets=["cola", "mnli", "qnli", "wnli", "stsb", "mrpc", "qqp"])
    refused("every GLUE task, found none of sst2, rte", results)
    made = Made(results)
    made.file(run_id("rte", 1, "mnli", None, "BERT"), "rte").unlink()
    refused(r"RTE.tsv, rte \(test\): .* found 0 predictions.* Are the run's predictions in the store", results)


def test_a_run_whose_predictions_are_damaged_is_left_out_and_named(results):
    made = Made(results)
    best, next_best = (run_id("rte", seed, "mnli", None, "BERT") for seed in (1, 0))
    content = bytearray(made.file(best, "rte").read_bytes())
    content[len(content) // 2] ^= 1
    made.file(best, "rte").write_bytes(content)
    write_submission("made")
    found = record(results)
    assert found["picked"]["rte"]["run"] == next_best and found["picked"]["rte"]["candidates"] == 3
    assert found["missing"].keys() == {best} and "they were changed or damaged" in found["missing"][best]


def test_a_refusal_leaves_an_older_submission_alone(results):
    made = Made(results)
    before = write_submission("made").read_bytes()
    assert write_submission("made").read_bytes() == before
    made.change("rte", lambda rows: rows[:1])
    with pytest.raises(IntertaskError):
        write_submission("made")
    assert (results / "made" / "submission.zip").read_bytes() == before
    assert sorted(path.name for path in (results / "made").iterdir()) == [
        "study.json",
        "submission.yaml",
        "submission.zip",
    ]


def test_a_mini_study_rehearses_with_dev_sets_where_there_is_no_test_set(results):
    Made(results, prefix="mini/")
    files = read(write_submission("made"))
    assert list(files) == [file.name for file in SUBMISSION_FILES]
    assert {name: len(files[name]) for name in ("CoLA.tsv", "MNLI-m.tsv", "MNLI-mm.tsv", "WNLI.tsv", "AX.tsv")} == {
        "CoLA.tsv": 200,
        "MNLI-m.tsv": 400,
        "MNLI-mm.tsv": 400,
        "WNLI.tsv": 40,
        "AX.tsv": 300,
    }
    splits = record(results)["splits"]
    assert splits["CoLA.tsv"] == "test" and splits["MNLI-mm.tsv"] == "validation_mismatched"


def test_wnli_may_be_its_majority_class_without_a_run(results):
    tasks = [task for task in GLUE if task != "wnli"]
    Made(results, prefix="mini/", targets=tasks, wnli="majority")
    assert read(write_submission("made"))["WNLI.tsv"]["prediction"].tolist() == [0] * 40
    assert record(results)["picked"]["wnli"] == {"majority": True, "candidates": 0}


@pytest.mark.parametrize("score, predictions", [(40.0, {0}), (55.0, {1})])
def test_wnli_may_be_floored_at_the_majority(results, score, predictions):
    def scores(target, supporting, seed):
        return score if target.endswith("wnli") and supporting else Made.score(target, supporting, seed) - 50

    Made(results, prefix="mini/", score=scores, wnli="floor")
    assert set(read(write_submission("made"))["WNLI.tsv"]["prediction"]) == predictions
