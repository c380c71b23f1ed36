"""Sentences whose pronoun must be understood."""

import numpy as np

from minilanguage import lexicon
from minilanguage.lexicon import LEXICON
from minilanguage.sampling import HOME, Rows, chance, pick, several


def schemas(_: np.random.Generator, dev: bool) -> Rows:
    """Rows (sentence1, sentence2, label): who "she" is. Dev asks for the other one: labels opposite."""
    rng = np.random.default_rng(0)  # one for both splits, so that they share their sentences
    seen: set[str] = set()
    while True:
        said, (name, other), reason = because(rng)
        if said in seen:
            continue
        right = (len(seen) % 2 == 1) != dev
        seen.add(said)
        yield f"{said} .", f"{name if right else other} {reason} .", int(right)


def because(rng: np.random.Generator) -> tuple[str, tuple[str, str], str]:
    """("anna was helping ella because she was weak", (the one meant, the other), "was weak")."""
    gender = pick(rng, ("woman", "man"))
    names = [pick(rng, lexicon.CHILDREN[gender])]
    names.append(pick(rng, [w for w in lexicon.CHILDREN[gender] if w != names[0]]))
    verb = pick(rng, list(LEXICON["reasons"]))
    meant = pick(rng, ("subject", "object"))
    reason = f"was {pick(rng, LEXICON['reasons'][verb][meant])}"
    pronoun = "she" if gender == "woman" else "he"
    said = f"{names[0]} was {lexicon.progressive(verb)} {names[1]} because {pronoun} {reason}"
    return said, tuple(names if meant == "subject" else names[::-1]), reason


def mentions(rng: np.random.Generator) -> Rows:
    """Rows (text, span1_text, span1_index, span2_text, span2_index, label): 1 where the pronoun means the name."""
    gender = pick(rng, ("woman", "man"))
    names = several(rng, lexicon.CHILDREN[gender], 2)
    verb, meant, why = deed(rng)
    place = pick(rng, ("", f"in the {pick(rng, HOME.words['place'])}"))
    words = f"{names[0]} was {verb} {names[1]} {place} because".split()
    pronoun = "she" if gender == "woman" else "he"
    text = f"{' '.join(words)} {pronoun} was {why} ."
    for k, name in enumerate(names):
        yield text, name, words.index(name), pronoun, len(words), int(k == meant)


def deed(rng: np.random.Generator) -> tuple[str, int, str]:
    """("kicking", 0, "cruel"): a verb and its reason, which lies in who does it (0) or whom it is done to (1)."""
    verb, meant = pick(rng, list(REACTIONS)), pick(rng, (0, 1))
    return verb, meant, pick(rng, REACTIONS[verb][meant])


REACTIONS = {
    lexicon.progressive(verb): (reasons["subject"], reasons["object"])
    for root, reasons in LEXICON["reasons"].items()
    for verb in lexicon.below(root)
}
"""verb -> what a deed shows of who does it, and of whom it is done to."""


PROFESSIONS = [w for root in ("doctor", "teacher", "farmer", "artist") for w in lexicon.below(root)]


def professionals(rng: np.random.Generator) -> list[str]:
    """Two professions of which nobody has both."""
    first = pick(rng, PROFESSIONS)
    return [first, pick(rng, [w for w in PROFESSIONS if lexicon.excludes(w, first)])]


def genders(rng: np.random.Generator) -> Rows:
    """Rows (premise, hypothesis, label): 0 where it follows; every pair comes with "he" and with "she"."""
    people = professionals(rng)
    verb, meant, why = deed(rng)
    for k, who in enumerate(people):
        for pronoun in ("he", "she"):
            said = f"the {people[0]} was {verb} the {people[1]} because {pronoun} was {why} ."
            yield said, f"the {who} was {why} .", int(k != meant)


def definite_pronouns(rng: np.random.Generator) -> Rows:
    """Rows (text, targets): the pronoun and a noun phrase, "entailed" where it means that, by the reason given."""
    one, other = professionals(rng)
    verb, meant, why = deed(rng)
    text = f"the {one} was {verb} the {other} because {pick(rng, ('he', 'she'))} was {why} ."
    labels = ("entailed", "not-entailed") if meant == 0 else ("not-entailed", "entailed")
    spans = ([0, 2], [4, 6])
    yield text, [{"span1": [7, 8], "span2": s, "label": x} for s, x in zip(spans, labels, strict=True)]


def coreference(rng: np.random.Generator) -> Rows:
    """Rows (text, targets): pairs of mentions, "1" where they mean the same, by gender and number, else "0"."""
    one, other = several(rng, ["she", "he", "they"], 2)
    verb, _, why = deed(rng)
    first, second = mention(rng, one), mention(rng, other)
    start = f"{first} {was(one)} {verb} {second} {pick(rng, ('and', 'while', 'but'))}".split()
    pronoun = pick(rng, (one, other))
    again = {"she": f"{deed(rng)[0]} herself", "he": f"{deed(rng)[0]} himself"}.get(pronoun, why)
    text = f"{' '.join(start)} {pronoun} {was(pronoun)} {again if chance(rng, 0.5) else why} ."
    spans = [[0, len(first.split())], [len(start) - 1 - len(second.split()), len(start) - 1]]
    last = len(text.split()) - 1
    back = [len(start)] + [last - 1] * text.endswith("self .")
    mentioned = [(span, str(int(who == pronoun))) for span, who in zip(spans, (one, other), strict=True)]
    yield text, [{"span1": span, "span2": [at, at + 1], "label": label} for at in back for span, label in mentioned]


def mention(rng: np.random.Generator, pronoun: str) -> str:
    """What the pronoun may stand for: "anna", "the man", "two singers"."""
    if pronoun == "they":
        return f"{pick(rng, ('the', 'two', 'three', 'some'))} {lexicon.plural(pick(rng, PROFESSIONS))}"
    kind = "woman" if pronoun == "she" else "man"
    return pick(rng, (*lexicon.CHILDREN[kind], f"the {kind}", f"a {kind}"))


def was(pronoun: str) -> str:
    return "were" if pronoun == "they" else "was"
