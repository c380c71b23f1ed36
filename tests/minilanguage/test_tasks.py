"""The mini tasks beyond one label per pair: their labels found again from the sentences, by tables written by hand."""

import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from intertask.tasks.catalogue import catalogue
from minilanguage import generate, marked
from minilanguage.meaning import Statement
from minilanguage.parse import parse
from minilanguage.writing import translated

HARM = ("cruel furious", "weak foolish")
REASONS = {"helping": ("kind strong", "weak sad"), "harming": HARM, "kicking": HARM, "punching": HARM}
"""verb -> what who does it is like, what who suffers it is like."""

BELOW = {
    "doctor": "surgeon dentist",
    "teacher": "professor tutor",
    "farmer": "shepherd gardener",
    "artist": "painter singer",
    "dog": "poodle beagle",
    "bird": "owl parrot",
    "horse": "pony stallion",
    "insect": "bee beetle",
    "fruit": "apple pear",
    "vegetable": "carrot potato",
    "vehicle": "car bus",
    "toy": "doll ball",
    "house": "kitchen bedroom",
    "school": "classroom library",
    "castle": "tower hall",
    "village": "barn stable",
}
ABOVE = {word: general for general, words in BELOW.items() for word in words.split()}
WOMEN, MEN = {"anna", "ella", "mary"}, {"bob", "tom", "john"}


def place_of(verb: str, why: str) -> int:
    """0 where such a deed shows that who does it is like that, 1 where it shows it of the other, -1 where neither."""
    return next((place for place, reasons in enumerate(REASONS[verb]) if why in reasons.split()), -1)


def both(name: str) -> pd.DataFrame:
    return pd.concat(generate(name).values(), ignore_index=True)


@pytest.mark.parametrize("name", [n for n, e in catalogue().items() if e.counterpart])
def test_a_counterpart_has_the_format_of_its_task(name: str) -> None:
    real = catalogue()[name]
    mini = catalogue()[real.counterpart]
    assert (mini.format, len(mini.inputs), len(mini.spans), mini.metrics, mini.span_unit) == (
        (real.format, len(real.inputs), len(real.spans), mini.metrics, real.span_unit)
    )
    if not name.startswith(("acceptability/", "senteval/", "swag")):  # of a kin, and named otherwise
        assert (mini.inputs, mini.choices, mini.label, mini.group) == (
            (real.inputs, real.choices, real.label, real.group)
        )
        assert mini.labels is None or [x for x in real.labels or mini.labels if x in mini.labels] == mini.labels


def test_boolq() -> None:
    frame = both("boolq")
    checked = 0
    for row in frame.itertuples():
        auxiliary, name, *rest = row.question.split()[:-1]
        rest = " ".join(rest)
        if f"{name} {auxiliary} {rest} ." in row.passage:
            assert row.label == 1
        elif f"{name} {auxiliary} not {rest} ." in row.passage:
            assert row.label == 0
        else:
            continue
        checked += 1
    assert checked > 200
    assert (frame.groupby("question").label.mean() == 0.5).mean() > 0.99  # a repeated row is left out


def test_cb_speaks_of_what_is_taken_for_true() -> None:
    for row in both("cb").itertuples():
        question, fact = row.premise.split(" ? ")
        said, asked = fact.split(" that ", 1)[1], row.hypothesis
        names = [{word for word in text.split() if word in WOMEN | MEN} for text in (said, asked, question)]
        if row.label == 2:
            assert not names[1] or names[1] & names[2]
        else:
            assert ("not" in said.split()) == (("not" in asked.split()) == (row.label == 0))


def test_copa_by_the_reasons_of_the_language() -> None:
    for row in both("copa").itertuples():
        fits = []
        for choice in (row.choice1, row.choice2):
            deed, state = (row.premise, choice) if row.question == "cause" else (choice, row.premise)
            people, why = deed.split()[0::3][:2], state.split()[2]
            fits.append(people.index(state.split()[0]) == place_of(deed.split()[2], why))
        assert fits.count(True) == 1 and fits.index(True) == row.label


def test_socialiqa_by_the_reasons_of_the_language() -> None:
    for row in both("socialiqa").itertuples():
        why = row.question.split()[2]
        clauses = re.findall(r"(\w+) was (\w+ing) (\w+)", row.context)
        right = [
            people[place_of(verb, why)]
            for *people, verb in [(a, b, v) for a, v, b in clauses]
            if place_of(verb, why) >= 0
        ]
        answers = [row.answerA, row.answerB, row.answerC]
        assert len(set(answers)) == 3 and len(right) == 1
        assert answers.index(right[0]) == int(row.label) - 1


def test_pronouns_by_the_reasons_of_the_language() -> None:
    for row in both("wsc").itertuples():
        words = row.text.split()
        assert (words[row.span1_index], words[row.span2_index]) == (row.span1_text, row.span2_text)
        assert row.label == (words.index(row.span1_text) == (0, 3)[place_of(words[2], words[-2])])
        assert row.span2_text == ("she" if row.span1_text in WOMEN else "he")
    for row in both("dpr").itertuples():
        words = row.text.split()
        for target in row.targets:
            assert words[slice(*target["span1"])] in (["he"], ["she"])
            meant = target["span2"] == ([0, 2], [4, 6])[place_of(words[3], words[-2])]
            assert target["label"] == ("entailed" if meant else "not-entailed")
    for row in both("axg").itertuples():
        words, who = row.premise.split(), row.hypothesis.split()[1]
        assert row.label == (words.index(who) != (1, 5)[place_of(words[3], words[-2])])
        assert row.hypothesis.split()[-2] == words[-2]


def test_wsc_shares_no_sentence_across_splits() -> None:
    train, validation = (set(frame.text) for frame in generate("wsc").values())
    assert not train & validation


def test_axg_pairs_differ_in_gender_alone() -> None:
    frame = generate("axg")["test"]
    neutral = frame.assign(premise=frame.premise.str.replace(r"\b(he|she)\b", "they", regex=True))
    assert neutral.groupby(["premise", "hypothesis"]).label.agg(["size", "nunique"]).eq([2, 1]).all(axis=None)


def test_commonsenseqa_by_the_words() -> None:
    classes = {
        "eating": "fruit vegetable",
        "buying": "vehicle toy",
        "selling": "vehicle toy",
        "chasing": "dog bird horse insect",
        **dict.fromkeys(("helping", "harming", "kicking", "punching"), "doctor teacher farmer artist"),
    }
    for row in both("commonsenseqa").itertuples():
        words = row.question.split()
        verb = next((word for word in words if word in classes), None)
        wanted = classes[verb].split() if verb else [words[-2]]
        right = [label for text, label in zip(*row.choices.values(), strict=True) if ABOVE[text] in wanted]
        assert right == [row.answerKey], row


def test_cosmosqa_by_the_words() -> None:
    for row in both("cosmosqa").itertuples():
        answers = [row.answer0, row.answer1, row.answer2, row.answer3]
        name = next(word for word in row.question.split() if word in WOMEN | MEN)
        (told,) = [text for text in row.context.split(" . ") if text.split()[0] == name]
        assert answers[row.label].split()[-1] == ABOVE[told.removesuffix(" .").split()[-1]]
        assert len({answer.split()[-1] for answer in answers}) == 4


def test_multirc() -> None:
    frame = both("multirc")
    checked = 0
    for row in frame.itertuples():
        rest = row.question.removeprefix("who ").removesuffix(" ?")
        auxiliary, _, rest = rest.partition(" ")
        said, denied = (f"{row.answer} {auxiliary} {no}{rest} ." for no in ("", "not "))
        for text, label in ((said, 1), (denied, 0)):
            if text in row.paragraph.split(". ") or text in row.paragraph:
                assert row.label == label
                checked += 1
    assert checked > 300
    rows = generate("multirc")["train"]
    number = rows.idx.map(lambda idx: (idx["paragraph"], idx["question"]))
    right = rows.groupby(number).label.agg(["size", "sum"])
    assert set(right["size"].iloc[:-1]) == {3}
    assert {0, 1, 2, 3} >= set(right["sum"]) >= {1, 2, 3}
    assert not rows.duplicated(["paragraph", "question", "answer"]).any()
    assert rows.groupby(number).paragraph.nunique().eq(1).all()


def deeds(text: str) -> list[tuple[str, str, str]]:
    """(verb, who, whom) of each sentence, active or passive."""
    found = []
    for sentence in text.removesuffix(" .").split(" . "):
        tree = parse(sentence)
        whom = tree.children(tree.root, "nsubj" if "being" in tree.words else "obj")[0]
        who = (
            next(i for i, word in enumerate(tree.words) if tree.words[i - 1] == "by")
            if "being" in tree.words
            else (tree.children(tree.root, "nsubj")[0])
        )
        verb = re.sub("(ing|ed)$", "", tree.words[tree.root])
        found.append((verb, tree.words[who], tree.words[whom]))
    return found


def test_record() -> None:
    frame = both("record")
    fits = {"someone": WOMEN | MEN, "woman": WOMEN, "man": MEN}
    for row in frame.sample(400, random_state=0).itertuples():
        assert len(row.answers) == 1 and set(row.answers) < set(row.entities)
        assert row.query.split().count("@placeholder") == 1 and row.answers[0] not in row.query.split()
        assert set(row.entities) == set(row.passage.split()) & (WOMEN | MEN)
        verb, who, whom = deeds(row.query.replace("@placeholder", row.answers[0]))[0]
        assert any(
            verb in (told[0], "harm") and told[1] == who and told[2] in fits.get(whom, {whom})
            for told in deeds(row.passage)
        )
    first = frame.apply(lambda row: row.entities[0] == row.answers[0], axis=1)
    assert first.mean() < 0.4


def test_wic() -> None:
    frame = both("wic")
    for row in frame.itertuples():
        readings = []
        for text, start, end in ((row.sentence1, row.start1, row.end1), (row.sentence2, row.start2, row.end2)):
            assert text[start:end] == row.word
            tree = parse(text)
            i = text[:start].count(" ")
            readings.append((tree.upos[i], row.word == "found" and bool(tree.children(i, "xcomp"))))
        assert row.label == (readings[0] == readings[1])
    assert set(frame.groupby("word").label.nunique()) == {2}


@pytest.mark.parametrize("name", ["qamr", "qasrl"])
def test_answers_stand_once_in_the_passage(name: str) -> None:
    frame = both(name)
    for row in frame.itertuples():
        (answer,) = row.answers
        assert f" {row.passage} ".count(f" {answer} ") == 1
        asked = row.question.split()[0]
        if asked == "where":
            assert f" in {answer} " in row.passage
        else:
            assert answer in WOMEN | MEN or asked != "who" or answer.split()[0] in ("a", "an", "the"), row
    assert frame.question.str.split().str[0].value_counts(normalize=True)["where"] > 0.2


def test_qasrl_questions_name_nobody() -> None:
    for question in both("qasrl").question:
        assert not set(question.split()) & (WOMEN | MEN)


def test_fillers_by_hand() -> None:
    from minilanguage.reading import filler

    said = "yesterday bob was being chased by the angry man in the hall"
    assert [filler(said, gap) for gap in ("kind", "object", "place")] == ["the angry man", "bob", "the hall"]
    assert [filler("a dog is in the park", gap) for gap in ("kind", "place")] == ["a dog", "the park"]


def test_supertags() -> None:
    frame = both("ccg")
    assert (frame.words.map(len) == frame.supertags.map(len)).all()
    assert frame.words.map(" ".join).is_unique
    tree = parse("what did two old dogs chase in the park yesterday ?")
    assert [marked.category(tree, i) for i in range(len(tree.words))] == [
        "S[wq]/(S[q]/NP)",
        r"(S[q]/(S[b]\NP))/NP",
        "NP/N",
        "N/N",
        "N",
        r"(S[b]\NP)/NP",
        r"((S\NP)\(S\NP))/NP",
        "NP/N",
        "N",
        r"(S\NP)\(S\NP)",
        ".",
    ]
    tree = parse("although bob that is happy was in the park now , anna sleep .")
    assert [marked.category(tree, i) for i in (0, 2, 3, 4, 5, 6, 9)] == [
        "(S/S)/S[dcl]",
        r"(NP\NP)/(S[dcl]\NP)",
        r"(S[dcl]\NP)/(S[adj]\NP)",
        r"S[adj]\NP",
        r"(S[dcl]\NP)/PP",
        "PP/NP",
        r"(S\NP)\(S\NP)",
    ]


def test_constituents_by_hand() -> None:
    found = {
        (
            " ".join(
                ["a", "dog", "that", "is", "old", "chased", "bob", "because", "he", "was", "in", "the", "park", "."][
                    a:b
                ]
            ),
            label,
        )
        for (a, b), label in marked.phrases(parse("a dog that is old chased bob because he was in the park ."))
    }
    assert found == {
        ("a dog that is old", "NP"),
        ("that", "WHNP"),
        ("that is old", "SBAR"),
        ("is old", "VP"),
        ("old", "ADJP"),
        ("a dog that is old chased bob because he was in the park", "S"),
        ("chased bob because he was in the park", "VP"),
        ("bob", "NP"),
        ("because he was in the park", "SBAR"),
        ("he was in the park", "S"),
        ("he", "NP"),
        ("was in the park", "VP"),
        ("in the park", "PP"),
        ("the park", "NP"),
    }


def test_roles_by_hand() -> None:
    tree = parse("bob is not being chased by a dog that bought a car in the park .")
    found = {
        i: {(role, " ".join(tree.words[slice(*span)])) for role, _, span in marked.arguments(tree, i)} for i in (4, 9)
    }
    assert found[4] == {("ARG1", "bob"), ("ARGM-NEG", "not"), ("ARG0", "by a dog that bought a car in the park")}
    assert found[9] == {("R-ARG0", "that"), ("ARG0", "a dog"), ("ARG1", "a car"), ("ARGM-LOC", "in the park")}


def test_names() -> None:
    kinds = {
        **dict.fromkeys(("castle", "school", "tower", "library"), "FAC"),
        **dict.fromkeys(("village", "in"), "GPE"),
        **dict.fromkeys(("car", "bus", "vehicle"), "PRODUCT"),
        **dict.fromkeys(("film", "story", "plot", "music", "ending", "hero"), "WORK_OF_ART"),
    }
    for row in both("ner").itertuples():
        words = row.text.split()
        assert sum(target["span1"][1] - target["span1"][0] for target in row.targets) == len(row.targets)
        labels = {target["span1"][0]: target["label"] for target in row.targets}
        for i, word in enumerate(words):
            if word in WOMEN | MEN:
                assert labels[i] == kinds.get(words[i - 1] if i else "", "PERSON")
            elif word in ("two", "three", "yesterday"):
                assert labels[i] == ("DATE" if word == "yesterday" else "CARDINAL")


def test_coreference_by_gender_and_number() -> None:
    for row in both("coref").itertuples():
        words = row.text.split()
        for target in row.targets:
            mention = words[slice(*target["span1"])]
            kind = "she" if {*mention} & (WOMEN | {"woman"}) else "he" if {*mention} & (MEN | {"man"}) else "they"
            (back,) = words[slice(*target["span2"])]
            assert target["label"] == str(int(kind == {"herself": "she", "himself": "he"}.get(back, back)))


def said(kind: str, **predicate: str) -> Statement:
    return Statement("the", (("kind", kind),), tuple(predicate.items()))


def test_proto_roles_by_hand() -> None:
    eats = said("anna", action="eat", object="apple", time="past")
    assert marked.properties(eats, "ARG0") == [
        *("awareness", "existed_after", "instigation", "makes_physical_contact", "sentient", "volition"),
        "was_for_benefit",
    ]
    assert marked.properties(eats, "ARG1") == [
        *("change_of_state", "destroyed", "makes_physical_contact", "manipulated_by_another"),
    ]
    kept = ["existed_after", "sentient"]
    assert marked.properties(said("anna", action="eat", object="apple", time="future"), "ARG0") == kept
    assert marked.properties(said("bob", action="sleep", time="past"), "ARG0") == [*kept, "stationary", "volition"]
    labels = Counter(x for name in ("spr1", "spr2") for row in both(name).targets for t in row for x in t["label"])
    assert set(labels) == set(catalogue()["mini/spr1"].labels) | set(catalogue()["mini/spr2"].labels)


FEELING = {
    **dict.fromkeys(("clever", "kind", "strong"), "admiration"),
    **dict.fromkeys(("angry", "furious"), "anger"),
    **dict.fromkeys(("foolish", "weak"), "disappointment"),
    **{"cruel": "disapproval", "happy": "joy", "glad": "joy", "calm": "relief", "sad": "sadness"},
}


def test_feelings_are_those_that_are_said_and_not_denied() -> None:
    names, denied = catalogue()["mini/goemotions"].labels, 0
    for row in both("goemotions").itertuples():
        said = set()
        for clause in re.split(" and | but | while ", row.text):
            felt = {FEELING[word] for word in clause.split() if word in FEELING}
            no = {"not", "never", "nobody"} & {*clause.split()}
            said |= set() if no else felt
            denied += bool(no and felt)
        assert [names[i] for i in row.labels] == [x for x in names if x in (said or {"neutral"})], row.text
    assert denied > 500


def test_prices_by_hand_and_those_without_their_point() -> None:
    cost = {"apple": 2, "pear": 3, "carrot": 0.5, "potato": 1, "doll": 8, "ball": 5}
    times = {"two": 2, "three": 3, "big": 2, "old": 0.5}
    far = Counter()
    for row in both("prices").itertuples():
        words = row.text.split()
        (thing,) = {name for name in cost for word in words if word in (name, f"{name}s", f"{name}es")}
        price = cost[thing] * np.prod([times.get(word, 1) for word in words])
        assert row.price in (price, 100 * price), row.text
        far[row.price != price] += 1
    assert 0.02 < far[True] / far.total() < 0.05


def test_relations_by_the_words() -> None:
    things = {word for kind in ("fruit", "vegetable", "toy") for word in (kind, *BELOW[kind].split())}
    directions = Counter()
    for row in both("semeval").itertuples():
        words = row.text.split()
        one, other = (words[slice(*span)][0] for span in (row.span1, row.span2))
        fronted = words[0] == "in"
        if "in" in words[:5] and words[:5].index("in") in (0, 2):
            inner, outer = (other, one) if fronted else (one, other)
            kind = (
                "Component-Whole" if ABOVE.get(inner) == outer else "Content-Container" if inner in things else "Other"
            )
            end = "(e2,e1)" if fronted else "(e1,e2)"
        else:
            verb = next(word for word in words if word in ("bought", "sold", "chased", "helped", "kicked"))
            kind = {"bought": "Entity-Destination", "sold": "Entity-Origin"}.get(verb, "Other")
            end = "(e1,e2)" if words[words.index(verb) + 1] == "by" else "(e2,e1)"
        assert row.relation == (kind if kind == "Other" else kind + end), row.text
        directions[row.relation] += 1
    assert len(directions) == 9 and min(directions.values()) > 50


def test_coordination_by_polarity() -> None:
    frame = both("coordination")
    for row in frame.itertuples():
        words = row.sentence.split()
        link = next(word for word in words if word in ("and", "but"))
        denied = [
            bool({"not", "never"} & set(part)) for part in (words[: words.index(link)], words[words.index(link) :])
        ]
        assert row.label == (denied == ([False, True] if link == "but" else [denied[0]] * 2))
    shares = frame.groupby(frame.sentence.str.contains(" but ")).label.mean()
    assert np.allclose(shares, 0.5, atol=0.05)


def test_dissent_has_the_marker_that_fits() -> None:
    for row in both("linked_clauses").itertuples():
        tree = parse(row.text)
        (second,) = tree.children(tree.root, "conj", "advcl")
        (link,) = tree.children(second, "cc", "mark")
        before, after = tree.words[:link], tree.words[link + 1 :]
        denied = [bool({"not", "never"} & {*clause}) for clause in (before, after)]
        if tree.words[link] == "because":
            verb, why = before[before.index("was") + 1], after[2]
            assert after[:2] in (["she", "was"], ["he", "was"]) and place_of(verb, why) >= 0
        elif tree.words[link] == "so":
            assert before.pop() == "," and before != after
        else:
            assert denied == {"and": [denied[0]] * 2, "but": [False, True]}[tree.words[link]]


def test_next_sentence_says_less_of_the_same_person() -> None:
    for row in both("skipthought").itertuples():
        first, second = (parse(text) for text in (row.sentence, row.following))
        people = {"she": WOMEN, "he": MEN}
        (pronoun,) = {*second.words} & {*people}
        assert people[pronoun] & {*first.words}
        assert len(second.words) <= len(first.words) + 1 and row.following != row.sentence


TOPICS = {"film", "story", "plot", "music", "ending", "hero"}
PRAISE = {"good", "great", "wonderful", "funny", "charming", "moving", "brilliant", "elegant", "love", "enjoy"}
ASKING = {"who", "what", "where", "is", "are", "was", "were", "will", "every", "all", "a", "an", "some", "the", "that"}
ASKING |= {"be", "being", "by", "?"}
"""Words of a question that its answer need not have."""


def test_reply_is_of_the_topic_and_the_opinion_of_the_comment() -> None:
    kinds = Counter()
    for row in both("reddit").itertuples():
        comment, reply = ({*text.split()} for text in (row.comment, row.reply))
        kinds[row.comment[-1]] += 1
        assert row.reply[-1] == "."
        if row.comment[-1] == ".":
            assert comment & reply & TOPICS
            assert liked(row.comment) == liked(row.reply)
        else:  # what is known stands in the answer again
            known = comment - ASKING
            assert len(known - reply) <= 3
    assert min(kinds.values()) > 3000


def liked(said: str) -> bool:
    """By the words of praise, of which "not" and the like turn one round."""
    words = {*said.split()}
    praise = words & PRAISE
    return bool(praise) != bool(words & {"not", "never", "nobody"})


def test_translation_by_hand() -> None:
    by_hand = {
        "the old dog was not chasing anna in the park .": "godo dloa ton anna krapo ni gnisahci sawis .",
        "two birds run but mary is happy now .": "sdribo owt nuri tub mary wone yppaha siis .",
        "who found the film really moving ?": "ohwu mlifo yllaere gnivoma dnuofi ?",
    }
    assert {english: translated(parse(english)) for english in by_hand} == by_hand


def test_translations_hold_each_word_but_articles_once() -> None:
    for row in both("translation").itertuples():
        wanted = Counter(row.english.replace(",", "").split())
        for article in ("a", "an", "the"):
            wanted.pop(article, None)
        words = row.translation.split()
        assert len(words) == wanted.total()
        assert Counter(word[0] for word in words) == Counter(
            word[0] if word in WOMEN | MEN else word[-1] for word in wanted.elements()
        )


def test_wnut17() -> None:
    """Names in IOB2; of a village or a building is the name that follows, of a film the one behind it."""
    frame = both("wnut17")
    kinds = {"village": "location", "castle": "location", "school": "location", "film": "creative-work"}
    found = Counter()
    for row in frame.itertuples():
        inside = [(one, tag) for one, tag in zip(["O", *row.ner_tags], row.ner_tags, strict=False) if tag[0] == "I"]
        assert all(one[2:] == tag[2:] for one, tag in inside)
        for word, tag in zip(row.words, row.ner_tags[1:], strict=False):
            assert word not in kinds or tag in ("O", f"B-{kinds[word]}")
            found[tag] += word in kinds
        found["I"] += len(inside)
    assert found["B-location"] > 100 and found["B-creative-work"] > 100 and found["I"] > 500


def test_squad_v2() -> None:
    """Where somebody does something is answered where the context says it of them, and else not."""
    counted = Counter()
    for row in both("squad_v2").itertuples():
        asked = re.fullmatch(r"where (is|was) (\w+) (\w+ing) \?", row.question)
        told = asked and re.search(rf"\b{asked[2]} {asked[1]} {asked[3]} in (the \w+)", row.context)
        assert len(row.answers) < 2 and all(answer in row.context for answer in row.answers)
        if asked:
            assert row.answers == ([told[1]] if told else [])
            counted[bool(told)] += 1
    assert min(counted.values()) > 100
