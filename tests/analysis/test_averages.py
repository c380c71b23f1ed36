import math

import pandas as pd
import pytest

from intertask.analysis.averages import task_average
from intertask.papers.literature import GLUE


def test_task_average_by_hand():
    scores = dict.fromkeys(GLUE, 80.0) | {"wnli": 30.0}
    assert task_average(scores, GLUE) == pytest.approx(670 / 9)
    assert task_average(scores, GLUE, wnli_majority=56.3) == pytest.approx(696.3 / 9)
    assert task_average(scores | {"wnli": 70.0}, GLUE, wnli_majority=56.3) == pytest.approx(710 / 9)
    assert math.isnan(task_average({task: 80.0 for task in GLUE if task != "rte"}, GLUE))


def test_wang_2019_averages_recompute(shared):
    table = pd.read_csv(shared / "published" / "wang2019_glue.csv")
    keys = ["table", "setting", "split", "row"]
    printed = table[table["metric"] == "macro_average"].set_index(keys)["score"]
    main = table[table["metric"] != "macro_average"].groupby([*keys, "task"])["score"].mean().unstack("task")
    computed = main.apply(lambda row: task_average(row, GLUE, 56.3 if row.name[2] == "dev" else 65.1), axis=1)
    error = (computed - printed).abs()
    assert len(error) > 50
    assert (error[error.index.get_level_values("row") != "RandomE"] < 0.06).all()
