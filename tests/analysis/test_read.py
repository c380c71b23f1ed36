import json
import shutil

import pandas as pd
import pytest

from intertask.analysis import regimes
from intertask.analysis.inference import optimism
from intertask.analysis.read import by_stage, missing, read_both, read_runs, read_scores, reported_in_words
from intertask.analysis.transfer import control_in_words, transfer_table
from intertask.errors import IntertaskError
from intertask.papers import best_of_each
from intertask.studies.graph import expand
from intertask.studies.study import Study
from made_store import (
    make_store,
    rewrite_index,
    run_id,
    write_failure,
    write_index,
    write_run,
    write_test_scores,
)


def scores(target, supporting, seed):
    """60 alone and 60 + seed + 1 with the supporting task; one run not done, one failed."""
    if (target, supporting, seed) == ("mini/cola", "mini/mnli", 1):
        return None
    if (target, supporting, seed) == ("mini/cola", None, 0):
        return "loss became NaN at step 3"
    return 60.0 + (seed + 1 if supporting else 0)


def test_runs_has_one_row_per_role_with_its_outcome(tmp_path):
    make_store(tmp_path, scores, seeds=2)
    runs = read_runs("demo", tmp_path)
    assert len(runs) == 1 + 2 * 2 + 2 * 3 * 2
    done = runs[(runs["target"] == "mini/rte") & (runs["supporting"] == "mini/mnli") & (runs["seed"] == 1)].iloc[0]
    assert done["done"] and done["score"] == 62 and done["majority"] == 50 and done["split"] == "validation"
    assert done["n_train"] == 250 and done["seconds"] == pytest.approx(2.3) and not done["degenerate"]
    assert runs["limit"].isna().all() and runs["limit"].dtype == "Int64"


def test_a_run_that_is_not_done_has_a_reason_and_no_score(tmp_path):
    make_store(tmp_path, scores, seeds=2)
    runs = read_runs("demo", tmp_path)
    absent = missing(runs)
    assert absent["reason"].tolist() == ["failed: cell 4: loss became NaN at step 3", "not run yet"]
    assert absent["seed"].tolist() == [0, 1]
    assert runs.loc[~runs["done"], "score"].isna().all()
    assert runs["failed"].notna().sum() == 1 and (runs.loc[runs["done"], "reason"] == "").all()
    assert runs.loc[~runs["done"], "degenerate"].isna().all()


def test_the_seconds_of_a_stage_are_those_of_runs_that_say_them(tmp_path):
    make_store(tmp_path, scores, seeds=2)
    runs = read_runs("demo", tmp_path)
    counts = by_stage(runs).set_index("stage")
    assert counts.loc["target", ["expected", "done"]].tolist() == [12, 10]
    assert counts.loc["target", "seconds"] == pytest.approx(10 * 2.3)
    assert by_stage(runs.assign(seconds=float("nan")), "regime")["seconds"].isna().all()  # as of a printed table


def test_a_run_whose_parent_failed_says_so(tmp_path):
    role = {"stage": "target", "seed": 0}
    write_index(tmp_path, "demo", [{"run": "a"} | role, {"run": "b", "parents": ["a"]} | role])
    write_failure(tmp_path, "a", "no space left")
    reasons = missing(read_runs("demo", tmp_path))["reason"].tolist()
    assert reasons == ["failed: cell 4: no space left", "not run: a run that it needs failed"]


def test_a_broken_record_counts_as_missing(tmp_path):
    make_store(tmp_path, lambda *_: 60.0, seeds=1)
    run = run_id("mini/text", 0)
    (tmp_path / "runs" / run / "run.json").write_text('{"id": ')
    absent = missing(read_runs("demo", tmp_path))
    assert absent["run"].tolist() == [run] and absent["reason"].str.contains("found half a file").all()


def test_the_held_out_part_is_the_reported_split(tmp_path):
    write_index(tmp_path, "demo", [{"run": "a", "stage": "target", "task": "mini/rte", "seed": 0}])
    split = {"validation_select": {"main": 70.0}, "validation_report": {"main": 65.0}}
    write_run(tmp_path, "a", "mini/rte", 0, 70.0, scores=split, majority=split, reported="validation_report")
    run = read_runs("demo", tmp_path).iloc[0]
    assert run["split"] == "validation_report" and run["score"] == 65


def test_a_test_split_reports_the_targets_where_the_study_says_so(tmp_path):
    """By hand: on test every run is 10 points below its dev score, and so one of them below the majority."""

    def scored(target, supporting, seed):
        return 60.0 + 2 * seed + (seed == 1 and bool(supporting))

    make_store(tmp_path, scored, supporting=("mini/mnli",), targets=("mini/rte",), seeds=3)
    before = read_runs("demo", tmp_path)
    assert reported_in_words(before) == ""
    write_test_scores(tmp_path)
    pd.testing.assert_frame_equal(read_runs("demo", tmp_path), before)
    rewrite_index(tmp_path, "demo", report_on="test")
    runs, scores = read_both("demo", tmp_path)
    targets = runs[runs["stage"] == "target"]
    assert targets["score"].tolist() == [50, 52, 54, 50, 53, 54] and set(targets["split"]) == {"test"}
    assert targets["degenerate"].tolist() == [True, False, False] * 2
    others = runs["stage"] != "target"
    pd.testing.assert_frame_equal(runs[others], before[others])  # intermediates are chosen on dev, and say dev
    assert transfer_table(runs)["delta"].tolist() == pytest.approx([1 / 3])
    assert best_of_each.selected(targets, scores)["chosen_by"].tolist() == [60, 62, 64, 60, 63, 64]
    (flattered,) = optimism(runs, scores).itertuples()
    assert (flattered.n, flattered.runs, flattered.optimism) == (3, 6, 10)
    assert (flattered.select, flattered.report) == pytest.approx((62 + 1 / 6, 52 + 1 / 6))
    assert reported_in_words(runs) == (
        "Scores of targets are those of the split test, also where a page says dev; checkpoints and all else that is "
        "chosen are chosen on dev."
    )


def test_scores_is_the_tidy_table(tmp_path):
    make_store(tmp_path, scores, seeds=2)
    table = read_scores("demo", tmp_path)
    header = "study,run,encoder,part,regime,mixing,supporting,control,ready_made,target,limit,supporting_limit,seed"
    assert ",".join(table.columns) == f"{header},task,split,metric,score"
    rte = table[(table["target"] == "mini/rte") & (table["metric"] == "main")]
    assert rte["score"].tolist() == [60, 60, 61, 62, 61, 62]
    assert not table["run"].isin(missing(read_runs("demo", tmp_path))["run"]).any()
    row = table.to_csv(index=False).splitlines()[1].split(",")
    assert row[0] == "demo" and row[3:7] + row[9:12] == [""] * 7 and row[14:] == ["validation", "accuracy", "40.0"]


def test_a_run_in_two_roles_has_its_scores_in_both(tmp_path):
    roles = [{"stage": "target", "regime": "single", "target": "x"}, {"stage": "intermediate", "supporting": "x"}]
    write_index(tmp_path, "demo", [{"run": "a", "task": "x", "seed": 0} | role for role in roles])
    write_run(tmp_path, "a", "x", 0, 70.0)
    assert len(read_scores("demo", tmp_path)) == 4
    assert len(missing(read_runs("demo", tmp_path))) == 0


def test_a_moved_read_only_folder_gives_the_same_frame(tmp_path):
    make_store(tmp_path / "here", scores)
    before = read_runs("demo", tmp_path / "here")
    shutil.move(tmp_path / "here", tmp_path / "there")
    for path in sorted((tmp_path / "there").rglob("*"), reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)
    pd.testing.assert_frame_equal(read_runs("demo", tmp_path / "there"), before)
    for path in (tmp_path / "there").rglob("*"):
        path.chmod(0o755)


def test_the_results_root_is_found_by_environment(tmp_path, monkeypatch):
    make_store(tmp_path, scores)
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))
    assert len(read_runs("demo")) == len(json.loads((tmp_path / "demo" / "study.json").read_text())["runs"])


def test_an_unknown_study_is_refused_with_a_guess(tmp_path):
    make_store(tmp_path, scores)
    with pytest.raises(IntertaskError, match=r"No study 'dmo'.* Did you mean 'demo'\?.*intertask run FILE"):
        read_runs("dmo", tmp_path)
    with pytest.raises(IntertaskError, match="No study '../demo'"):
        read_runs("../demo", tmp_path / "runs")


def test_a_study_in_a_folder_of_params_lies_in_a_folder_of_results(tmp_path):
    make_store(tmp_path, scores, name="phang2018/restarts")
    assert len(read_runs("phang2018/restarts", tmp_path))
    with pytest.raises(IntertaskError, match="Did you mean 'phang2018/restarts'"):
        read_runs("phang2018/restart", tmp_path)


NAMED_CONTROLS = [
    "mini/mnli",
    {"task": "mini/mnli", "shuffle_labels": True},
    {"name": "control", "task": "mini/mnli", "shuffle_labels": True},
    {"name": "noise", "tasks": ["mini/mnli", "mini/qqp"], "shuffle_labels": True},
]


def test_a_control_is_one_whatever_the_study_calls_it():
    """By the study's own rows: no reader looks for the fact in a name, which a set cannot be without."""
    study = {"encoders": ["mini/bert"], "targets": ["mini/rte"], "supporting": NAMED_CONTROLS, "seeds": 2}
    expand("demo", Study(title="t", regimes=["single", "stilts", "mtl"], **study), planned=True).save()
    runs = read_runs("demo")
    named = runs[runs["supporting"].notna()].groupby("supporting")["control"].agg(["min", "max", "size"])
    controls = ["control", "mini/mnli[shuffle_labels=true]", "noise"]
    assert named.index[named["min"]].tolist() == controls and named.index[~named["max"]].tolist() == ["mini/mnli"]
    assert named["size"].eq(6).all() and not runs.loc[runs["supporting"].isna(), "control"].any()
    found = runs.assign(
        done=True, score=60.0 + runs["seed"].astype("float64"), majority=50.0, n_train=9, supporting_n_train=99
    )
    assert "0 of 3 cells have an interval" in control_in_words(transfer_table(found))
    assert set(regimes.pairwise(found)["supporting"]) == {"mini/mnli"}
    cells = best_of_each.cell_table(found.assign(chosen_by=found["score"]))
    controls = best_of_each.with_best(cells.assign(chosen_by=cells["control"].astype(float)))
    assert set(controls.loc[controls["row"] == best_of_each.BEST, "chosen"]) <= {
        "single",
        "mini/mnli",
        "with mini/mnli",
    }


def test_an_index_of_an_earlier_version_is_refused(tmp_path, refused):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "study.json").write_text('{"name": "demo", "runs": []}')
    refused(lambda: read_runs("demo", tmp_path), "earlier version", "intertask run demo")
