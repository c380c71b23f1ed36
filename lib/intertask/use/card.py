"""The card of an exported model: what it is, how sure one can be, and how it is made again. It names no place of this
machine."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import EvalResult, ModelCardData

from intertask.analysis.cells import cell_in_words, cells_table, of_cell
from intertask.analysis.inference import with_tests
from intertask.analysis.read import read_runs
from intertask.analysis.transfer import each_once, transfer_table
from intertask.analysis.zero_shot import ZERO_SHOT
from intertask.errors import IntertaskError, number_of
from intertask.formats.extractive_qa import LONGEST_ANSWER, OVERLAP
from intertask.formats.multi_label import THRESHOLD, MultiLabel
from intertask.studies import store
from intertask.studies.status import read_study
from intertask.tasks.catalogue import find_entry
from intertask.use.agreement import Check, match_in_words
from intertask.use.choice import OF_A_CELL, Chosen, public_name, repository, study_command
from intertask.use.plain import class_name

HUB_TASKS = {
    "AutoModelForSequenceClassification": "text-classification",
    "AutoModelForTokenClassification": "token-classification",
    "AutoModelForQuestionAnswering": "question-answering",
    "AutoModelForMultipleChoice": "multiple-choice",
    "AutoModelForMaskedLM": "fill-mask",
}
"""What the Hub calls the tasks of these classes."""

USE = {
    "text-classification": (
        'pipe = pipeline("text-classification", model=model, tokenizer=tokenizer)\n'
        'pipe({{"text": text, "text_pair": second}}, truncation=True, top_k=None)',
        "`text` is {first}; `second` is {second}.",
    ),
    "token-classification": (
        'pipe = pipeline("token-classification", model=model, tokenizer=tokenizer, ignore_labels=[])\npipe(text)',
        "`text` is the words of {first} with single blanks between. A word's label is that of its first token.",
    ),
    "question-answering": (
        'read = tokenizer(question, passage, truncation="only_second", stride={stride},\n'
        '                 return_overflowing_tokens=True, padding=True, return_tensors="pt")\n'
        'read.pop("overflow_to_sample_mapping")\nlogits = model(**read)',
        "`question` is {first}, `passage` is {second}, read in overlapping windows. The answer is the part of the "
        "passage with the highest sum of start and end logit over all windows, at most {longest} tokens long.",
    ),
    "multiple-choice": (
        'read = tokenizer([text] * len(choices), choices, truncation=True, padding=True, return_tensors="pt")\n'
        "logits = model(**{{name: one[None] for name, one in read.items()}}).logits  # (1, choices)",
        "`text` is {first}; each of `choices` is the choice behind {second} and a blank, where there is such a text.",
    ),
    "fill-mask": (
        'pipe = pipeline("fill-mask", model=model, tokenizer=tokenizer)\npipe(text)',
        "`text` is {first} with a mask in it.",
    ),
}
"""How models of these tasks are called, and what is what."""

CONFIDENCE = 0.95


def card_of(chosen: Chosen, check: Check, entry, adapter: bool = False) -> str:
    """The card as Markdown behind its metadata; entry: of the task, with its labels' names."""
    stages = _stages(chosen)
    kind = class_name(chosen.run, entry)
    sections = {
        f"{chosen.task} on {public_name(chosen.record['encoder'])}": _what(chosen, stages),
        "Use": _use(chosen, entry, kind, adapter),
        "Training": _training(chosen, stages),
        "Data": _data(chosen, stages),
        "Scores": [*_scores(chosen), "", *_how_sure(chosen)],
        "The head": _head(kind) if check.carried else [],
        "How this folder was checked": [match_in_words(chosen, check)],
        "Make it again": _again(chosen),
    }
    title, *_ = sections
    body = [
        "\n".join([f"{'#' * (1 + (name != title))} {name}", "", *lines]) for name, lines in sections.items() if lines
    ]
    return f"---\n{_metadata(chosen, entry, kind, stages, adapter)}\n---\n\n" + "\n\n".join(body) + "\n"


def _metadata(chosen: Chosen, entry, kind: str, stages: list[dict], adapter: bool) -> ModelCardData:
    base, (repo, _), further = chosen.record["encoder"], repository(chosen.record["encoder"]), _further(chosen)
    trained = [record["identity"]["data"][name][0] for record in stages for name in record["tasks"]]
    results = []
    for split, scores in chosen.outcome["scores"].items():
        content, _ = chosen.record["identity"]["data"][split if split in further else chosen.task]
        data = {
            "dataset_type": content.get("hub", split if split in further else chosen.task),
            "dataset_name": further.get(split, chosen.task),
            "dataset_config": content.get("config"),
            "dataset_split": None if split in further else split,
            "dataset_revision": content.get("revision", "main") if "hub" in content else None,
        }
        results += [
            EvalResult(task_type=HUB_TASKS[kind], metric_type=metric, metric_value=value, **data)
            for metric, value in scores.items()
            if metric != "main"
        ]
    return ModelCardData(
        base_model=repo if "/" in base and not base.startswith("mini/") and not Path(base).is_dir() else None,
        datasets=sorted({content["hub"] for content in trained if "hub" in content}) or None,
        library_name="peft" if adapter else "transformers",
        pipeline_tag=HUB_TASKS[kind],
        tags=["intertask", chosen.run.tuning],
        metrics=list(entry.metrics),
        model_name=chosen.record["id"],
        eval_results=results,
    )


def _further(chosen: Chosen) -> dict[str, str]:
    """The other tasks that the model is scored on, and what they are called: which scores are zero-shot is said."""
    own = [one for member in chosen.run.members if member.task == chosen.task for one in member.evaluate_on]
    return {one.task: one.task + f" ({ZERO_SHOT}, by a map of labels)" * bool(one.labels) for one in own}


def _stages(chosen: Chosen) -> list[dict[str, Any]]:
    """The records of the runs that it came from, the first first, and its own."""
    found = [chosen.record]
    with suppress(IntertaskError):  # of one that was not copied with it
        for record in store.ancestry(chosen.record["parent"]):
            found.append(record)
    return found[::-1]


def _what(chosen: Chosen, stages: list[dict]) -> list[str]:
    before = "; before it ".join(_tasks_of(record) for record in reversed(stages[:-1]))
    role = _row(chosen) or {}
    beside = f", supporting task: {role['supporting']}" if role.get("supporting") else ""
    words = f"A model for `{chosen.task}`, trained with Intertask from `{public_name(chosen.record['encoder'])}`"
    words += f" (tuning: {chosen.run.tuning}, pooling: {chosen.run.pooling})"
    words += f", which before was trained on {before}." if before else ", directly."
    return [words + (f" Regime: {role['regime']}{beside}." if role.get("regime") else "")]


def _tasks_of(record: dict[str, Any]) -> str:
    return " with ".join(
        f"`{name}`" + " with shuffled labels" * own["shuffle_labels"] for name, own in record["tasks"].items()
    )


def _use(chosen: Chosen, entry, kind: str, adapter: bool) -> list[str]:
    """How it is loaded and called so that it predicts as recorded."""
    code, words = USE[HUB_TASKS[kind]]
    first, *others = [f"`{name}`" for name in entry.inputs]
    named = {
        "first": first,
        "second": " and ".join(others) + ", joined by a blank" * (len(others) > 1),
        "stride": int(OVERLAP * chosen.run.max_length),
        "longest": LONGEST_ANSWER,
    }
    load = [f'model = {kind}.from_pretrained("FOLDER")']
    if adapter:
        repo, revision = repository(chosen.record["encoder"])
        of = f'"{repo}"' + (f', revision="{revision}"' if revision else "")
        load = [
            "from peft import PeftModel",
            'config = AutoConfig.from_pretrained("FOLDER")',
            f"base = {kind}.from_pretrained({of}, config=config)",
            'model = PeftModel.from_pretrained(base, "FOLDER")',
        ]
    if entry.format == "regression":
        words += " The score is the label itself, in its own range."
    if entry.unanswerable:
        words += " Where a window's first token has a higher sum than that, there is no answer."
    if entry.format == "cloze":
        words = "`text` is {first}; each choice is {second} with the choice in its gap."
    elif not others and HUB_TASKS[kind] == "text-classification":
        code, words = code.replace('{{"text": text, "text_pair": second}}', "text"), words.partition("; ")[0] + "."
    cut = f" Inputs longer than {chosen.run.max_length} tokens are cut, as in training: the tokenizer knows this limit."
    if entry.format == "multi_label":
        own = [f"{share:g} for {name}" for name, share in MultiLabel(entry).thresholds.items() if share != THRESHOLD]
        cut += f" Predicted is each label whose score is at least {', '.join([f'{THRESHOLD:g}', *own])}."
    lines = [f"from transformers import AutoConfig, AutoTokenizer, {kind}, pipeline", "", *load]
    lines += ['tokenizer = AutoTokenizer.from_pretrained("FOLDER")', *code.format(**named).splitlines()]
    return ["```python", *lines, "```", "", words.format(**named) + cut * ("window" not in words)]


def _training(chosen: Chosen, stages: list[dict]) -> list[str]:
    lines = ["| stage | tasks | training examples | steps | seed | run |", "|---|---|---|---|---|---|"]
    for place, record in enumerate(stages, 1):
        sizes = ", ".join(f"{own['sizes']['train']:,}" for own in record["tasks"].values())
        taken = f"{record['steps']:,} | {record['seed']} | `{record['id']}`"
        lines.append(f"| {place} | {_tasks_of(record)} | {sizes} | {taken} |")
    record = chosen.record
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    made = f"Finished {record['finished']} on {record['device']} in {chosen.precision}; {versions}"
    return [*lines, "", made + (f"; commit {record['git_commit']}." if record["git_commit"] else ".")]


def _data(chosen: Chosen, stages: list[dict]) -> list[str]:
    lines = ["| task | source | revision | fingerprint of the data | licence |", "|---|---|---|---|---|"]
    found = {name: data for record in stages for name, data in record["identity"]["data"].items()}
    trained = {name for record in stages for name in record["tasks"]}
    for name, (content, fingerprint) in found.items():
        source = " ".join([content.get("hub", ""), content.get("config", "")]).strip() or "files of one's own"
        source = "made from a seed by Intertask" if "mini" in content else source
        revision = content.get("revision", "main" if "hub" in content else "")
        licence = "MIT, as Intertask's" if "mini" in content else "not known"
        with suppress(IntertaskError):  # a task of one's own whose file is gone
            licence = find_entry(name, chosen.run.task_file).licence or licence
        shown = f"`{name}`" + ", only scored" * (name not in trained)
        lines.append(f"| {shown} | {source} | {revision} | `{fingerprint}` | {licence} |")
    overlap = {name: count for name, count in chosen.outcome["overlap"].items() if count}
    shared = ", ".join(f"{count} in that of `{name}`" for name, count in overlap.items()) or "none"
    of = chosen.outcome["sizes"][chosen.outcome["reported"]]
    return [
        *lines,
        "",
        f"Of the {of:,} dev examples, found in the training data of tasks before or alongside: {shared}.",
    ]


def _scores(chosen: Chosen) -> list[str]:
    further, outcome = _further(chosen), chosen.outcome
    lines = ["| split | examples | metric | score | majority |", "|---|---|---|---|---|"]
    for split, scores in outcome["scores"].items():
        for metric, value in scores.items():
            floor = outcome["majority"][split][metric]
            shown = f"{further.get(split, split)} | {outcome['sizes'][split]:,}"
            lines.append(f"| {shown} | {metric} | {value:.2f} | {floor:.2f} |")
    return lines


def _how_sure(chosen: Chosen) -> list[str]:
    """What chose, and what the study says of other seeds; what is not at hand is left out, and said."""
    words = [f"The scored checkpoint: {chosen.outcome['selection']}."]
    if "validation_select" not in chosen.outcome["scores"]:
        words.append("The same dev set chose the checkpoint and reports it, which flatters.")
    row = _row(chosen)
    if row is None:
        return [*words, "No study's index was at hand, so nothing is said here of other seeds."]
    runs = read_runs(chosen.study)
    target = each_once(runs)[lambda kept: (kept["target"] == chosen.task) & kept["done"]]
    if chosen.rule == "best":
        n = target["run"].nunique()
        words.append(
            f"It was chosen for the highest dev score of {number_of(n, 'run')} of the study on the task, which "
            "flatters."
        )
    if chosen.rule == "median":
        words.append("It is the run nearest to the median of the configuration with the best mean.")
    own = target[target["run"] == chosen.record["id"]].iloc[:1]
    if own.empty:
        return words
    keys = [name for name in OF_A_CELL if own[name].notna().item()]
    same = target.merge(own[keys], on=keys) if keys else target
    mean, spread = same["score"].mean(), same["score"].std()
    words.append(
        f"Mean over {number_of(len(same), 'seed')} on {own['split'].item()}: {mean:.2f}"
        + (f", standard deviation {spread:.2f}." if len(same) > 1 else ".")
    )
    with suppress(IntertaskError):  # a study whose parts no mean may mix
        words += _transfer(runs, own.iloc[0])
    return words


def _transfer(runs, own) -> Iterator[str]:
    """The difference to the runs without a supporting task, with its interval, and what could have been seen."""
    if own["regime"] == "single" or not (runs["regime"] == "single").any():
        return
    variant = own["regime"] + (f", {own['mixing']}" if isinstance(own["mixing"], str) else "")
    for cell in of_cell(cells_table(runs, f"{variant} - single", CONFIDENCE), own).itertuples():
        yield f"Against runs without a supporting task, on {own['split']}, {cell_in_words(cell, CONFIDENCE)}."
    if own["regime"] == "stilts":
        table = of_cell(with_tests(transfer_table(runs, CONFIDENCE), runs, CONFIDENCE), own)
        for least in table["detectable"].dropna():
            yield f"So many seeds find (80 % power) differences of {least:.1f} points or more."


def _row(chosen: Chosen) -> dict[str, Any] | None:
    """The run's role in the study, if one is at hand."""
    if not chosen.study:
        return None
    rows = read_study(chosen.study)["runs"]
    mine = (row for row in rows if row["run"] == chosen.record["id"] and row["target"] == chosen.task)
    return next(mine, None)


def _head(kind: str) -> list[str]:
    return [
        f"The run's head is one linear layer on the encoder's output; this architecture's {kind} has two with an "
        "activation between. Its weights are set so that it gives the run's logits: the first layer holds every output "
        "and its negative, the second their difference. For predictions that is all the same. To train further, begin "
        "with a fresh head. In half precision (float16; not bfloat16) small weights are lost: keep float32 there."
    ]


def _again(chosen: Chosen) -> list[str]:
    lines, run = [], chosen.run
    if chosen.study:
        command = study_command(chosen.study, named=True)
        lines = [f"All of the study: `{command}`. This run alone, once those before it are there:", ""]
    values = run.model_dump(mode="json", exclude_defaults=True)
    values |= {"encoder": public_name(run.encoder), "keep_encoder": True}
    if run.task_file:
        values["task_file"] = Path(run.task_file).name
    words = yaml.safe_dump(values, sort_keys=False, allow_unicode=True).rstrip()
    command = "papermill notebooks/experiments/train.ipynb out.ipynb -f parameters.yaml"
    return [*lines, "```sh", command, "```", "", "with `parameters.yaml`:", "", "```yaml", words, "```"]
