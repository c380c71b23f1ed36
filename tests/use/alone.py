"""What somebody does who has transformers and torch alone: loads folders as their cards say, and tells the logits.

Executed as a script, `python -I alone.py JOBS.json OUT.json`: each job a folder, a class, and what is read.
"""

import json
import sys
import warnings

sys.modules["intertask"] = None  # an import of it is an error
warnings.simplefilter("ignore")

import torch  # noqa: E402
import transformers  # noqa: E402

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


def load(job: dict):
    kind = getattr(transformers, job["class"])
    tokenizer = transformers.AutoTokenizer.from_pretrained(job["folder"])
    if not job["base"]:
        return kind.from_pretrained(job["folder"]).eval(), tokenizer
    from peft import PeftModel

    config = transformers.AutoConfig.from_pretrained(job["folder"])
    base = kind.from_pretrained(job["base"], config=config)
    return PeftModel.from_pretrained(base, job["folder"]).eval(), tokenizer


def pairs(model, tokenizer, rows):
    """Of each row the label that the pipeline gives, and all logits in the labels' order."""
    pipe = transformers.pipeline("text-classification", model=model, tokenizer=tokenizer)
    names = model.config.id2label
    for row in rows:
        given = pipe(row, truncation=True, top_k=None, function_to_apply="none")
        logits = {one["label"]: one["score"] for one in given}
        yield pipe(row, truncation=True)["label"], [logits[names[i]] for i in range(len(names))]


def kinds(model, tokenizer, rows):
    """Of each row the labels whose scores by the pipeline's defaults reach the thresholds, and all logits."""
    pipe = transformers.pipeline("text-classification", model=model, tokenizer=tokenizer)
    names = model.config.id2label
    for row in rows:
        shares = {one["label"]: one["score"] for one in pipe(row, truncation=True, top_k=None)}
        given = pipe(row, truncation=True, top_k=None, function_to_apply="none")
        logits = {one["label"]: one["score"] for one in given}
        reached = [name for name, share in shares.items() if share >= (0.4 if name == "no" else 0.5)]
        yield reached, [logits[names[i]] for i in range(len(names))]


def marks(model, tokenizer, rows):
    """Numbers in the labels' own range, by the pipeline's defaults."""
    pipe = transformers.pipeline("text-classification", model=model, tokenizer=tokenizer)
    for row in rows:
        score = pipe([row], truncation=True)[0]["score"]
        yield score, [score]


def tags(model, tokenizer, rows):
    """The labels of the tokens with which words begin, and the shares of these."""
    pipe = transformers.pipeline("token-classification", model=model, tokenizer=tokenizer, ignore_labels=[])
    for text in rows:
        starts = {0, *(place + 1 for place, sign in enumerate(text) if sign == " ")}
        first = [one for one in pipe(text) if one["start"] in starts]
        yield [one["entity"] for one in first], [float(one["score"]) for one in first]


def answers(model, tokenizer, rows):
    """The best answer over all windows, and its score."""
    for question, passage, stride in rows:
        read = tokenizer(
            question,
            passage,
            truncation="only_second",
            stride=stride,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            padding=True,
            return_tensors="pt",
        )
        offsets = read.pop("offset_mapping")
        read.pop("overflow_to_sample_mapping")
        given = model(**read)
        best = []
        for window in range(len(offsets)):
            inside = [place for place, text in enumerate(read.sequence_ids(window)) if text == 1]
            start, end = given.start_logits[window].tolist(), given.end_logits[window].tolist()
            best += [
                (start[one] + end[other], passage[offsets[window][one][0] : offsets[window][other][1]])
                for one in inside
                for other in inside
                if 0 <= other - one < 30
            ]
        score, text = max(best, key=lambda one: one[0])
        yield text, [score]


def choices(model, tokenizer, rows):
    for text, own in rows:
        read = tokenizer([text] * len(own), own, truncation=True, padding=True, return_tensors="pt")
        logits = model(**{name: one[None] for name, one in read.items()}).logits[0].tolist()
        yield logits.index(max(logits)), logits


def text(model, tokenizer, rows):
    """Of texts with one mask the likeliest tokens and their shares."""
    pipe = transformers.pipeline("fill-mask", model=model, tokenizer=tokenizer)
    for row in rows:
        given = pipe(row, top_k=5)
        yield given[0]["token"], [one["score"] for one in given]


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        jobs = json.load(file)
    with torch.inference_mode():
        found = [list(globals()[job["task"]](*load(job), job["rows"])) for job in jobs]
    with open(sys.argv[2], "w") as file:
        json.dump(found, file)
