"""The parse of the mini language by hand, and its treebank: whole trees, agreement, what probes need."""

from collections import Counter

import pandas as pd
import pytest

from minilanguage import generate
from minilanguage.parse import Parse, parse


def read(text: str) -> str:
    tree = parse(text)
    return " ".join(f"{head}:{relation}" for head, relation in zip(tree.head, tree.deprel, strict=True))


PARSES = {
    "anna is not running in the park .": "4:nsubj 4:aux 4:advmod 0:root 7:case 7:det 4:obl 4:punct",
    "two dogs that are happy chase a bird now .": "2:nummod 6:nsubj 5:nsubj 5:cop 2:acl:relcl 0:root 8:det 6:obj "
    "6:advmod 6:punct",
    "bob is being chased by anna in the hall .": "4:nsubj:pass 4:aux 4:aux:pass 0:root 6:case 4:obl:agent 9:case "
    "9:det 4:obl 4:punct",
    "although tom was sad , he did not sleep .": "4:mark 4:nsubj 4:cop 9:advcl 9:punct 9:nsubj 9:aux 9:advmod 0:root "
    "9:punct",
    "who is anna helping ?": "4:obj 4:aux 4:nsubj 0:root 4:punct",
    "who is a doctor ?": "4:nsubj 4:cop 4:det 0:root 4:punct",
    "where is the old horse ?": "0:root 1:cop 5:det 5:amod 1:nsubj 1:punct",
    "the film was moving and a dog was moving .": "2:det 4:nsubj 4:cop 0:root 9:cc 7:det 9:nsubj 9:aux 4:conj 4:punct",
    "they found the walk very dull .": "2:nsubj 0:root 4:det 2:obj 6:advmod 2:xcomp 2:punct",
    "i love that mary was in the barn .": "2:nsubj 0:root 8:mark 8:nsubj 8:cop 8:case 8:det 2:ccomp 2:punct",
    "a dog that chased a bird in the park is old .": "2:det 11:nsubj 4:nsubj 2:acl:relcl 6:det 4:obj 9:case 9:det "
    "4:obl 11:cop 0:root 11:punct",
    "the car bought by the farmer was big .": "2:det 8:nsubj 2:acl 6:case 6:det 3:obl:agent 8:cop 0:root 8:punct",
    "in the castle was a tower .": "3:case 3:det 0:root 3:cop 6:det 3:nsubj 3:punct",
}


@pytest.mark.parametrize(("text", "tree"), PARSES.items())
def test_hand_checked_parses(text: str, tree: str) -> None:
    assert read(text) == tree


def test_what_is_no_sentence_is_refused() -> None:
    for text in ("dog the is old .", "anna is running running .", "is ."):
        with pytest.raises(ValueError, match="no sentence of the mini language"):
            parse(text)
    with pytest.raises(ValueError, match="no word of the mini language: it"):
        parse("it is old .")


def test_features_by_hand() -> None:
    tree = parse("two women did not help the man that was walking .")
    assert tree.upos == ["NUM", "NOUN", "AUX", "PART", "VERB", "DET", "NOUN", "PRON", "AUX", "VERB", "PUNCT"]
    assert tree.feats[1] == "Number=Plur"
    assert tree.feats[2] == "Mood=Ind|Tense=Past|VerbForm=Fin"
    assert tree.feats[4:7] == ["VerbForm=Inf", "Definite=Def|PronType=Art", "Number=Sing"]
    assert tree.feats[8:10] == ["Mood=Ind|Number=Sing|Person=3|Tense=Past|VerbForm=Fin", "Tense=Pres|VerbForm=Part"]
    assert parse("they chase bob .").feats[1] == "Mood=Ind|Number=Plur|Person=3|Tense=Pres|VerbForm=Fin"
    assert parse("anna chased bob .").feats[1] == "Mood=Ind|Number=Sing|Person=3|Tense=Past|VerbForm=Fin"
    assert parse("anna is being chased by bob .").feats[3] == "Tense=Past|VerbForm=Part|Voice=Pass"


def test_every_sentence_of_the_language_has_a_parse() -> None:
    for text in generate("text")["validation"].text:
        for sentence in text.replace("? ", "?|").split("|"):
            assert well_formed(parse(sentence))


def well_formed(tree: Parse) -> bool:
    """One root, heads within the sentence, every word below the root, no crossing arcs."""
    count = len(tree.words)
    assert len(tree.upos) == len(tree.feats) == len(tree.head) == len(tree.deprel) == count
    assert tree.head.count(0) == tree.deprel.count("root") == 1 and all(0 <= head <= count for head in tree.head)
    for i in range(count):
        steps, at = 0, i
        while tree.head[at]:
            at, steps = tree.head[at] - 1, steps + 1
            assert steps < count
    arcs = [sorted((i, head - 1)) for i, head in enumerate(tree.head) if head]
    return not any(a < c < b < d for a, b in arcs for c, d in arcs)


@pytest.fixture(scope="module")
def treebank() -> pd.DataFrame:
    return pd.concat(generate("treebank"), names=["split"]).reset_index("split")


def test_treebank_has_whole_trees(treebank: pd.DataFrame) -> None:
    assert list(treebank) == ["split", "sent_id", "text", "words", "upos", "feats", "head", "deprel"]
    assert treebank.text.is_unique and treebank.sent_id.is_unique
    assert (treebank.words.map(" ".join) == treebank.text).all()
    for row in treebank.itertuples():
        tree = parse(row.text)
        assert well_formed(tree)
        assert (row.head, row.deprel, row.upos, row.feats) == (tree.head, tree.deprel, tree.upos, tree.feats)


def test_subjects_and_verbs_agree(treebank: pd.DataFrame) -> None:
    seen = Counter()
    for text in treebank.text:
        tree = parse(text)
        for i, word in enumerate(tree.words):
            if word in ("is", "are", "was", "were"):
                head = i if tree.deprel[i] == "root" else tree.head[i] - 1
                (subject,) = tree.children(head, "nsubj")
                if tree.words[subject] == "that":  # the noun that the clause belongs to
                    subject = tree.head[head] - 1
                plural = "Number=Plur" in tree.feats[subject]
                assert plural == (word in ("are", "were")), text
                seen[word] += 1
    assert min(seen.values()) > 300


def test_articles_fit_their_nouns(treebank: pd.DataFrame) -> None:
    pairs = [pair for words in treebank.words for pair in zip(words, words[1:], strict=False)]
    assert all((second[0] in "aeiou") == (first == "an") for first, second in pairs if first in ("a", "an"))
    assert {"a", "an", "the"} <= {first for first, _ in pairs}


def test_treebank_has_what_probes_need(treebank: pd.DataFrame) -> None:
    first = treebank.words.str[0]
    for share in (
        first.isin(["who", "what", "where"]).mean(),
        treebank.deprel.map(lambda names: "conj" in names).mean(),
        treebank.deprel.map(lambda names: "advcl" in names).mean(),
        treebank.deprel.map(lambda names: "acl:relcl" in names).mean(),
    ):
        assert 0.1 < share < 0.4
    lengths = treebank.words.map(len)
    assert lengths.min() < 5 and lengths.quantile(0.9) > 16


def test_but_links_what_is_affirmed_to_what_is_denied(treebank: pd.DataFrame) -> None:
    checked = 0
    for words in treebank.words:
        link = next((word for word in ("and", "but") if word in words), None)
        if link and not {"never", "nobody", "although"} & set(words):
            first, second = words[: words.index(link)], words[words.index(link) :]
            assert (link == "but") == (("not" in first) != ("not" in second)), words
            checked += 1
    assert checked > 500


def test_a_sentence_with_one_content_word_has_one() -> None:
    frame = generate("single_words")["train"]
    content = frame.upos.map(lambda tags: sum(tag in ("NOUN", "VERB", "ADJ", "PROPN") for tag in tags))
    assert content.eq(1).all()
    assert frame.text.is_unique
