"""How long runs are expected to take, and where that is known from."""

from intertask.run import Run
from intertask.views.estimate import OVERHEAD, estimate, measured_speeds
from made_store import write_run


def test_a_run_is_expected_to_take_as_long_as_those_like_it(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))
    seconds = {"load": 1.0, "train": 8.0, "evaluate": 1.0}
    for seed, examples in enumerate([100, 200, 600]):
        write_run(tmp_path, f"x{seed}", "mini/rte", seed, 60, limit=None, examples_seen=examples, seconds=seconds)
    write_run(tmp_path, "y", "mini/cola", 0, 60, limit=None, examples_seen=3000, seconds=seconds)
    speeds = measured_speeds()
    assert speeds["mini/bert", 1, "full", "cpu", "float32", "mini/rte", None] == 20  # the median of 10, 20 and 60
    assert speeds["mini/bert", 1, "full", "cpu", "float32"] == 40  # of these and 300
    like, other = Run(task="mini/rte", num_train_epochs=2), Run(task="mini/rte", num_train_epochs=2, limit=50)
    expected = estimate({"like": like, "other": other}).seconds
    assert expected == {"like": OVERHEAD + 2 * 250 / 20, "other": OVERHEAD + 2 * 50 / 40}


def test_an_estimate_says_which_speeds_are_measured_and_which_guessed(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))
    ours, other = Run(task="mini/rte"), Run(task="mini/rte", encoder="mini/gpt")
    assert estimate({"a": ours}).source == "a guess; finished runs will better it"
    write_run(tmp_path, "x", "mini/rte", 0, 60, encoder="mini/gpt")
    assert estimate({"a": ours}).source == "a guess; finished runs will better it"
    assert estimate({"b": other}).source == "measured on finished runs of mini/gpt"
    assert estimate({"a": ours, "b": other}).source == ("measured on finished runs of mini/gpt; a guess for mini/bert")
    frozen = other.model_copy(update={"tuning": "frozen"})
    assert estimate({"c": frozen}).source == "a guess; finished runs will better it"
