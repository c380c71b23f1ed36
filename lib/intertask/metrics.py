"""The metrics of the four papers' tasks (GLUE: Wang et al. 2018, section 3; SuperGLUE: Wang et al. 2019), times 100.

scikit-learn and scipy are imported where they are used: most runs need neither, and each costs a kernel half a second.
"""

import re
import string
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import partial

import numpy as np


def accuracy(labels, predictions) -> float:
    """The share of predictions that are right; of a target with several labels, all of them."""
    return float(np.mean(labels == predictions))


def f1(labels, predictions) -> float:
    """F1 of the class with id 1, as GLUE scores MRPC and QQP; 0 when that class is never predicted."""
    from sklearn.metrics import f1_score

    return float(f1_score(labels, predictions, pos_label=1, average="binary", zero_division=0.0))


def balanced_accuracy(labels, predictions) -> float:
    """The unweighted mean of the share of each class that is found, of the classes that there are."""
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    return float(np.mean([np.mean(predictions[labels == one] == one) for one in np.unique(labels)]))


def matthews_correlation(labels, predictions) -> float:
    """Matthews correlation, for any number of classes (R_K of Gorodkin 2004); 0 where it is undefined."""
    from sklearn.metrics import matthews_corrcoef

    return float(matthews_corrcoef(labels, predictions))


def pearson(labels, predictions) -> float:
    return _correlation("pearsonr", labels, predictions)


def spearman(labels, predictions) -> float:
    return _correlation("spearmanr", labels, predictions)


def _correlation(name: str, labels, predictions) -> float:
    """0 where it is undefined: a constant prediction is a degenerate run, not a missing one."""
    from scipy import stats

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", (stats.ConstantInputWarning, stats.NearConstantInputWarning))
        value = getattr(stats, name)(labels, predictions).statistic
    return float(np.nan_to_num(value))


def f1_micro(labels, predictions) -> float:
    """F1 over all decisions whether a target has a label (Tenney et al. 2019); both arguments hold lists of ids.

    0 where nothing is predicted rightly.
    """
    right = sum(len(set(gold) & set(given)) for gold, given in zip(labels, predictions, strict=True))
    counted = sum(map(len, labels)) + sum(map(len, predictions))
    return 2 * right / counted if counted else 0.0


SPAN_TAG = re.compile(r"([BIES])(?:-(.+))?")
"""The tag of a word in a span, in IOB2 (B, I) or BIOES (E the last, S the only one), and its type; else O is."""


def is_span_tag(tag: str) -> bool:
    """Whether it is one of IOB2 or BIOES."""
    return tag == "O" or bool(SPAN_TAG.fullmatch(tag))


def span_type(tag: str) -> str | None:
    match = SPAN_TAG.fullmatch(tag)
    return match and match[2]


def begun_spans(tags, groups, names: Sequence[str]) -> np.ndarray:
    """(words, 2): of the span that begins at a word the word behind its last, and its type; -1 and -1 where none does.

    tags: of each word an id of `names`; groups: of each word the number of its example; a type is the place of the
    first of the `names` that have it. As seqeval reads tags by default: I and E go on from B and I of the same type,
    and begin a span of their own behind all else.
    """
    tags, groups, types = np.asarray(tags, int), np.asarray(groups), [span_type(name) for name in names]
    place = np.array([name[0] for name in names])[tags]
    kind = np.array([types.index(one) for one in types])[tags]
    goes_on = np.isin(place[1:], ["I", "E"]) & np.isin(place[:-1], ["B", "I"])
    goes_on &= (kind[1:] == kind[:-1]) & (groups[1:] == groups[:-1])
    starts = np.flatnonzero(np.append(True, ~goes_on))
    spans = np.full((len(place), 2), -1)
    spans[starts] = np.stack([np.append(starts[1:], len(place)), kind[starts]], axis=1)
    spans[place == "O"] = -1
    return spans


def span_counts(labels, predictions, groups, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Of each word how many `spans` begin there, of the labels' and the predictions', and, 1 or 0, whether both do and
    are equal, `right`; as of `begun_spans`."""
    gold, given = (begun_spans(tags, groups, names) for tags in (labels, predictions))
    there = gold[:, 0] >= 0
    return {"right": (there & (gold == given).all(1)).astype(int), "spans": there + (given[:, 0] >= 0).astype(int)}


def span_f1(labels, predictions, groups, names: Sequence[str]) -> float:
    """F1 over the spans of words that tags make, right where words and type are, as seqeval has it by default.

    0 where no span is right.
    """
    found = span_counts(labels, predictions, groups, names)
    return 2 * int(found["right"].sum()) / max(int(found["spans"].sum()), 1)


def f1_macro(labels, predictions) -> float:
    """The unweighted mean of the F1 of each class that any target has or is given, as SuperGLUE scores CB.

    Both arguments hold ids, or lists of ids where a target may have several.
    """
    from sklearn.metrics import f1_score
    from sklearn.preprocessing import MultiLabelBinarizer

    if np.ndim(next(iter(labels))):
        binarizer = MultiLabelBinarizer().fit([*labels, *predictions])
        if not binarizer.classes_.size:
            return 0.0
        labels, predictions = map(binarizer.transform, (labels, predictions))
    return float(f1_score(labels, predictions, average="macro", zero_division=0.0))


def f1_samples(labels, predictions) -> float:
    """The mean over targets of the F1 of their lists of ids; 1 where nothing is there and nothing is predicted.

    (As scikit-learn's `f1_score` with `average="samples", zero_division=1`.)
    """
    return float(np.mean([set_f1(gold, given) for gold, given in zip(labels, predictions, strict=True)]))


def set_f1(gold: Collection[int], given: Collection[int]) -> float:
    """Of one target."""
    return 2 * len({*gold} & {*given}) / (len(gold) + len(given)) if len(gold) + len(given) else 1.0


def question_exact_match(labels, predictions, groups) -> float:
    """The share of groups of which every prediction is right: MultiRC's EM over the answer options of a question."""
    wrong = {group for group, a, b in zip(groups, labels, predictions, strict=True) if a != b}
    return 1 - len(wrong) / len(set(groups))


def exact_match(labels, predictions) -> float:
    """The share of predicted texts that equal an accepted answer once normalised (Rajpurkar et al. 2016)."""
    return float(np.mean([any_equal(answers, text) for answers, text in zip(labels, predictions, strict=True)]))


def token_f1(labels, predictions) -> float:
    """The mean over examples of the best overlap in words with an accepted answer (Rajpurkar et al. 2016)."""
    return float(np.mean([best_overlap(answers, text) for answers, text in zip(labels, predictions, strict=True)]))


def any_equal(answers: Iterable[str], text: str) -> bool:
    return normalized(text) in map(normalized, answers)


def best_overlap(answers: Iterable[str], text: str) -> float:
    return max(_overlap(normalized(answer).split(), normalized(text).split()) for answer in answers)


def answering(labels, predictions, answers, no_answer) -> dict[str, float]:
    """What SQuAD 2.0's script says beside both scores, 0-100 but for thresholds (Rajpurkar et al. 2018).

    labels: accepted answers, [""] of a question without one; answers: each question's best one; no_answer: how much
    there is to say that it has none. best_…: the highest score that a threshold reaches above which it has none, found
    on these questions themselves; where it is best to answer none, that threshold lies below all.
    """
    has, order, found = np.array([list(one) != [""] for one in labels]), np.argsort(no_answer, kind="stable"), {}
    thresholds = np.append(np.nextafter(np.min(no_answer), -np.inf), np.array(no_answer)[order])
    given = np.array([bool(text) for text in answers], float)
    for name, share in (("exact_match", any_equal), ("token_f1", best_overlap)):
        said, best = ([share(*pair) for pair in zip(labels, x, strict=True)] for x in (predictions, answers))
        kinds = {"answerable": has, "unanswerable": ~has}
        found |= {f"{kind}_{name}": np.mean(np.compress(these, said)) for kind, these in kinds.items() if these.any()}
        # one more question is answered at each step: it gains its score, or loses that it had rightly none
        totals = np.cumsum(np.append((~has).sum(), np.where(has, best, -given)[order]))
        found[f"best_{name}"] = totals.max() / len(has)
        found[f"best_{name}_threshold"] = thresholds[totals.argmax()]
    return {name: float(x) if "threshold" in name else round(100 * float(x), 6) for name, x in found.items()}


def normalized(text: str) -> str:
    """Lower case, without punctuation, articles and superfluous blanks (SQuAD's evaluation script)."""
    text = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def _overlap(answer: list[str], text: list[str]) -> float:
    common = (Counter(answer) & Counter(text)).total()
    if not answer or not text:
        return float(answer == text)
    return 2 * common / (len(answer) + len(text))


def perplexity(tokens: int, log_likelihood: float) -> float:
    """e to the mean surprise over all tokens, in nats: as many equally likely ones the next is among; 1 is the least.

    log_likelihood: the sum of the tokens' log-probabilities.
    """
    return float(np.exp(min(-log_likelihood / tokens, 700.0)))  # beyond, a float holds it no longer


ZERO_AT = 250
"""The perplexity that scores 0."""


def points(value: float) -> float:
    """A perplexity m as a score of which more is better: 100 (1 - m / 250) (Wang et al. 2019, appendix C).

    Above 250, where that falls without end, it goes on towards -100 as 100 (250 / m - 1), which there is equal and
    equally steep: the better of two perplexities has the better score, however high both are, and no average is lost.
    """
    return 100 * (1 - value / ZERO_AT) if value <= ZERO_AT else 100 * (ZERO_AT / value - 1)


def bleu(labels: Sequence[str], predictions: Sequence[str]) -> float:
    """BLEU of a corpus with one reference for each text, 0-1, as sacrebleu has it by default (Post 2018)."""
    from sacrebleu import corpus_bleu

    return corpus_bleu(list(predictions), [list(labels)], force=True).score / 100


OF_VALUES = (accuracy, balanced_accuracy, f1, f1_macro, matthews_correlation, pearson, spearman)
OF_VALUES += (f1_micro, f1_macro, f1_samples, exact_match, token_f1)
METRICS = {metric.__name__: metric for metric in OF_VALUES}

OF_CLASSES = ("accuracy", "f1", "f1_macro", "balanced_accuracy", "matthews_correlation", "question_exact_match")
OF_NUMBERS = ("pearson", "spearman")
OF_LABEL_SETS = ("f1_micro", "f1_macro", "f1_samples", "accuracy")
OF_ANSWERS = ("exact_match", "token_f1")
OF_TAGS = ("accuracy", "span_f1")
OF_TOKENS = ("perplexity", "token_accuracy", "bleu")
"""The metrics that a format may name, by what it predicts."""


def score(
    metrics: Sequence[str], labels: np.ndarray, predictions: np.ndarray, groups=None, names=None
) -> dict[str, float]:
    """Every metric times 100, and `main`, their mean (GLUE averages the metrics of a two-metric task first).

    `groups`: of each prediction the number of the examples that question_exact_match scores as one, or of the one whose
    words' tags span_f1 reads, by their `names`. Rounded to 6 places: the last bits of a long sum depend on where its
    numbers lie in memory, and equal predictions must have equal scores.
    """
    known = METRICS | {
        "question_exact_match": partial(question_exact_match, groups=groups),
        "span_f1": partial(span_f1, groups=groups, names=names),
    }
    scores = {name: round(100 * known[name](labels, predictions), 6) for name in metrics}
    return {**scores, "main": round(float(np.mean(list(scores.values()))), 6)}
