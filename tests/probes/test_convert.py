"""Rules of conversion on made-up rows, with spans and answers worked out by hand."""

import pandas as pd
import pytest

from intertask.probes import convert, find_rule
from intertask.tasks.data_files import with_rows


def frame(*rows, file="made.tsv"):
    return with_rows([pd.DataFrame(list(rows), dtype=object)], [file])


def wsc_row(text, phrase, index, pronoun="she", at=0, **more):
    return {
        "text": text,
        "span1_text": phrase,
        "span1_index": index,
        "span2_text": pronoun,
        "span2_index": at,
        "idx": 0,
        "label": 1,
        **more,
    }


def test_wsc_spans_have_the_words_of_their_text():
    rows = convert.wsc({"train": frame(wsc_row("Ann met the old Queen's maid. She  bowed.", "the old queen", 2, at=6))})
    assert rows["train"].iloc[0].to_dict() == {
        "text": "Ann met the old Queen's maid. She  bowed.",
        "label": 1,
        "span1": [2, 5],
        "span2": [6, 7],
    }


@pytest.mark.parametrize(
    "text, phrase, index, span",
    [
        ("she saw it, but it slept", "it", 5, [4, 5]),  # the number is off by one: the nearest place counts
        ("she saw it, but it slept", "it", 2, [2, 3]),
        ("she, Ann, and later Eve slept", "Ann and Eve", 1, [1, 4]),  # stands nowhere: the number counts alone
        ("she met Red\nRiding Hood", "Red Riding\nHood", 2, [2, 5]),
    ],
)
def test_wsc_span_of_a_doubtful_number(text, phrase, index, span):
    rows = convert.wsc({"train": frame(wsc_row(text, phrase, index))})
    assert rows["train"]["span1"].iloc[0] == span


def test_wsc_without_labels():
    rows = frame(wsc_row("she slept", "she", 0)).drop(columns="label")
    assert list(convert.wsc({"test": rows})["test"]) == ["text", "span1", "span2"]


def test_dpr_has_a_target_for_each_candidate():
    row = {
        "sentence": "The bee left the rose because it's full.",
        "pronoun": "it",
        "candidates": ["The bee", "the rose"],
    }
    made = convert.dpr({"train": frame(*[{**row, "label": 0}] * 20)})
    assert made["train"].iloc[0]["targets"] == [
        {"span1": [6, 7], "span2": [0, 2], "label": "entailed"},
        {"span1": [6, 7], "span2": [3, 5], "label": "not-entailed"},
    ]
    assert {split: len(rows) for split, rows in made.items()} == {"train": 16, "validation": 4}
    first, second, third, fourth = (row for _, row in made["validation"].index)
    assert first % 2 == third % 2 == 1 and (second, fourth) == (first + 1, third + 1)  # twins stay together
    assert set(made["train"].index) | set(made["validation"].index) == {("made.tsv", row) for row in range(1, 21)}


def test_dpr_leaves_out_a_phrase_that_is_no_whole_word():
    good = {
        "sentence": "Intel sued Bell since they cheated.",
        "pronoun": "they",
        "candidates": ["Intel", "Bell"],
        "label": 1,
    }
    made = convert.dpr(
        {"train": frame(good), "test": frame({**good, "sentence": "Intel sued Bellsince they cheated."}, good)}
    )
    assert made["test"].index.tolist() == [("made.tsv", 2)]


def test_semeval_entities_are_words_of_their_own():
    row = {"sentence": "The <e1>big bee</e1> left a <e2>rose</e2>'s leaf.", "relation": 7}
    made = convert.semeval({"train": frame(row), "test": frame(row)})
    assert made["test"].iloc[0].to_dict() == {
        "text": "The big bee left a rose 's leaf.",
        "span1": [1, 3],
        "span2": [5, 6],
        "relation": 7,
    }


@pytest.mark.parametrize("sentence", ["<e1>a</e1> b", "<e2>a</e2> <e1>b</e1>", "<e1> </e1> <e2>b</e2>"])
def test_semeval_sentence_without_its_marks_is_refused(refused, sentence):
    rows = frame({"sentence": sentence, "relation": 7})
    refused(lambda: convert.semeval({"train": rows}), "made.tsv, row 1", "<e1>…</e1>", sentence, "Fetch")


def qamr_row(answer, sentence="s1"):
    return {"sentence_id": sentence, "question": "Who?", "answer": answer, "worker": "7"}


def test_qamr_answers_are_text_of_the_sentence():
    sentences = frame({"sentence_id": "s1", "sentence": "Ann and old Eve met ."})
    rows = frame(qamr_row("2 3"), qamr_row("0"), qamr_row("0 3"))
    made = convert.qamr({"train": rows, "sentences": sentences})
    assert list(made) == ["train"]
    assert made["train"]["passage"].tolist() == ["Ann and old Eve met ."] * 3
    assert made["train"]["answers"].tolist() == [
        {"text": ["old Eve"], "answer_start": [8]},
        {"text": ["Ann"], "answer_start": [0]},
        {"text": ["Ann and old Eve"], "answer_start": [0]},  # words left out between are in the answer
    ]


def test_qamr_without_the_sentence_is_refused(refused):
    splits = {"train": frame(qamr_row("0", "PTB:1")), "sentences": frame({"sentence_id": "s1", "sentence": "Ann"})}
    refused(lambda: convert.qamr(splits), "made.tsv, row 1", "wiki-sentences.tsv", "'PTB:1'", "Penn Treebank")


def test_qamr_answer_that_is_no_list_of_numbers_is_refused(refused):
    splits = {"train": frame(qamr_row("0"), qamr_row("")), "sentences": frame({"sentence_id": "s1", "sentence": "Ann"})}
    refused(lambda: convert.qamr(splits), "made.tsv, row 2", "the numbers of the answer's words", "''", "Fetch")


def test_qasrl_has_a_row_for_each_question_with_an_answer():
    def question(text, *judged):
        judgments = [{"isValid": spans is not None, "spans": spans or []} for spans in judged]
        return text, {"questionString": text, "answerJudgments": judgments}

    who = question("Who met someone?", [[0, 1]], [[2, 4], [0, 1]], None)
    where = question("Where did someone meet?", None, None)
    verbs = {"4": {"verbIndex": 4, "questionLabels": dict([who, where])}}
    row = {"sentenceId": "s1", "sentenceTokens": ["Ann", "and", "old", "Eve", "met"], "verbEntries": verbs}
    made = convert.qasrl({"train": frame({**row, "verbEntries": {}}, row)})["train"]
    assert made.index.tolist() == [("made.tsv", 2)]
    assert made.iloc[0].to_dict() == {
        "question": "Who met someone?",
        "passage": "Ann and old Eve met",
        "answers": {"text": ["Ann", "old Eve"], "answer_start": [0, 8]},
    }


def test_function_words_are_cut_by_the_first_fold():
    data = [
        {"pair-id": n, "context": f"c{n}", "hypothesis": "", "label": "acceptable", "split": "dev"} for n in range(3)
    ]
    folds = [{"pair-id": n, "misc": {"fold1": fold, "fold2": "dev"}} for n, fold in enumerate(["test", "train", "dev"])]
    made = convert.function_words({"data": frame(*data), "folds": frame(*folds[::-1])})
    assert {split: rows["context"].tolist() for split, rows in made.items()} == {
        "train": ["c1"],
        "validation": ["c2"],
        "test": ["c0"],
    }
    assert list(made["train"]) == ["context", "hypothesis", "label"]


def test_function_words_without_a_fold_are_refused(refused):
    data = frame({"pair-id": 1, "context": "a", "hypothesis": "", "label": "acceptable"}, file="a.json")
    folds = frame({"pair-id": 2, "misc": {"fold1": "train"}})
    refused(lambda: convert.function_words({"data": data, "folds": folds}), "a.json, row 1", "train, dev, test", "nan")


def test_senteval_is_cut_by_its_first_column(refused):
    rows = [{"part": part, "label": "I", "sentence": part} for part in ("tr", "va", "tr", "te")]
    made = convert.senteval({"all": frame(*rows)})
    assert {split: rows.index.tolist() for split, rows in made.items()} == {
        "train": [("made.tsv", 1), ("made.tsv", 3)],
        "validation": [("made.tsv", 2)],
        "test": [("made.tsv", 4)],
    }
    odd = frame(*rows, {"part": "xx", "label": "I", "sentence": ""})
    refused(lambda: convert.senteval({"all": odd}), "made.tsv, row 5", "one of tr, va, te", "'xx'")


def test_file_with_other_columns_is_refused(refused):
    parts = ["made.tsv", "the columns sentence, relation", "found text, relation (no 'sentence')", "`derive`"]
    refused(lambda: convert.semeval({"train": frame({"text": "a", "relation": 1})}), *parts)


def test_unknown_rule_is_refused(refused):
    assert find_rule("wsc") is convert.wsc
    refused(lambda: find_rule("wcs"), "Key 'derive'", "'wcs'", "Did you mean 'wsc'?")


def test_glue_diagnostic_has_plain_names():
    rows = frame({"Lexical Semantics": "", "Predicate-Argument Structure": "", "Premise": "a"})
    made = convert.glue_diagnostic({"test": rows})["test"]
    assert list(made) == ["lexical_semantics", "predicate_argument_structure", "premise"]


def test_rows_given_are_left_as_they_were():
    rows = frame(wsc_row("she slept", "she", 0))
    convert.wsc({"train": rows})
    assert list(rows) == list(wsc_row("", "", 0))


def test_pairs_of_wmt_are_from_english():
    made = convert.from_english({"train": frame({"translation": {"de": "Ja.", "en": "Yes."}})})["train"]
    assert made.to_dict("records") == [{"english": "Yes.", "translation": "Ja."}] and made.index[0] == ("made.tsv", 1)


@pytest.mark.parametrize(
    "pair", [{"de": "Ja.", "fr": "Oui."}, {"en": "Yes."}, {"en": "a", "de": "b", "fr": "c"}, "Yes."]
)
def test_pair_in_other_languages_is_refused(pair, refused):
    rows = frame({"translation": {"en": "Yes.", "de": "Ja."}}, {"translation": pair})
    refused(lambda: convert.from_english({"train": rows}), "made.tsv, row 2", "a text in `en`", str(pair)[:20], "Mend")
