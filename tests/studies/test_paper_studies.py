"""The papers' studies: what they train, counted by hand from the papers, and the same on the mini suite."""

from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from intertask.studies.check import analysis_notebook
from intertask.studies.graph import expand
from intertask.studies.study import NO_STUDIES, load_study
from intertask.tasks.catalogue import find_entry

PARAMS = Path(__file__).parents[2] / "params"
PAPERS = [
    f"{path.parent.name}/{path.stem}" for path in sorted(PARAMS.glob("*/*.yaml")) if path.parent.name not in NO_STUDIES
]

RUNS = {
    # BERT on limited data, (8 tasks x 5 rows - 2 struck cells) x 20 x 2, and WNLI; on all data; GPT; Table 4; four
    # encoders after SNLI and Real/Fake: MNLI and QQP as intermediate tasks are single runs
    "phang2018/table1": 1520 + 5 * 2 + 400 + 18 + 5 + 43 + 43 * 2 + 43 * 2 + 4 * 2,
    "phang2018/figure1": 4 * 2 * 20 + 2 * (8 * 2 * 20 - 20) + 1,
    "phang2018/table3": 4 + 2 - 1,  # GPT → {MNLI, RTE} is scored and gone on from
    "phang2018/submission": 800 + 5 * 2 - 1,  # MNLI is not trained after MNLI; alone it is the intermediate
    # 45 single, 360 after another task, pairs in three ways, per direction where the target's examples are matched; all
    # tasks in three ways, and with matched steps
    "weller2022/pairwise": 45 + 360 + 180 + 180 + 360 + 6 * 5,
    "weller2022/second_encoder": 45 + 360 + 180 + 180 + 360,
    # two singles, ten intermediates of which MNLI at 52,371 serves in both arms, ten pairs in four ways
    "weller2022/size": 5 * (2 + 9 + 4 * 10),
    "wang2019/mixing": 14 + 3 * 6,
    "wang2019/pretraining": 19 + 19 * 9 + 9,
    "wang2019/intermediate_elmo": 17 + 17 * 9 + 9,
    "wang2019/intermediate_bert": 17 + 17 * 9,  # nine of them are the single runs
    "wang2019/variance": 5 * (9 + 1 + 9 + 9),
    # tasks by sizes: 3 x 2 + 5 x 3 of classification, 4 x 5 of generation, 2 x 5 of language modelling, each with nine
    # targets; three encoders without; seven of BERT's intermediates on all data are single runs; Figure 3
    "wang2019/learning_curves": 10 * (51 + 41 + 41) + 3 * 9 - 7 + 3 * 9 + 3 * 9 + (1 + 4 * 9),
    "wang2019/diagnostics": 19 + 17 + 17 + 20 + 18 + 18 - 1,  # BERT on MNLI is both
    "phang2018/elmo": 9 + 4 * 9 - 2 + 2,
    "pruksachatkun2020/transfer": 1260 + 33 + 44 * 8 - 6,
    "pruksachatkun2020/intermediate_size": 3 * 10 * 24 + 3 * 23 + 13 * 8 - 6,
}


@cache
def graph(name, mini=False, quick=False):
    return expand(*load_study(name, mini, quick), planned=True)


def roles(graph) -> set[tuple]:
    return {(row.stage, row.regime, bool(row.substituted)) for row in graph.rows if row.stage != "pretraining"}


@pytest.mark.parametrize("name", PAPERS)
def test_a_study_trains_what_its_paper_states(name):
    made = graph(name)
    assert len(made.runs) == RUNS[name]
    for count in made.study.counts:
        ours = made.counted(count.settings)
        assert ours and (ours == count.paper or count.because), count


@pytest.mark.parametrize("name", PAPERS)
def test_on_the_mini_suite_every_rule_is_still_there(name):
    full, mini, quick = graph(name), graph(name, mini=True), graph(name, mini=True, quick=True)
    assert roles(full) == roles(mini) == roles(quick)
    for small in (mini, quick):
        own = small.study
        assert all(find_entry(row.task).mini for row in small.rows)
        assert [one.notebook for one in own.report] == [one.notebook for one in full.study.report]
        assert all(analysis_notebook(one.notebook) for one in own.report)
        assert (own.same_task, own.wnli) == (full.study.same_task, full.study.wnli)
        assert bool(own.sweep) == bool(full.study.sweep) and bool(own.small_data) == bool(full.study.small_data)
    assert quick.study.intermediate_choice == full.study.intermediate_choice
    assert len(quick.runs) < len(mini.runs)


def test_the_quick_pairwise_study_is_what_its_report_needs():
    made = graph("weller2022/pairwise", mini=True, quick=True)
    assert len(made.study.targets) == 5 and len(made.study.seeds) == 2
    assert Counter(one.budget for one in made.study.mixing) == {"own": 3, "target_examples": 1}
    labels = {find_entry(task).labels and len(find_entry(task).labels) for task in made.study.targets}
    assert labels == {None, 2, 3}  # heads that are shared and heads that are not


def test_first_stages_of_pairs_are_the_single_runs():
    rows = graph("weller2022/pairwise").rows
    assert {row.run for row in rows if row.stage == "intermediate"} == {r.run for r in rows if r.regime == "single"}


def test_every_batch_size_of_the_published_scripts_is_used():
    made = graph("pruksachatkun2020/transfer")
    sizes = {run.task: run.per_device_train_batch_size for run in made.runs.values()}
    assert Counter(sizes.values()) == {4: 44 - 21, 8: 6, 32: 4, 64: 11}


def test_restarts_are_shared_between_the_studies_of_phang():
    ids = {name: set(graph(f"phang2018/{name}").runs) for name in ("table1", "figure1", "submission")}
    assert ids["figure1"] < ids["table1"]
    assert len(ids["submission"] - ids["table1"]) == 2 * 4 * 80


def test_runs_are_shared_between_the_studies_of_wang():
    ids = {name: set(graph(f"wang2019/{name}").runs) for name in ("diagnostics", "variance", "learning_curves")}
    tables = {
        run
        for name in ("pretraining", "intermediate_elmo", "intermediate_bert")
        for run in graph(f"wang2019/{name}").runs
    }
    assert ids["diagnostics"] < tables
    assert len(ids["variance"] & tables) == 3 * 9 + 1  # of the first seed
    # on all data: three systems without, 14, 12 and 12 tasks and one set with nine targets; seven of BERT's are both
    assert len(ids["learning_curves"] & tables) == 3 * 9 + 10 * (14 + 12 + 12) - 7 + 10


def test_every_pretraining_of_wang_is_trained_by_its_paper_s_rules():
    runs = graph("wang2019/pretraining").runs.values()
    targets = {run.task: run for run in runs if run.tuning == "frozen"}
    assert {task: run.classifier for task, run in targets.items()} == {
        **dict.fromkeys(["rte", "wnli"], "small"),
        **dict.fromkeys(["cola", "sst2", "mrpc"], "medium"),
        **dict.fromkeys(["stsb", "qqp", "mnli", "qnli"], "large"),
    }
    trained = [run for run in runs if run.tuning == "full"]
    assert {run.classifier for run in trained} == {"medium"}  # without attention
    sets = {
        len(run.members): (run.sampling, run.selection, run.eval_steps, run.eval_steps_per_task)
        for run in trained
        if run.alongside
    }
    assert sets == dict.fromkeys([9, 7, 16], ("power_0.75", "average", 1000, True))
    # states that language modelling trains are of one direction each
    assert {run.encoder for run in trained if any("lm_" in one.task for one in run.members)} == {"bilm"}
    assert all(run.amsgrad and run.lr_scheduler_type == "reduce_lr_on_plateau" for run in runs)
