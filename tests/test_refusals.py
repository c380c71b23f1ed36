"""Every refusal of the library: how `check`, and `run` before its first training, reaches it, or why it cannot.

A line for each function that raises one; `*` stands for all of a room or file that is reached in the same way. Who
writes a new refusal enters it here, or sees that a line above holds for it.
"""

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

LIB = Path(__file__).parents[1] / "lib" / "intertask"

REACHED = {
    # the study's file is read and expanded, and its tasks' entries and data are loaded
    "written.py *": "the file is read",
    "studies/study.py *": "the file is read",
    "studies/obeyed.py refuse_ignored": "the file is read",
    "studies/status.py edited_since": "the study is expanded: the results have another's snapshot under its name",
    "run.py *": "the study is expanded into runs",
    "origin.py _taken": "the study is expanded: the ids of runs say what each is computed on",
    "hub.py *": "data and encoders are fetched, for the ids of runs",
    "tasks/*": "each task, and each of evaluate_on, is found, loaded and held against what the runs want",
    "probes/*": "tasks are derived from their sources",
    "formats/__init__.py find_format": "each task is loaded",
    "formats/columns.py *": "each task is loaded",
    "formats/answers.py given_answers": "each task is loaded",
    "formats/classification.py group_keys": "each task is loaded",
    "formats/cloze.py Cloze.columns": "each task is loaded",
    "formats/extractive_qa.py answer_spans": "each task is loaded",
    "errors.py unreadable": "each task is loaded",
    "formats/multi_label.py *": "each task is loaded",
    "formats/multiple_choice.py *": "each task is loaded",
    "formats/regression.py Regression.numbered": "each task is loaded",
    "formats/sequence_to_sequence.py SequenceToSequence.columns": "each task is loaded",
    "formats/span_classification.py *": "each task is loaded",
    "formats/spans.py SpanFormat.columns": "each task is loaded",
    "formats/tagging.py *": "each task is loaded",
    "formats/vocabulary.py VocabularyFormat.found_labels": "each task is loaded",
    # check.examined: each encoder is prepared without weights, as each distinct setting of the runs wants it
    "encoders/pretrained.py *": "the encoder is prepared",
    "encoders/adapters.py *": "the encoder is prepared",
    "encoders/elmo_files.py *": "the encoder is prepared",
    "encoders/lora.py with_lora": "the encoder is prepared",
    "encoders/own_head.py own_head": "the encoder is prepared, and its head held against each format",
    "encoders/word_tokenizer.py *": "all that an encoder of words reads is tokenised",
    "studies/ready.py *": "the encoder is prepared, and held against each format",
    "formats/causal_language_modelling.py refuse_reading_ahead": "the encoder is prepared; each format's head is made",
    "formats/extractive_qa.py ExtractiveQA.head": "each format's head is made",
    "formats/heads.py PooledHead.__init__": "each format's head is made",
    "formats/spans.py SpanFormat.encode": "what is read of spans is tokenised",
    "formats/tokens.py _framed": "what is read of spans is tokenised",
    "studies/check.py *": "these are check's own",
    "weighting.py probabilities": "each mixture's tasks are weighed by their sizes",
    "files.py read_sealed": "the records of finished runs are read",
    "studies/store.py _check_file": "the records of finished runs are read",
    "studies/store.py open_pool": "the pool is opened before anything starts",
    "studies/claims.py _lease": "the pool is asked for who holds what",
    "execution/shared.py shared_folder": "the file system of the results is probed before anything starts",
    # foreseen: the report's notebooks are executed for a study of which no run is finished
    "parameters.py check_values": "a notebook's parameters are held against its cell",
    "parameters.py refuse_unknown": "a notebook's parameters are held against its cell",
    "parameters.py declared": "a notebook's parameters are held against its cell",
    "analysis/correlations.py measured": "the report's notebook is executed",
    "analysis/diagnostics.py scored_on": "the report's notebook is executed",
    "analysis/regimes.py *": "the report's notebook is executed",
    "analysis/statistics.py *": "the report's notebook is executed",
    "analysis/transfer.py *": "the report's notebook is executed",
    "papers/all_tasks.py against": "the report's notebook is executed",
    "papers/best_of_each.py cell_table": "the report's notebook is executed",
    "papers/data_size.py _all_targets": "the report's notebook is executed",
    "papers/literature.py *": "the report's notebook is executed",
    "papers/mixtures.py mixed": "the report's notebook is executed",
    "papers/pretraining.py models": "the report's notebook is executed",
    "papers/printed_correlations.py *": "the report's notebook is executed",
    "papers/probing_correlations.py split_tasks": "the report's notebook is executed",
    "studies/status.py read_study": "the report's notebook is executed: another study that it names",
    "foreseen.py *": "these are check's own",
    # the command itself
    "cli.py run": "the flags are read first; and it passes on what runs left",
    "studies/check.py Verdict.notes": "passes on what is found here",
    "cli.py _refuse_deleted_folder": "every command begins with it",
    "cli.py Friendly.invoke": "says which place cannot be written, of whatever command",
    "cli.py _deadline": "the flags are read first",
    "cli.py _finite": "the flags are read first",
    "cli.py _flags": "the flags are read first",
    "files.py other_results": "every command begins with it",
    "files.py project_root": "the notebooks are looked for",
    "files.py _locked_folder": "the report's notebooks read a study in a private folder",
    "errors.py refusal": "makes them",
}

CANNOT = {
    "analysis/correlations.py _check_metric": "which metrics there are is known of scores",
    "analysis/diagnostics.py confusions": "the predictions of runs are compared",
    "analysis/score_tables.py *": "of a table of scores, for which nothing is trained; `report` and `scores` read it",
    "analysis/tables.py export": "check writes nothing, not even to see whether a folder can be written to",
    "cli.py _name": "of commands that read results: the name of a study that was run",
    "cli.py _place_of_csv": "of commands that read results: the file that is written",
    "cli.py export_pool": "of `pool export`, a command of its own",
    "cli.py scores": "of commands that read results: the file that is written",
    "cli.py check_task": "of `task check`, a command of its own",
    "files.py new_folder": "of `export` and `encoder convert`, commands of their own",
    "encoders/pickles.py *": "of `encoder convert`, a command of its own",
    "formats/base.py Format.written": "a prediction is written for a leaderboard",
    "formats/regression.py Regression.written": "a prediction is written for a leaderboard",
    "papers/best_of_each.py expected_best": "of a call by hand: no notebook's parameter is its k",
    "papers/submission.py *": "of `submit`: which runs are there; nothing is trained for it alone",
    "report/__init__.py _refuse_unwritable": "of `report`: where it is written",
    "report/__init__.py build_report": "of `report`: where it is written",
    "report/__init__.py _render": "passes on why a notebook failed, whatever it was",
    "cli.py _cluster": "where runs are executed, which check does not",
    "cli.py _clusters": "where runs are executed, which check does not",
    "execution/cluster.py *": "where runs are executed, which check does not",
    "execution/execute.py scarcity": "how much space is free when a run starts",
    "execution/here.py _start": "a process that cannot be started",
    "studies/store.py require_pool": "a pool that is moved while runs are under way",
    "studies/store.py publish": "another result of a run that another process has published meanwhile",
    "studies/store.py required": "of a run by hand: `run` trains each parent before",
    "studies/travel.py *": "of `pool export` and `pool import`, commands of their own",
    "execution/redo.py run_to_redo": "of `run --redo`: whether the run was made before",
    "execution/driver.py stop": "a driver that ended as it was to be stopped",
    "execution/driver.py command_of": "a file that is gone when its study is continued",
    "training/reuse.py *": "the heads of a run before, which is trained in the same study or lies where it was stored",
    "training/checkpoint.py _read": "a checkpoint that was damaged: the run goes on without",
    "training/frozen.py _allocate": "how much space is free when a frozen encoder reads",
    "training/memory.py full_memory_in_words": "how much memory is free when a run trains",
    "training/model.py stored_*": "of what a finished run kept, put to use: nothing is trained",
    "training/record.py save": "a pool that is moved while runs are under way",
    "training/train.py Losses.look": "a loss that is not finite",
    "analysis/flips.py flips": "of explore: the cell that was chosen",
    "lab/explore.py *": "of explore: what was given to it",
    "lab/form.py *": "of the Lab's forms: nothing is written that was not checked",
    "lab/compose.py *": "of the Lab's form: passes on what check finds",
    "use/*": "of `export` and `predict`, commands of their own: which run is meant, and what is done with it",
    "analysis/explored.py *": "of explore: what was chosen in its form",
    "views/drafts.py *": "of the Lab's forms: the file that is written, and those that a task is made of",
    "views/listing.py catalogue_table": "of `tasks`, a command of its own",
    "views/inventory.py find_run": "of `show`, a command of its own",
    "views/inventory.py run_page": "of `show`, a command of its own",
}


def raising(path: Path) -> Iterator[str]:
    """Each function of a module that makes an IntertaskError, by `refusal` or itself."""

    def within(node: ast.AST, names: tuple[str, ...]) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            inside = isinstance(child, ast.FunctionDef | ast.ClassDef)
            if isinstance(child, ast.Call) and getattr(child.func, "id", "") in ("IntertaskError", "refusal"):
                yield f"{path.relative_to(LIB).as_posix()} {'.'.join(names)}"
            yield from within(child, (*names, child.name) if inside else names)

    return within(ast.parse(path.read_text(encoding="utf-8")), ())


FOUND = sorted({place for path in LIB.rglob("*.py") for place in raising(path)})
LINES = REACHED | CANNOT


def test_each_refusal_has_its_line_and_each_line_a_refusal():
    assert len(FOUND) > 100
    absent = [place for place in FOUND if not any(fnmatch(place, line) for line in LINES)]
    assert not absent, "enter these: how does `check` reach them, or why can it not?"
    assert not [line for line in LINES if not any(fnmatch(place, line) for place in FOUND)], "nothing is refused there"
    assert not REACHED.keys() & CANNOT.keys()
