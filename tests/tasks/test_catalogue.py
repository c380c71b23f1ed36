"""Every entry of the catalogue: from the real data where it is at hand, else from a made-up copy with its columns."""

import json
import re
import shutil

import pandas as pd
import pytest
import yaml

from intertask.tasks.catalogue import catalogue
from intertask.tasks.load import load_task
from intertask.tasks.sources import fingerprint

MIRROR_ROW = re.compile(r"\| (\S+) \| (\S+) \| (\S+) \| (\d+) \| .* \|$", re.MULTILINE)
SPLITS = ("train", "validation", "test")
ROWS = 24

LABELS = {
    "real_fake": ["fake", "real"],
    "axg": ["entailment", "not_entailment"],
    "scitail": ["entailment", "neutral"],
    "commonsenseqa": ["A", "B", "C", "D", "E"],
    "cosmosqa": ["0", "1", "2", "3"],
    "swag": ["0", "1", "2", "3"],
    "qnli_v1": ["entailment", "not_entailment"],
    "ccg": ["(S\\NP)/NP", "N", "NP/N"],
    "wnut17": [
        *("O", "B-corporation", "I-corporation", "B-creative-work", "I-creative-work", "B-group", "I-group"),
        *("B-location", "I-location", "B-person", "I-person", "B-product", "I-product"),
    ],
    "senteval/sentence_length": ["0", "1", "2", "10"],
    "senteval/word_content": ["able", "best", "child"],
    "senteval/tree_depth": ["5", "6", "10", "11"],
    "senteval/top_constituents": [
        *("ADVP_NP_VP_.", "CC_ADVP_NP_VP_.", "CC_NP_VP_.", "IN_NP_VP_.", "NP_ADVP_VP_.", "NP_NP_VP_.", "NP_PP_."),
        *("NP_VP_.", "OTHER", "PP_NP_VP_.", "RB_NP_VP_.", "SBAR_NP_VP_.", "SBAR_VP_.", "S_CC_S_.", "S_NP_VP_."),
        *("S_VP_.", "VBD_NP_VP_.", "VP_.", "WHADVP_SQ_.", "WHNP_SQ_."),
    ],
    "senteval/bigram_shift": ["I", "O"],
    "senteval/past_present": ["PAST", "PRES"],
    "senteval/subj_number": ["NN", "NNS"],
    "senteval/obj_number": ["NN", "NNS"],
    "senteval/odd_man_out": ["C", "O"],
    "senteval/coordination_inversion": ["I", "O"],
    "acceptability/coordination": ["unacceptable", "acceptable"],
    "acceptability/eos": ["unacceptable", "acceptable"],
    "edge/coref": ["0", "1"],
    "dissent": ["and", "but", "because", "if", "when", "before", "though", "so"],
}
"""Label names in id order of the entries whose data is not at hand; for the inventories of edge probing see EDGES."""

EDGES = {"pos": 48, "nonterminal": 30, "ner": 18, "srl": 66, "coref": 2, "dep": 49, "spr1": 18, "spr2": 20}
"""Edge probing task -> number of labels in its paper."""


def real_fake(split):
    return [{"text": f" In {split} bee {i} left the old rose for another one of them . \n"} for i in range(ROWS)]


def axg(split):
    return [{"premise": f"p{i}", "hypothesis": f"h{i}", "idx": i, "label": i % 2} for i in range(ROWS)]


def record(split):
    answers = [] if split == "test" else ["Ann", "Bo"]
    spans = {"text": ["Ann"], "start": [0], "end": [3]}
    row = {"passage": "Ann met Bo.", "query": "@placeholder left.", "entities": ["Ann", "Bo", "Cy"], "answers": answers}
    return [{**row, "entity_spans": spans, "idx": {"passage": i, "query": i}} for i in range(ROWS)]


def scitail(split):
    parses = dict.fromkeys(["sentence1_binary_parse", "sentence1_parse", "sentence2_parse"], "(S)")
    row = {"sentence1": "a", "sentence2": "b", **parses, "annotator_labels": ["neutral"]}
    return [{**row, "gold_label": LABELS["scitail"][i % 2]} for i in range(ROWS)]


def commonsenseqa(split):
    choices = {"label": LABELS["commonsenseqa"], "text": list("vwxyz")}
    rows = [{"id": f"{i}", "question": f"q{i}", "question_concept": "c", "choices": choices} for i in range(ROWS)]
    return [{**row, "answerKey": "" if split == "test" else "ABCDE"[i % 5]} for i, row in enumerate(rows)]


def cosmosqa(split):
    row = {"id": "x", "context": "c", "question": "q", **{f"answer{k}": f"a{k}" for k in range(4)}}
    return [{**row, "label": -1 if split == "test" else i % 4} for i in range(ROWS)]


def swag(split):
    row = {"video-id": "v", "fold-ind": "1", "startphrase": "A bee. It", "sent1": "A bee.", "sent2": "It"}
    row |= {"gold-source": "gold", **{f"ending{k}": f"leaves {k}." for k in range(4)}}
    return [{**row, "label": -1 if split == "test" else i % 4} for i in range(ROWS)]


def qnli_v1(split):
    rows = [{"index": str(i), "question": f'"q{i}', "sentence": f"s{i}"} for i in range(ROWS)]
    if split == "test":
        return rows
    return [{**row, "label": LABELS["qnli_v1"][i % 2]} for i, row in enumerate(rows)]


def qamr(split):
    if split == "sentences":
        return [{"id": f"s{i}", "sentence": f"Ann met {i} bees ."} for i in range(ROWS)]
    spare = {"validation1": "7:0", "validation2": "8:0 1"}
    return [
        {"id": f"s{i}", "words": "0 3", "worker": "7", "number": "0", "word": "3", "q": "Who?", "a": "2 3", **spare}
        for i in range(ROWS)
    ]


def squad_v2(split):
    answers = ({"text": ["Ann"], "answer_start": [0]}, {"text": [], "answer_start": []})
    row = {"title": "Bees", "context": "Ann met bees .", "question": "Who?"}
    return [{"id": f"s{i}", **row, "answers": answers[i % 2]} for i in range(ROWS)]


def qasrl(split):
    judgment = {"sourceId": "turk-7", "isValid": True, "spans": [[0, 2]]}
    slots = dict.fromkeys(["wh", "aux", "subj", "verb", "obj", "prep", "obj2"], "_")
    question = {"questionString": "Who met?", "questionSources": ["turk-1"], "answerJudgments": [judgment]}
    verb = {"verbIndex": 2, "verbInflectedForms": {"stem": "meet"}, "questionLabels": {"Who met?": question | slots}}
    row = {"sentenceTokens": ["Old", "Ann", "met"], "verbEntries": {"2": verb}}
    return [{"sentenceId": f"s{i}", **row} for i in range(ROWS)]


def ccg(split):
    tags = LABELS["ccg"]
    return [{"words": f"w{i} , x", "supertags": " ".join([tags[i % 3], tags[1], tags[2]])} for i in range(ROWS)]


def wnut17(split):
    """Sentences of three words with a blank line behind each."""
    tags = LABELS["wnut17"]
    words = ({"word": f"w{i}", "tag": tags[i % len(tags)]} for i in range(2 * ROWS))
    return [word for one, other in zip(words, words, strict=True) for word in (one, other, {"end": ""})]


def senteval(name):
    labels = LABELS[name]
    parts = ["tr", "va", "te"]
    return lambda split: [
        {"part": part, "label": labels[i % len(labels)], "sentence": f'the {i} " bees'}
        for part in parts
        for i in range(ROWS)
    ]


def function_words(split):
    if split == "folds":
        misc = [{"fold1": fold, "fold2": "train"} for fold in ("train", "dev", "test") for _ in range(ROWS)]
        return [{"pair-id": i, "corpus": "made", "misc": folds} for i, folds in enumerate(misc)]
    row = {"binary-label": True, "context": "the bees", "hypothesis": "left", "split": "dev"}
    spare = {"label-set": LABELS["acceptability/eos"], "type-of-inference": "acceptability"}
    labels = LABELS["acceptability/eos"] * ROWS * 2
    return [{**row, **spare, "pair-id": i, "label": labels[i]} for i in range(3 * ROWS)]


def edge(name):
    """Two targets a row, that have the entry's labels in turn; those of the semantic proto-roles are lists."""
    labels = catalogue()[f"edge/{name}"].labels
    spans = {"span1": [0, 2]} if name in ("pos", "nonterminal", "ner") else {"span1": [0, 2], "span2": [2, 3]}

    def target(i):
        found = [labels[i % len(labels)], labels[-1]] if name.startswith("spr") else labels[i % len(labels)]
        return {**spans, "label": found, "info": {"made": True}}

    targets = [[target(i), target(i + ROWS)] for i in range(ROWS)]
    return lambda split: [{"text": "Old Ann met .", "targets": row, "info": {"source": "made"}} for row in targets]


def lm_wt(split):
    headed = [
        " = Bees = ",
        "",
        *(f" A {split} bee left {i} roses . " for i in range(ROWS - 1)),
        " = = End = = ",
        " Oh . ",
    ]
    return [{"text": f"{text}\n"} for text in headed]


def lm_bwb(split):
    return [{"text": f'The " bees " of {split} left {i} roses .'} for i in range(ROWS)]


def translation(language):
    return lambda split: [{"translation": {"en": f"{i} bees", language: f"{i} B"}} for i in range(ROWS)]


def reddit(split):
    return [{"comment": f"{i} bees?", "reply": "Yes."} for i in range(ROWS)]


def goemotions(split):
    return [{"text": f"{split} bee {i}", "labels": [i % 28, 27][: 1 + i % 2], "id": f"e{i}"} for i in range(ROWS)]


def skipthought(split):
    """A sentence more than pairs, and one alone behind the heading of another section."""
    return [
        *({"text": f" {i} {split} bees left . \n"} for i in range(ROWS + 1)),
        {"text": " = = A = = "},
        {"text": " B . "},
    ]


def dissent(split):
    """CoNLL-U, a tree for each marker in turn: "we stay <marker> it rains"."""

    def tree(i):
        marker = LABELS["dissent"][i % 8]
        link, clause = ("cc", "conj") if marker in ("and", "but") else ("mark", "advcl")
        words = [("we", 2, "nsubj"), (f"stay{split}{i}", 0, "root"), (marker, 5, link), ("it", 5, "nsubj")]
        rows = enumerate([*words, ("rains", 2, clause)], start=1)
        return "\n".join("\t".join([str(n), word, *"____", str(head), name, *"__"]) for n, (word, head, name) in rows)

    return [f"{tree(i)}\n" for i in range(ROWS)]


MADE = {
    **{
        "real_fake": real_fake,
        "axg": axg,
        "record": record,
        "scitail": scitail,
        "commonsenseqa": commonsenseqa,
        "cosmosqa": cosmosqa,
        "swag": swag,
    },
    **{"qnli_v1": qnli_v1, "qamr": qamr, "qasrl": qasrl, "ccg": ccg, "wnut17": wnut17, "squad_v2": squad_v2},
    **{name: senteval(name) for name in LABELS if name.startswith("senteval/")},
    **{name: function_words for name in LABELS if name.startswith("acceptability/")},
    **{f"edge/{name}": edge(name) for name in EDGES},
    **{"lm_wt": lm_wt, "lm_bwb": lm_bwb, "mt_en_de": translation("de"), "mt_en_ru": translation("ru")},
    **{"goemotions": goemotions, "reddit": reddit, "skipthought": skipthought, "dissent": dissent},
}
"""Entry whose data is not at hand -> the rows of each of its files, with exactly the columns that the source has."""

CLASSES = {"axg": "label", "swag": "label"}
"""Entry -> the column that the card declares as class labels."""

NOT_AT_HAND = {
    "squad_v2",
    "goemotions",
    "real_fake",
    "axg",
    "scitail",
    "cosmosqa",
    "swag",
    "lm_wt",
    "skipthought",
    "mt_en_de",
    "mt_en_ru",
}
LACKING = {"commonsenseqa": "train", "record": "validation"}
"""Entry -> a split that the mirror lacks, so that the task cannot be trained from it."""

CUT_FROM_TRAIN = {"edge/dpr": 1, "edge/semeval": 0}
"""Entry whose validation is a part of train -> training rows that its rule leaves out."""

HUB = [name for name, entry in catalogue().items() if entry.hub and name not in NOT_AT_HAND | LACKING.keys()]


def test_every_entry_is_complete():
    for name, entry in catalogue().items():
        if not entry.mini and not name.startswith("ud/"):
            assert entry.paper and entry.licence, name
            assert entry.counterpart.startswith("mini/"), name


def test_every_entry_is_tested():
    at_hand = {"glue_diagnostic", "acceptability/whwords", "acceptability/definiteness"}
    real = {name for name, entry in catalogue().items() if not entry.mini and not name.startswith("ud/")}
    assert real == {*HUB, *MADE, *at_hand}


def test_edge_probing_has_the_labels_of_its_paper():
    assert {name: len(catalogue()[f"edge/{name}"].labels) for name in EDGES} == EDGES


@pytest.mark.parametrize("name", HUB)
def test_real_mirror_has_the_rows_that_its_table_states(name, hub, monkeypatch):
    monkeypatch.setenv("INTERTASK_HUB", str(hub))
    task = load_task(name)
    read = {task.entry.splits.get(split, split): len(frame) for split, frame in task.splits.items()}
    if name in CUT_FROM_TRAIN:
        read["train"] += read.pop("validation") + CUT_FROM_TRAIN[name]
    assert read == stated_rows(hub, task.entry) and read
    assert len(fingerprint(task.entry)) == 16


@pytest.mark.parametrize("name, there", [("commonsenseqa", "validation"), ("record", "train")])
def test_entry_of_which_the_mirror_lacks_a_split(name, there, hub, monkeypatch, refused, tmp_path):
    monkeypatch.setenv("INTERTASK_HUB", str(hub))
    stated = stated_rows(hub, catalogue()[name])
    assert list(stated) == [there]
    refused(lambda: load_task(name), f"Task '{name}'", f"no {LACKING[name]}")
    twice = load_task("own", own_copy(tmp_path, name, splits={"train": there, "validation": there}))
    assert {len(frame) for frame in twice.splits.values()} == {stated[there]}


def own_copy(folder, name, **changes):
    """A task file with the catalogue's entry `name`, changed, as the task `own`."""
    fields = {**catalogue()[name].model_dump(mode="json", exclude_defaults=True), **changes}
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump({"own": {key: fields[key] for key in fields if key != "name"}}), encoding="utf-8")
    return str(path)


def stated_rows(hub, entry):
    table = MIRROR_ROW.findall((hub / "README.md").read_text(encoding="utf-8"))
    wanted = (entry.hub, entry.config or "default")
    return {split: int(rows) for repo, config, split, rows in table if (repo, config) == wanted}


def test_sentences_and_their_successors_in_wikitext(hub, monkeypatch, tmp_path):
    """WikiText-2's two smaller parts, the first in place of train, which is not at hand."""
    monkeypatch.setenv("INTERTASK_HUB", str(hub))
    parts = {"config": "wikitext-2-v1", "splits": {"train": "validation", "validation": "test"}}
    said, pairs = (load_task("own", own_copy(tmp_path, name, **parts)).splits for name in ("lm_wt", "skipthought"))
    assert {split: (len(said[split]), len(pairs[split])) for split in said} == {
        "train": (7857, 7316),
        "validation": (3125, 2881),
    }
    texts = said["validation"]["text"].tolist()
    found = {(row.sentence, row.label[0]) for row in pairs["validation"].itertuples()}
    assert found < set(zip(texts, texts[1:], strict=False)) and not any(text.startswith(" =") for text in texts)


def test_translations_of_multi30k_need_no_rule(hub, monkeypatch, tmp_path):
    monkeypatch.setenv("INTERTASK_HUB", str(hub))
    own = own_copy(tmp_path, "mt_en_de", hub="bentrevett/multi30k", config="", derive="", inputs=["en"], label="de")
    splits = load_task("own", own).splits
    assert {split: len(frame) for split, frame in splits.items()} == {"train": 10000, "validation": 1014, "test": 1000}
    assert splits["train"].loc[0].tolist() == [
        "Two young, White males are outside near many bushes.",
        ["Zwei junge weiße Männer sind im Freien in der Nähe vieler Büsche."],
    ]


def test_spans_of_wsc_are_those_of_the_other_config(hub, monkeypatch, tmp_path):
    monkeypatch.setenv("INTERTASK_HUB", str(hub))
    own = own_copy(tmp_path, "wsc", config="wsc")
    spans = {name: load_task(name, own).splits["train"]["spans"] for name in ("wsc", "own")}
    assert [row.tolist() for row in spans["wsc"]] == [row.tolist() for row in spans["own"]]


def test_spans_of_wic_hold_a_form_of_the_word(hub, monkeypatch):
    monkeypatch.setenv("INTERTASK_HUB", str(hub))
    rows = load_task("wic").splits["validation"]
    forms = [
        [text[slice(*span)] for text, span in zip((first, second), spans[0], strict=True)]
        for first, second, spans in zip(rows["sentence1"], rows["sentence2"], rows["spans"], strict=True)
    ]
    assert forms[0] == ["class", "class"]
    assert all(one[:2].lower() == other[:2].lower() for one, other in forms[:20])


@pytest.mark.parametrize("name, rows", [("whwords", 584), ("definiteness", 508)])
def test_function_words_have_all_their_rows(name, rows, shared, monkeypatch):
    monkeypatch.setenv("INTERTASK_CORPORA", str(shared / "original"))
    task = load_task(f"acceptability/{name}")
    read = {split: len(frame) for split, frame in task.splits.items()}
    assert read == task.entry.sizes and sum(read.values()) == rows
    assert all(frame["label"].mean() == 0.5 for frame in task.splits.values())


def test_glue_diagnostic_has_labels_and_tags(shared, monkeypatch):
    monkeypatch.setenv("INTERTASK_CORPORA", str(shared / "original"))
    task = load_task("glue_diagnostic")
    first = task.splits["test"].iloc[0].to_dict()
    assert {split: len(frame) for split, frame in task.splits.items()} == {"test": 1104}
    assert first["premise"] == "The cat sat on the mat." and first["label"] == 2
    assert (first["logic"], first["knowledge"]) == ("Negation", "")
    assert list(first) == ["premise", "hypothesis", "label", *task.entry.tags]


def test_qamr_has_the_rows_at_hand(shared, monkeypatch, tmp_path):
    """Only a part of dev is at hand: it stands for train here, and its first rows for dev."""
    source, corpus = shared / "original" / "qamr", tmp_path / "qamr"
    (corpus / "filtered").mkdir(parents=True)
    shutil.copy(source / "wiki-sentences.tsv", corpus)
    rows = (source / "filtered" / "dev.first6000.tsv").read_text(encoding="utf-8").splitlines(keepends=True)
    (corpus / "filtered" / "train.tsv").write_text("".join(rows), encoding="utf-8")
    (corpus / "filtered" / "dev.first6000.tsv").write_text("".join(rows[:100]), encoding="utf-8")
    monkeypatch.setenv("INTERTASK_CORPORA", str(tmp_path))
    train = load_task("qamr").splits["train"]
    assert len(train) == 6000
    assert train.iloc[0][["question", "label"]].tolist() == [
        "How many of the 24 things are associated?",
        ["Each of the twenty-four"],
    ]
    assert all(
        passage[slice(*spans[0, 0])] == answers[0]
        for passage, spans, answers in zip(train["passage"], train["spans"], train["label"], strict=True)
    )


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Writes the made-up copy of an entry's data and loads the task from it."""

    def load(name):
        entry = catalogue()[name]
        monkeypatch.setenv("INTERTASK_HUB", str(tmp_path))
        monkeypatch.setenv("INTERTASK_CORPORA", str(tmp_path))
        if entry.hub:
            write_clone(tmp_path / entry.hub, entry, MADE[name])
        else:
            write_corpus(tmp_path / entry.corpus, entry, MADE[name])
        return load_task(name)

    return load


def write_clone(folder, entry, rows):
    """A clone of the Hub's repository: with a card, or as converted to Parquet."""
    config = entry.config or "default"
    splits = ["test"] if entry.evaluation_only else SPLITS
    for split in splits:
        file = (
            f"{config}/{split}/0000.parquet" if entry.revision != "main" else f"{config}/{split}-00000-of-00001.parquet"
        )
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows(split)).to_parquet(folder / file)
    if entry.revision == "main":
        data_files = [{"split": split, "path": f"{config}/{split}-*"} for split in splits]
        names = {str(i): label for i, label in enumerate(LABELS.get(entry.name, []))}
        features = [{"name": CLASSES.get(entry.name, ""), "dtype": {"class_label": {"names": names}}}]
        header = {
            "configs": [{"config_name": config, "data_files": data_files}],
            "dataset_info": [{"config_name": config, "features": features}],
        }
        (folder / "README.md").write_text(f"---\n{yaml.safe_dump(header)}---\n", encoding="utf-8")


def write_corpus(folder, entry, rows):
    """The files of a corpus, each in the form that its name tells."""
    for split, (pattern,) in entry.files.items():
        path = folder / pattern.replace("*", "")
        path.parent.mkdir(parents=True, exist_ok=True)
        records = rows(split)
        if path.suffix == ".conllu":
            lines = records
        elif path.suffix in (".tsv", ".txt", ".conll"):
            header = [] if entry.columns else [records[0]]
            lines = ["\t".join(record) for record in [*header, *(record.values() for record in records)]]
        elif entry.derive == "function_words":
            lines = [json.dumps(records, indent=4)]
        else:
            lines = [json.dumps(record) for record in records]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize("name", MADE)
def test_made_up_copy_loads(name, made):
    task = made(name)
    splits = ["test"] if task.entry.evaluation_only else SPLITS
    assert {split: len(frame) for split, frame in task.splits.items()} == dict.fromkeys(splits, ROWS)
    if name in LABELS:
        assert task.entry.labels == LABELS[name]
    assert len(fingerprint(task.entry)) == 16


@pytest.mark.parametrize(
    "name", [name for name in MADE if name in LABELS and not name.startswith(("edge/", "ccg", "wnut17", "real_fake"))]
)
def test_labels_of_the_made_up_copy_are_in_order(name, made):
    task = made(name)
    labels = task.splits["test" if name == "axg" else "train"]["label"]
    assert labels.tolist()[:4] == [i % len(LABELS[name]) for i in range(4)]


@pytest.mark.parametrize("name", EDGES)
def test_targets_of_edge_probing(name, made):
    first = made(f"edge/{name}").splits["train"].iloc[0]
    spans = [[0, 7]] if name in ("pos", "nonterminal", "ner") else [[0, 7], [8, 11]]
    assert first["spans"].tolist() == [spans, spans]
    last = [EDGES[name] - 1] if name.startswith("spr") else []
    assert first["label"] == [[0, *last], [ROWS % EDGES[name], *last]]


def test_answers_and_tags_of_the_made_up_copies(made):
    assert made("qamr").splits["train"].iloc[3][["passage", "label"]].tolist() == ["Ann met 3 bees .", ["3 bees"]]
    assert made("qasrl").splits["test"].iloc[0][["passage", "label"]].tolist() == ["Old Ann met", ["Old Ann"]]
    assert made("record").splits["train"].iloc[0][["choices", "label"]].tolist() == [["Ann", "Bo", "Cy"], ["Ann", "Bo"]]
    tagged = made("ccg").splits["train"].iloc[0]
    assert (tagged["words"], tagged["label"]) == ("w0 , x", [[0], [1], [2]])


def test_outside_tasks_hold_what_is_read_and_what_is_written(made):
    first = {
        name: made(name).splits["train"].iloc[0].to_dict() for name in ("lm_wt", "mt_en_ru", "reddit", "skipthought")
    }
    assert first["lm_wt"] == {"text": "A train bee left 0 roses ."}
    assert first["mt_en_ru"] == {"english": "0 bees", "label": ["0 B"]}
    assert first["reddit"] == {"comment": "0 bees?", "label": ["Yes."]}
    assert first["skipthought"] == {"sentence": "0 train bees left .", "label": ["1 train bees left ."]}
    assert made("dissent").splits["train"].iloc[2]["following"] == "it rains ."
    assert made("lm_bwb").splits["test"].iloc[1]["text"] == 'The " bees " of test left 1 roses .'


def test_hidden_labels_are_absent(made):
    for name in ("record", "commonsenseqa", "cosmosqa", "swag", "qnli_v1"):
        assert "label" not in made(name).splits["test"], name
