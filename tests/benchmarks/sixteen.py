"""The sixteen faults that this lab must survive, each with the real fault and ten times in a row.

    make faults    (or: python tests/benchmarks/sixteen.py [--times N] [NUMBER …])

Each is shown by tests of the suite, and by those of them that are too slow for it (`slow`). Prints a table; ends with 1
if one failed, and says which were skipped: some take root, a file system to mount, a compiler or a browser.
"""

import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import pytest
import typer

TESTS = Path(__file__).parents[1]
FAULTS = {
    "kill -9 of each process at each moment of a run": [
        "execution/test_faults.py::test_what_is_killed_at_any_moment_leaves_nothing_half_and_is_made_up_for",
        "execution/test_worker.py::test_a_driver_that_is_killed_as_its_first_processes_start_takes_them_along",
    ],
    "a kernel exits, or is killed for want of memory": [
        "execution/test_faults.py::test_a_kernel_that_exits_has_failed_whatever_its_code",
        "execution/test_faults.py::test_a_kernel_that_the_system_kills_for_want_of_memory_has_failed",
        "training/test_memory.py::test_where_main_memory_is_full_it_is_said_how_full_and_what_to_lower",
    ],
    "a full disk at each moment of a run": [
        "execution/test_faults.py::test_a_disk_that_is_full_at_any_moment_costs_a_run_and_nothing_else",
        "execution/test_execute.py::test_no_run_starts_on_a_full_disk",
        "training/test_checkpoint.py::test_a_disk_that_is_full_leaves_the_run_going_without_a_checkpoint",
    ],
    "a damaged, truncated, stray or foreign checkpoint": [
        "training/test_checkpoint.py::test_of_a_damaged_checkpoint_it_is_said_and_the_one_before_is_taken",
        "training/test_checkpoint.py::test_a_stray_folder_is_no_checkpoint",
        "training/test_checkpoint.py::test_where_every_checkpoint_is_anothers_the_run_begins_anew",
    ],
    "two drivers; one stops or dies and is overtaken": [
        "execution/test_worker.py::test_two_drivers_of_many_workers_execute_each_run_once_and_give_the_same_scores",
        "execution/test_faults.py::test_a_machine_that_is_silent_is_overtaken_and_publishes_nothing_afterwards",
    ],
    "a clock put back and forward": [
        "execution/test_faults.py::test_clocks_that_are_put_back_and_forward_change_nothing",
        "studies/test_claims.py::test_silence_counts_by_the_readers_clock_from_the_readers_first_look",
    ],
    "wrong data": [
        "tasks/test_bad_data.py",
        "bad_inputs/test_bad_inputs.py::test_wrong_data_of_any_format",
        "test_own_tasks.py::test_a_bad_row_is_refused_with_its_place",
        "test_own_tasks.py::test_what_may_surprise_is_said_and_not_refused",
    ],
    "a loss that is not finite; the same answer to all": [
        "execution/test_worker.py::test_a_failing_run_names_its_cell_and_only_what_starts_from_it_is_not_started",
        "training/test_train.py::test_a_loss_that_is_not_finite_stops_the_run",
        "training/test_train.py::test_a_run_that_says_the_same_of_every_example_is_marked_and_has_the_score_of_that",
    ],
    "odd and huge texts and names": [
        "test_own_tasks.py::test_texts_and_names_of_any_kind_are_trained_on_and_shown",
        "tasks/test_loading.py::test_long_field_and_nul",
        "formats/test_columns.py::test_half_a_character_is_no_text_anywhere",
        "test_report.py::test_hostile_text_does_not_run_in_a_browser",
    ],
    "an unknown parameter; what YAML makes of a value": [
        "execution/test_execute.py::test_a_misspelt_parameter_stops_the_notebook_before_training",
        "studies/test_study.py::test_what_is_wrong_is_named_with_its_file",
        "studies/test_study.py::test_a_learning_rate_that_yaml_reads_as_text_is_a_number",
        "tasks/test_entries.py::test_bare_no_among_labels_of_a_file_is_refused",
    ],
    "five kernels that start at once, a hundred times": [
        "execution/test_kernel.py::test_of_kernels_that_start_at_the_same_moment_none_is_lost"
    ],
    "SIGTERM, SIGUSR1 and Ctrl-C, once and twice; no time left": [
        "execution/test_worker.py::test_what_every_process_is_told_at_once_stops_a_study_in_order",
        "execution/test_worker.py::test_a_driver_that_is_asked_to_stop_says_what_stands_and_how_to_go_on",
        "execution/test_worker.py::test_a_driver_that_is_asked_twice_ends_at_once",
        "execution/test_worker.py::test_a_study_for_which_no_time_is_left_is_stopped",
    ],
    "results that are copied while they come, and moved": [
        "execution/test_faults.py::test_results_that_are_copied_as_they_come_are_read_and_say_the_same",
        "execution/test_execute.py::test_a_moved_and_read_only_folder_is_read",
    ],
    "no room for files; slow renames; 10,000 runs": [
        "execution/test_faults.py::test_where_no_file_can_be_made_it_is_said_and_later_made_up_for",
        "execution/test_faults.py::test_where_renames_come_late_two_drivers_do_each_run_once",
        "execution/test_faults.py::test_ten_thousand_runs_are_listed_in_a_second",
    ],
    "code or notebook edited between two runs": [
        "test_origin.py::test_every_edit_of_what_computes_has_a_digest_of_its_own",
        "test_origin.py::test_after_an_edit_of_the_notebook_a_study_has_other_runs_and_says_why",
    ],
    "the same again; resumed: the same bits": [
        "training/test_train.py::test_the_same_run_gives_the_same_bits",
        "training/test_checkpoint.py::test_a_run_that_is_killed_twice_and_stopped_ends_with_the_same_bits",
    ],
}


class Repeated:
    """Has every test come several times, one after the other, and counts what became of them."""

    def __init__(self, times: int):
        self.times, self.seen, self.failed = times, Counter(), set()

    @pytest.fixture
    def time_in_a_row(self, request) -> int:
        return request.param

    @pytest.hookimpl(trylast=True)
    def pytest_generate_tests(self, metafunc) -> None:
        metafunc.fixturenames.append("time_in_a_row")
        metafunc.parametrize("time_in_a_row", range(self.times), indirect=True)

    def pytest_runtest_logreport(self, report) -> None:
        if report.when == "call" or not report.passed:
            self.seen[report.outcome] += 1
        if report.failed:
            self.failed.add(report.nodeid)


def main(
    numbers: Annotated[list[int] | None, typer.Argument(help="which of the sixteen; all, if none is named")] = None,
    times: Annotated[int, typer.Option(help="in a row")] = 10,
) -> None:
    """Does each of them so many times and prints what it came to."""
    os.chdir(TESTS.parent)
    os.environ["INTERTASK_STARTS"] = "20"
    lines, faults = [], False
    for number, (fault, tests) in enumerate(FAULTS.items(), start=1):
        if numbers and number not in numbers:
            continue
        began, repeated = time.monotonic(), Repeated(times)
        arguments = ["-n0", "-m", "", "-p", "no:cacheprovider", "--durations=0", "--durations-min=1", "-rfs"]
        code = pytest.main([*arguments, *(f"tests/{test}" for test in tests)], plugins=[repeated])
        seen = ", ".join(f"{count} {outcome}" for outcome, count in sorted(repeated.seen.items()))
        seconds = time.monotonic() - began
        lines.append(
            f"{number:2}  {fault:58} {repeated.seen.total() // times:3} tests x {times}: {seen}  ({seconds:.0f} s)"
        )
        lines += [f"    FAILED {one}" for one in sorted(repeated.failed)]
        faults |= code != 0
        print(lines[-1], flush=True)
    print("\n".join(["", *lines]))
    raise typer.Exit(faults)


if __name__ == "__main__":
    sys.path.insert(0, str(TESTS))
    typer.run(main)
