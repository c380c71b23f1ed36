"""Tables of scores that were not trained here: what is read of them, and what is refused."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from intertask.analysis.read import missing, read_records, read_runs, read_scores, read_settings
from intertask.analysis.score_tables import find_table, keep, tidy
from intertask.analysis.transfer import replicates_in_words, transfer_table
from intertask.cli import app
from intertask.errors import IntertaskError

ROWS = """\
model,source,dataset,seed,measure,value
roberta,,rte,1,accuracy,0.60
roberta,,rte,2,accuracy,0.64
roberta,mnli,rte,1,accuracy,0.70
roberta,mnli,rte,2,accuracy,0.76
roberta,,mrpc,1,accuracy,0.80
roberta,,mrpc,1,f1,0.90
roberta,mnli,mrpc,1,accuracy,0.81
roberta,mnli,mrpc,1,f1,
"""
NAMES = {"encoder": "model", "supporting": "source", "target": "dataset", "metric": "measure", "score": "value"}


def written(folder, text=ROWS, name="theirs.csv"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def source_file(folder, text=ROWS, **keys):
    written(folder, text)
    path = folder / "theirs.yaml"
    path.write_text(yaml.safe_dump({"title": "Theirs", "source": "theirs.csv", "columns": NAMES} | keys))
    return path


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path / "results"))
    return tmp_path / "results"


def command(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_a_mapped_table_is_read_as_a_study(tmp_path, results):
    found = command("scores", source_file(tmp_path), "--csv", tmp_path / "scores.csv")
    assert found.exit_code == 0, found.output
    runs = read_runs("theirs")
    assert len(runs) == 6 and runs["stage"].eq("target").all() and runs["regime"].tolist().count("stilts") == 3
    score = runs.set_index(["target", "regime", "seed"])["score"]
    assert score["rte", "stilts", 2] == pytest.approx(76) and score["mrpc", "single", 1] == pytest.approx(85)
    assert np.isnan(score["mrpc", "stilts", 1])  # one of its two metrics is missing
    assert missing(runs)["reason"].tolist() == ["the table has no score"]
    scores = read_scores("theirs")
    mrpc = scores[(scores["target"] == "mrpc") & (scores["regime"] == "single")].set_index("metric")["score"]
    assert mrpc.to_dict() == pytest.approx({"accuracy": 80, "f1": 90, "main": 85})
    assert read_settings("theirs")["columns"] == NAMES and read_records(runs) == {}
    assert len(pd.read_csv(tmp_path / "scores.csv")) == len(scores)


def test_transfer_is_that_of_a_study(tmp_path, results):
    command("scores", source_file(tmp_path), "--csv", tmp_path / "scores.csv")
    table = transfer_table(read_runs("theirs")).set_index("target")
    # 10 and 12 points apart: mean 11, half width 12.7062 * sqrt(2) / sqrt(2)
    assert table.loc["rte", ["n", "delta", "low"]].tolist() == pytest.approx([2, 11, 11 - 12.7062], abs=1e-3)
    assert table.loc["mrpc", "n"] == 0 and np.isnan(table.loc["mrpc", "delta"])
    assert replicates_in_words(table) == "For 2 of 2 cells it is not said whether seeds share a supporting model."


def test_a_table_in_the_results_folder_needs_no_file(results):
    written(results, "encoder,supporting,target,score\nbert,,rte,60\nbert,mnli,rte,70\n", "published/ours.csv")
    assert transfer_table(read_runs("published/ours"))["delta"].tolist() == [10]
    assert read_settings("published/ours") == {"mixing": []}


def test_no_table_is_found_outside_the_results(tmp_path):
    written(tmp_path, name="secret.csv")
    assert find_table("../secret", tmp_path / "results") is None


def test_derived_rows_and_other_splits_are_no_runs(results):
    written(
        results,
        "encoder,target,split,metric,score,below_majority,derived\n"
        "bert,rte,,accuracy,60,True,\nbert,rte,test,accuracy,58,,\nbert,average,,main,70,,True\n",
        "t.csv",
    )
    runs, scores = read_runs("t"), read_scores("t")
    assert runs["score"].tolist() == [60] and runs["degenerate"].tolist() == [True]
    assert sorted(scores["split"]) == ["test", "validation", "validation"] and "average" not in set(scores["target"])


@pytest.mark.parametrize(
    ("text", "keys", "message"),
    [
        (ROWS.replace("2,accuracy,0.76", "1,accuracy,0.76"), {}, "rows 4 and 5 for encoder roberta"),
        (ROWS.replace("0.76", "76"), {}, "found 76.0 in row 5 (1 such row: 5)"),
        (ROWS.replace("0.", ""), {"unit": "fraction"}, "unit: fraction: expected scores of at most 1"),
        (ROWS, {"unit": "points"}, "for fractions say unit: fraction"),
        (ROWS.replace("0.76", "high"), {}, "score: expected numbers; found high in row 5"),
        (ROWS.replace("rte,2", "rte,1.5"), {}, "seed: expected whole numbers; found 1.5 in row 3"),
        (ROWS.replace("roberta,mnli,mrpc,1,f1,\n", ""), {}, "the same metrics for every run on mrpc"),
        (ROWS.replace("roberta,,rte,1", ",,rte,1"), {}, "expected an encoder and a target"),
        (ROWS, {"columns": {**NAMES, "score": "vale"}}, "score is to be 'vale', no such column. Did you mean 'value'?"),
        (ROWS, {"columns": {**NAMES, "sede": "seed"}}, "no column 'sede' to map to. Did you mean 'seed'?"),
        (ROWS, {"columns": {"target": "dataset", "score": "value"}}, "found no encoder among"),
        (ROWS, {"source": "there.csv"}, "there.csv: expected a CSV of scores, found no such file"),
        (ROWS, {"colums": {}}, "colums: extra inputs are not permitted"),
        ("", {}, "expected a CSV of scores in UTF-8"),
    ],
)
def test_what_is_refused(tmp_path, results, text, keys, message):
    found = command("scores", source_file(tmp_path, text, **keys))
    assert found.exit_code == 2 and message in " ".join(found.output.split())
    assert not results.exists()  # nothing is left of a table that was refused


def test_low_points_are_the_users_word(tmp_path):
    path = written(tmp_path, "encoder,target,score\nbert,edge/srl,0.2\nbert,rte,60\n")
    assert tidy(path, unit="points")["score"].tolist() == [0.2, 60]
    with pytest.raises(IntertaskError, match="say unit: points where scores are that low"):
        tidy(path)


def test_a_table_cannot_be_run(tmp_path, results):
    found = command("run", source_file(tmp_path))
    assert found.exit_code == 2 and "`intertask report`" in found.output


def test_tables_are_joined_and_reported(tmp_path, results, forked_kernels):
    written(tmp_path, "encoder,supporting,target,score\nbert,,rte,60\nbert,mnli,rte,70\n", "one.csv")
    written(tmp_path, "encoder,supporting,target,score\ngpt,,rte,50\ngpt,mnli,rte,48\n", "two.csv")
    path = tmp_path / "both.yaml"
    report = [{"notebook": "transfer_matrix", "confidence": 0.9}, "restarts"]
    path.write_text(yaml.safe_dump({"title": "Both", "source": ["one.csv", "two.csv"], "report": report}))
    found = command("report", path)
    assert found.exit_code == 0, found.output
    assert transfer_table(read_runs("both"))["delta"].tolist() == [10, -2]
    index = (results / "both" / "report" / "index.html").read_text()
    assert "not\ntrained here" in index and "Nothing is\nmissing" in index
    assert json.loads((results / "both" / "study.json").read_text())["given"]["source"] == ["one.csv", "two.csv"]
    assert "2 columns" not in index and str(tmp_path) not in index
    path.write_text(yaml.safe_dump({"title": "Both anew", "source": ["one.csv", "two.csv"]}))
    assert command("report", path).exit_code == 0  # built from the file, not from what was kept
    assert "Both anew" in (results / "both" / "report" / "index.html").read_text()


def test_the_same_run_in_two_tables_is_refused(tmp_path, results):
    for name in ("one.csv", "two.csv"):
        written(tmp_path, "encoder,target,score\nbert,rte,60\n", name)
    path = tmp_path / "both.yaml"
    path.write_text(yaml.safe_dump({"title": "Both", "source": ["one.csv", "two.csv"]}))
    assert "one score for each run and metric" in command("report", path).output


def test_the_majority_is_in_the_unit_of_the_scores(tmp_path):
    text = "encoder,target,seed,score,majority\ne,wnli,1,0.5,0.563\ne,wnli,2,0.7,0.563\n"
    table = tidy(written(tmp_path, text))
    assert table["score"].tolist() == [50, 70] and table["majority"].tolist() == pytest.approx([56.3, 56.3])
    with pytest.raises(IntertaskError, match="expected scores of 0-100"):
        tidy(written(tmp_path, text.replace(",0.5,", ",50,").replace(",0.7,", ",70,")))


def test_unmarked_scores_of_a_marked_target_are_above_the_majority(results):
    written(results, "encoder,target,seed,score,below_majority\ne,a,1,50,True\ne,a,2,60,\ne,b,1,70,\n", "marked.csv")
    assert read_runs("marked")["degenerate"].tolist() == [True, False, pd.NA]


@pytest.mark.parametrize(
    "row, message",
    [("e,average,validation,50", "row 2"), ("e,a,test,50", "expected rows of split validation, found only test")],
)
def test_an_average_and_a_table_of_another_split_are_refused(tmp_path, row, message):
    with pytest.raises(IntertaskError, match=message):
        tidy(written(tmp_path, f"encoder,target,split,score\n{row}\n"))


def test_files_of_different_metrics_are_refused_before_they_are_kept(tmp_path, results):
    head = "encoder,target,seed,metric,score\n"
    written(tmp_path, head + "e,a,1,accuracy,50\n", "one.csv")
    written(tmp_path, head + "e,a,2,f1,60\n", "two.csv")
    path = source_file(tmp_path, source=["one.csv", "two.csv"], columns={}, values={"derived": False})
    found = command("report", path)
    assert found.exit_code and "accuracy and f1" in found.output and "one.csv" in found.output
    assert not (results / "theirs").exists()


def test_a_table_says_what_is_a_control_and_one_without_the_column_by_the_name(tmp_path):
    rows = "encoder,target,supporting,score\ne,t,,60\ne,t,s,62\ne,t,s[shuffle_labels=true],61\n"
    assert tidy(written(tmp_path, rows))["control"].tolist() == [False, False, True]
    rows = "encoder,target,supporting,control,score\ne,t,,,60\ne,t,noise,True,62\ne,t,s,False,61\n"
    assert tidy(written(tmp_path, rows))["control"].tolist() == [False, True, False]


def test_every_file_has_its_own_mapping(tmp_path, results):
    written(tmp_path, "model,task,points\nb,rte,60\n", "one.csv")
    written(tmp_path, "source,data,value\nmnli,rte,70\n", "two.csv")
    path = tmp_path / "both.yaml"
    first = {"file": "one.csv", "columns": {"encoder": "model", "target": "task", "score": "points"}}
    second = {"file": "two.csv", "columns": {"supporting": "source", "score": "value"}}
    text = {"title": "Both", "source": [first, second], "columns": {"target": "data"}, "values": {"encoder": "b"}}
    path.write_text(yaml.safe_dump(text))
    found = command("scores", path)
    assert found.exit_code == 0, found.output
    assert transfer_table(read_runs("both"))["delta"].tolist() == [10]


def test_a_name_that_a_spreadsheet_would_execute_comes_back_as_it_was(tmp_path, results):
    written(tmp_path, 'encoder,target,score\n"=1+1",rte,60\n@b,rte,61\n-c,rte,62\n')
    found = command("scores", source_file(tmp_path, (tmp_path / "theirs.csv").read_text(), columns={}))
    assert "'=1+1" in found.output and "'@b" in found.output and "'-c" in found.output
    assert read_runs("theirs")["encoder"].tolist() == ["=1+1", "@b", "-c"]


def test_blank_lines_count_as_rows_and_say_nothing(tmp_path):
    table = tidy(written(tmp_path, "encoder,target,score\n\ne,a,50\n\n"))
    assert table.index.tolist() == [3] and table["score"].tolist() == [50]


def test_what_is_kept_already_is_not_written_again(tmp_path, results):
    path = source_file(tmp_path)

    def kept() -> int:
        keep(path, "theirs")
        return (results / "theirs" / "study.json").stat().st_mtime_ns

    first = kept()
    assert kept() == first
    (results / "theirs" / "source.csv").write_text("damaged")
    with pytest.raises(IntertaskError, match="source.csv: expected the table as it was kept, found another, or none"):
        read_runs("theirs")
    assert (second := kept()) != first
    written(tmp_path, ROWS.replace("0.7", "0.6"))
    assert kept() != second


@pytest.mark.parametrize(
    "files, place",
    [
        ("source:\n  file: scores.csv\n  columns:\n    score: vale\n", "line 5"),
        ("source:\n  - scores.csv\n  - file: more.csv\n    values: {seed: 1}\n    columns: {score: vale}\n", "line 6"),
        ("source:\n  - scores.csv\n  - more.csv\ncolumns:\n  encoder: encoder\n  score: vale\n", "line 7"),
        ("source:\n  - scores.csv\n  - more.csv\npredictions:\n  - more.csv\n", "line 6"),
    ],
)
def test_a_wrong_meaning_is_refused_where_it_is_written(tmp_path, results, refused, files, place):
    for name in ("scores.csv", "more.csv"):
        written(tmp_path, "encoder,target,score\ne,rte,50\n", name)
    (path := tmp_path / "theirs.yaml").write_text(f"title: T\n{files}")
    refused(lambda: keep(path, "theirs"), f"theirs.yaml, {place}: ")
