"""Treebanks of Universal Dependencies: CoNLL-U files as one row per sentence."""

import re
from pathlib import Path

import pandas as pd

from intertask.errors import IntertaskError, refusal
from intertask.probes.words import NEWDOC

CONLLU_COLUMNS = ["sent_id", "text", "words", "upos", "feats", "head", "deprel"]
_COMMENT = re.compile(r"#\s*(sent_id|text)\s*=\s*(.*)")
_NEWDOC = re.compile(r"#\s*newdoc\b")
_NO_WORD = re.compile(r"\d+-\d+|\d+\.\d+")  # a multiword token (1-2), an empty node (1.1)


def parse_conllu(path: Path, text: str) -> pd.DataFrame:
    """The sentences of a CoNLL-U file (universaldependencies.org/format.html), a row each.

    sent_id, text: as in the comments, "" without one. words, upos, feats, deprel: lists of texts, one per syntactic
    word; for none `feats` has "_", as it stands, upos and deprel "". head: list of int, 1-based, 0 for the root.
    Multiword tokens and empty nodes are left out: the syntactic words stay. A broken line or tree is refused with file
    and line.
    """
    sentences, block, start = [], [], 1
    for number, line in enumerate([*re.split("\r\n|\n|\r", text), ""], start=1):
        if line.strip():
            block.append(line)
            continue
        if any(not line.startswith("#") for line in block):
            sentences.append(_sentence(path, start, block))
        block, start = [], number + 1
    return pd.DataFrame(sentences, columns=[*CONLLU_COLUMNS, NEWDOC])


def _sentence(path: Path, start: int, lines: list[str]) -> dict[str, object]:
    comments = dict(match.groups() for line in lines if (match := _COMMENT.fullmatch(line)))
    words = []
    for number, line in enumerate(lines, start=start):
        if not line.startswith("#") and (fields := _word(f"{path}, line {number}", line, len(words) + 1)):
            words.append((number, fields))
    _check_forms(path, words, comments.get("text", "_"))
    heads = _heads(path, words)
    columns = {"words": 1, "upos": 3, "feats": 5, "deprel": 7}
    texts = {column: [fields[place] for _, fields in words] for column, place in columns.items()}
    for column in ("upos", "deprel"):
        texts[column] = ["" if text == "_" else text for text in texts[column]]
    named = {key: comments.get(key, "") for key in ("sent_id", "text")}
    return {**named, "head": heads, **texts, NEWDOC: any(map(_NEWDOC.match, lines))}


def _check_forms(path: Path, words: list[tuple[int, list[str]]], text: str) -> None:
    """Refuses words without a form: an underscore is one only where the text has it, and never in every word."""
    without = [number for number, fields in words if fields[1] == "_"]
    signs = sum(fields[1].count("_") for _, fields in words)
    if without and (signs > text.count("_") or 1 < len(words) == len(without)):
        remedy = (
            "Fetch the text, if it is withheld, and merge it in as the treebank's README says; or drop the sentence."
        )
        raise refusal(f"{path}, line {without[0]}", "a form for each syntactic word", "_", remedy)


def _word(where: str, line: str, expected_id: int) -> list[str] | None:
    """The ten fields of a syntactic word's line; None for a multiword token or an empty node."""
    fields = line.split("\t")
    if len(fields) != 10:
        raise _broken(where, "10 fields separated by tabs", f"{len(fields)}")
    if _NO_WORD.fullmatch(fields[0]):
        return None
    if fields[0] != str(expected_id):
        raise _broken(where, f"the id {expected_id}", f"'{fields[0]}'")
    return fields


def _heads(path: Path, words: list[tuple[int, list[str]]]) -> list[int]:
    """The heads, which must make a tree: one root, every head among the words, no cycle."""
    for number, fields in words:
        if not re.fullmatch("[0-9]+", fields[6]) or int(fields[6]) > len(words):
            expected = f"a head from 0 to {len(words)}, the words of the sentence"
            raise _broken(f"{path}, line {number}", expected, f"'{fields[6]}'")
    heads = [int(fields[6]) for _, fields in words]
    roots = [number for (number, _), head in zip(words, heads, strict=True) if head == 0]
    if len(roots) != 1:
        number, found = (roots[1], f"a second one after line {roots[0]}") if roots else (words[0][0], "none")
        raise _broken(f"{path}, line {number}", "one root (head 0) in the sentence", found)
    for (number, _), head in zip(words, heads, strict=True):
        for _ in heads:  # a way up that takes more steps than there are words is a cycle
            if not head:
                break
            head = heads[head - 1]
        else:
            raise _broken(f"{path}, line {number}", "a tree, in which heads lead to the root", "a cycle of heads")
    return heads


def _broken(where: str, expected: str, found: str) -> IntertaskError:
    return refusal(where, expected, found, "Repair the line or fetch the treebank again; is the file cut off?")
