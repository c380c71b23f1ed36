"""Tables of scores that were not trained here: the papers' printed ones, or any other lab's, as a study's own frames.

A table is a CSV of one score per row. `results/<name>.csv` is read under that name as it is, if its columns are those
of TABLE_COLUMNS; `intertask report FILE.yaml`, with `source:` and a mapping of columns in the file, checks any other
table and keeps it as `results/<name>/source.csv`.
"""

import csv
import json
import re
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from intertask.errors import IntertaskError, did_you_mean, number_of, refusal
from intertask.files import FORMULA, csv_text, file_digest, now, project_root, results_root, write, write_sealed
from intertask.metrics import METRICS, OF_NUMBERS, is_span_tag, span_counts
from intertask.studies.status import edited_since, read_study, study_folder
from intertask.studies.store import PREDICTIONS_FILE, SCORES_FILE
from intertask.studies.study import OF_A_TABLE, Notebook, read_source
from intertask.tasks.catalogue import catalogue
from intertask.tasks.data_files import read_file
from intertask.written import NOTHING, PLACED, UNPRINTED, Strict

SHUFFLED = "[shuffle_labels=true]"
EXAMPLE = ["row", "label", "prediction", "right"]
COUNTED = ("accuracy", "balanced_accuracy", "f1", "f1_macro", "matthews_correlation", "pearson", "spearman")
"""The metrics that follow from a label and a prediction for each example."""
REQUIRED = ["encoder", "target", "score"]
RUN_KEY = ["part", "encoder", "regime", "mixing", "supporting", "supporting_limit", "target", "limit", "seed"]
TEXT_COLUMNS = [
    *("part", "encoder", "regime", "mixing", "sampling", "loss_scaling", "supporting", "target", "split", "metric"),
    "supporting_run",
]
WHOLE_COLUMNS = ["limit", "supporting_limit", "seed", "n_train", "supporting_n_train"]
FLAG_COLUMNS = ["below_majority", "control", "ready_made", "substituted", "derived"]
TABLE_COLUMNS = [*TEXT_COLUMNS, *WHOLE_COLUMNS, *FLAG_COLUMNS, "score", "majority"]
"""What a table may say; all other columns are left alone.

encoder, target and score are needed. Without `regime` a row is `stilts` where it has a supporting task, else `single`;
without `split` it is of `validation`; without `metric` its score is the `main` one. An empty score is a missing one.
`control`: the supporting task's labels were shuffled; where that is not said, its name ends in SHUFFLED. `ready_made`:
others trained the supporting model.
`sampling` and `loss_scaling`: of the variant that `mixing` names.
`derived`: computed from other rows of the table, as an average is; `below_majority`: printed as not above the majority.
"""


def _single(value: Any) -> Any:
    if isinstance(value, list | dict):
        raise ValueError("expected a number, text or truth value")
    return value


Values = dict[str, Annotated[Any, AfterValidator(_single)]]


class TableFile(Strict):
    """One of several files, and what its columns mean where that is not as for the others."""

    ALONE = "file"

    file: str = Field(description="a CSV, relative to the source file")
    columns: dict[str, str] = Field({}, description="{supporting: source_task}: further ones, or others")
    values: Values = Field({}, description="{encoder: roberta-base}: further ones, or others")


Files = Annotated[
    list[Annotated[TableFile, PLACED]], BeforeValidator(lambda given: given if isinstance(given, list) else [given])
]


class TableSource(Strict):
    """What a file says of a table of scores: where it is, what its columns mean, and which notebooks are to read it."""

    title: str
    paper: str = Field("", description="whose scores these are")
    source: Files = Field([], description="CSV files, or {file: …, columns: …, values: …} for each; several are joined")
    predictions: Files = Field([], description="the same of files with a row for each example, as of `logged_answers`")
    columns: dict[str, str] = Field(
        {}, description="{supporting: source_task}: our column, and what it is called there"
    )
    values: Values = Field({}, description="{encoder: roberta-base}: columns that have one value throughout")
    unit: Literal["points", "fraction"] | None = Field(
        None, description="of the scores: 0-100 or 0-1; None: as the scores look, refused where they look like both"
    )
    report: list[Annotated[Notebook, PLACED]] = []

    @model_validator(mode="after")
    def _each_file_once(self) -> "TableSource":
        places = [(key, place) for key in ("source", "predictions") for place in range(len(getattr(self, key)))]
        names = [getattr(self, key)[place].file for key, place in places]
        if not names:
            at = [key for key in ("source", "predictions") if key in self.model_fields_set]
            raise IntertaskError("expected a file under source or predictions, found none. Name one.", at=tuple(at[:1]))
        if twice := [at for at in range(len(names)) if names[at] in names[:at]]:
            message = f"expected each file once, found {names[twice[0]]} twice. Take one out."
            raise IntertaskError(message, at=places[twice[0]])
        return self

    def meanings(self, one: TableFile, aside: Collection[str] = ()) -> tuple[dict[str, str], Values]:
        """The columns and the values of a file, which has its own word before that of all; aside: of other files."""
        columns = {ours: theirs for ours, theirs in self.columns.items() if ours not in (*aside, *one.values)}
        values = {ours: value for ours, value in self.values.items() if ours not in one.columns}
        return columns | one.columns, values | one.values

    def tidied(self, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame | None]:
        """Its scores, those of its predictions among them, and these; the index says of which file a row is."""
        aside = EXAMPLE if self.predictions else ()
        tables = self._each("source", lambda one: tidy(folder / one.file, *self.meanings(one, aside), self.unit))
        found = self._each("predictions", lambda one: logged_answers(folder / one.file, *self.meanings(one)))
        names = [one.file for one in (*self.source, *self.predictions)]
        table = pd.concat([*tables, *(scores for scores, _ in found)], keys=names)
        table.index = [f"{row} of {file}" for file, row in table.index]
        if not found:
            return table, None
        rows = pd.concat([rows for _, rows in found], ignore_index=True)
        # a run that is scored by two metrics has its answers twice
        return table, pd.concat([_alike(own) for _, own in rows.groupby("target", sort=False)]).drop_duplicates()

    def _each(self, key: str, read: Callable[[TableFile], Any]) -> list[Any]:
        """What is read of every file under a key; of a meaning that is wrong an error says where it is written."""
        found = []
        for place, one in enumerate(getattr(self, key)):
            try:
                found.append(read(one))
            except IntertaskError as error:
                own = error.at and error.at[1] in getattr(one, error.at[0])
                raise IntertaskError(str(error), at=(key, place, *error.at) if own else error.at) from None
        return found


def keep(path: Path, name: str) -> None:
    """Checks the table that a source file describes and writes it, with its snapshot, under a study's name.

    Nothing is written where it is kept already, as in results that one may only read.
    Raises IntertaskError where the file or the table is not as it should be, or the name is another file's; then
    nothing is written.
    """
    written = read_source(path)
    with written.placed():
        source = TableSource(**written.content)
    edited_since(name, path, written.content)  # for its refusal alone
    try:
        table, predictions = source.tidied(path.parent)
    except IntertaskError as error:
        raise IntertaskError(f"{written.place(*error.at)}: {error}" if error.at else str(error)) from None
    _refuse_twice(table, path)
    _refuse_mixed_metrics(table, path)
    if predictions is not None:
        _refuse_other_examples(predictions, path)
    texts = {SCORES_FILE: csv_text(table, index=False)}
    if predictions is not None:
        texts[PREDICTIONS_FILE] = predictions.to_json(orient="records", lines=True, force_ascii=False)
    folder = results_root() / name
    if _is_kept(folder, name, written.content, texts):
        return
    snapshot = {"name": name, "title": source.title, "study": source.model_dump(), "given": written.content}
    snapshot |= {"file": str(path), "written": now(), "runs": []}
    folder.mkdir(parents=True, exist_ok=True)
    for key, (file, text) in zip(OF_A_TABLE, texts.items(), strict=False):
        write(folder / file, text)
        snapshot[key] = file_digest(folder / file)
    write_sealed(folder / "study.json", name, json.dumps(snapshot, indent=1))


def _is_kept(folder: Path, name: str, given: dict[str, Any], texts: dict[str, str]) -> bool:
    with suppress(IntertaskError, OSError, ValueError):  # not yet, or damaged
        same = all((folder / file).read_text(encoding="utf-8") == text for file, text in texts.items())
        kept = same and find_table(name) and read_study(name)["given"]
        return kept == json.loads(json.dumps(given, default=str))
    return False


def find_table(name: str, results: Path | None = None) -> Path | None:
    """The CSV that stands for the study of that name, if it is none that was trained.

    `published/…` are the papers' tables, which come with the project, wherever the results folder is.
    """
    if ".." in Path(name).parts or Path(name).is_absolute():
        return None
    if folder := study_folder(name, results):  # a study that was run has its name before a file of that name
        return _kept_table(folder / SCORES_FILE, read_study(name, results).get("source"))
    candidates = [(results or results_root()) / f"{name}.csv"]
    if name.startswith("published/"):
        candidates.append(project_root() / "results" / f"{name}.csv")
    return next((path for path in candidates if path.is_file()), None)


def _kept_table(path: Path, digest: str | None) -> Path | None:
    """The table, held against what its snapshot says; None where that is of a study that was trained."""
    if digest and not (path.is_file() and file_digest(path) == digest):
        remedy = "Keep it anew: intertask scores FILE.yaml, with the file that names the table."
        raise refusal(path, "the table as it was kept", "another, or none", remedy)
    return path if digest else None


def kept_predictions(name: str, results: Path) -> pd.DataFrame | None:
    """The predictions that were kept with a table, if any: columns RUN_KEY, split, row, label, prediction
    and, of span_f1, right and spans."""
    folder = study_folder(name, results)
    path = folder and _kept_table(folder / PREDICTIONS_FILE, read_study(name, results).get("predictions"))
    return pd.read_json(path, lines=True, dtype=False) if path else None


def tidy(path: Path, columns: dict | None = None, values: dict | None = None, unit: str | None = None) -> pd.DataFrame:
    """The table in a CSV under our names: one row per score, columns TABLE_COLUMNS, scores in points, all checks made.

    columns, values, unit: as in `TableSource`. The index counts the file's rows, of which the heading is 1. Raises
    IntertaskError that names the file and its rows.
    """
    return _tidied(_renamed(cells(path), columns or {}, values or {}, TABLE_COLUMNS, path), unit, path)


def _renamed(raw: pd.DataFrame, columns: dict, values: dict, known: list[str], path: Path) -> pd.DataFrame:
    """A file's columns by our names, of which `known` are all, and what it has throughout."""
    for ours in [*columns, *values]:
        if ours not in known:
            hint, at = did_you_mean(ours, known), ("columns" if ours in columns else "values", ours)
            raise IntertaskError(f"{path}: there is no column {ours!r} to map to.{hint}", at=at)
    for ours, theirs in columns.items():
        if theirs not in raw:
            hint, at = did_you_mean(theirs, raw), ("columns", ours)
            raise IntertaskError(f"{path}: {ours} is to be {theirs!r}, no such column.{hint}", at=at)
    for place, (ours, theirs) in enumerate(columns.items()):
        if ours in values or theirs in [*columns.values()][:place]:
            found = f"two for {(ours if ours in values else theirs)!r}"
            raise refusal(path, "one meaning for each column", found, "Take one out.", ("columns", ours))
    for ours, value in values.items():
        if isinstance(value, bool) and ours not in FLAG_COLUMNS:
            remedy = "YAML reads a bare yes, no, on or off as a truth value: put quotes around it."
            raise refusal(path, f"{ours} as a number or text, under values", f"{value}", remedy, ("values", ours))
    raw = raw.drop(columns=[name for name in columns if name in raw and name not in columns.values()])
    return raw.rename(columns={theirs: ours for ours, theirs in columns.items()}).assign(**values)


def _tidied(raw: pd.DataFrame, unit: str | None, path: Path) -> pd.DataFrame:
    if absent := [name for name in REQUIRED if name not in raw]:
        raise refusal(
            path, f"columns {', '.join(REQUIRED)}", f"no {' and no '.join(absent)} among {', '.join(raw)}",
            "Say under columns what they are called there, or under values what they are throughout.",
        )  # fmt: skip
    table = _typed(raw.reindex(columns=TABLE_COLUMNS), path)
    factor = _factor(table["score"], unit, path)
    _factor(table["majority"], "fraction" if factor > 1 else "points", path)
    table[["score", "majority"]] *= factor
    for name in ("score", "majority"):
        _refuse(table[name].abs() > 100, f"{name}: expected at most 100 points", table[name], path)
    _refuse((table["target"] == "average") & ~table["derived"], "expected derived: True", table["target"], path)
    if "validation" not in table["split"].unique():
        found = f"only {', '.join(table['split'].unique())}"
        raise refusal(path, "rows of split validation", found, "Say under values: {split: validation}, if that is it.")
    _refuse_twice(table, path)
    _refuse_mixed_metrics(table, path)
    return table


def logged_answers(path: Path, columns: dict, values: dict) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The scores, one row per run, and the predictions that a file holds of one run or several, a row per example.

    columns, values: as in `TableSource`, of TABLE_COLUMNS and EXAMPLE. A CSV, TSV, JSON lines or Parquet, as another
    tool logs what it says of each example: `row`, the example's number in the split, and its `label` and `prediction`,
    or, for accuracy, only whether that is `right`, 1 or 0. `metric` is accuracy unless it is said; of span_f1 label and
    prediction are the tags of a sentence. Raises IntertaskError that names the file.
    """
    raw = _renamed(read_file(path), columns, values, [*TABLE_COLUMNS, *EXAMPLE], path)
    metrics = set(raw["metric"]) if "metric" in raw else {"accuracy"}
    of_spans, by_right = metrics == {"span_f1"}, "right" in raw and metrics == {"accuracy"}
    if other := metrics - {*COUNTED, *(["span_f1"] if of_spans else [])}:
        expected = f"one of {', '.join(COUNTED)}, or span_f1 in all rows of the file"
        remedy = "Take one that follows from such predictions."
        raise refusal(f"{path}, metric", expected, f"{min(map(str, other))}", remedy)
    needed = ["encoder", "target", "row", *(["right"] if by_right else ["label", "prediction"])]
    if absent := [name for name in needed if name not in raw]:
        found = f"no {' and no '.join(absent)} among {', '.join(raw)}"
        remedy = "Say under columns what they are called there; of a log that says no prediction, what is `right`, "
        remedy += "by which accuracy is counted and nothing else."
        raise refusal(path, f"columns {', '.join(needed)}", found, remedy)
    if columns.get("row") == "doc_id" and "target" not in {*columns, *values}:  # lm-evaluation-harness' own word
        expected, remedy = "target, the name of the task, under columns or values", "Say values: {target: rte}."
        raise refusal(path, expected, "the column `target`, which beside doc_id is what was wanted", remedy)
    raw.index = range(1, len(raw) + 1)
    if by_right:
        right = pd.to_numeric(_answer(raw["right"], path), errors="coerce")
        if (odd := ~right.isin([0, 1])).any():
            remedy = "Map a column that says of each example whether it is right."
            raise refusal(f"{path}, row {odd.idxmax()}, right", "1 or 0", f"{raw['right'][odd.idxmax()]}", remedy)
        raw = raw.assign(label=1, prediction=right)
    own = raw[["row"]].apply(_answer, path=path)
    own = own.join(_spans(raw, path) if of_spans else _alike(raw[["label", "prediction"]].apply(_answer, path=path)))
    key = [name for name in TABLE_COLUMNS if name in raw and name not in ("score", "majority")]
    groups = raw.groupby(key, sort=False, dropna=False).ngroup()
    if (twice := own.assign(run=groups).duplicated(["run", "row"])).any():
        place = twice.idxmax()
        remedy = "Map what tells runs apart, such as seed, or take one out."
        if "filter" in raw and raw["filter"].nunique() > 1:  # of lm-evaluation-harness, which logs an example for each
            remedy = f"Keep the lines of one filter: {' or '.join(map(str, raw['filter'].unique()))}."
        raise refusal(f"{path}, row {place}", "each example once", f"{own['row'][place]} twice", remedy)
    scores = raw.loc[~groups.duplicated(), key].assign(**({} if "metric" in key else {"metric": "accuracy"}))
    scores = scores.set_axis(groups[~groups.duplicated()])
    scores["score"] = [_score(scores["metric"][one], part, path) for one, part in own.groupby(groups)]
    scores = _tidied(scores.astype("str").where(scores.notna()), "fraction", path)
    return scores, pd.concat([scores.loc[groups, [*RUN_KEY, "split"]].set_index(own.index), own], axis=1)


def _answer(column: pd.Series, path: Path) -> pd.Series:
    """What a column has of each example, 1 and 0 for true and false; numbers of examples whole."""
    if (wrong := column.isna() | column.map(pd.api.types.is_list_like)).any():
        place, remedy = wrong.idxmax(), "Name another column; what a list means is not guessed."
        raise refusal(f"{path}, row {place}, {column.name}", "one value", f"{column[place]!r:.80}", remedy)
    if column.name != "row":
        return column.map(lambda value: {"true": 1, "false": 0}.get(str(value).lower(), value))
    found = pd.to_numeric(column, errors="coerce")
    if (odd := ~((found % 1 == 0) & (found >= 0))).any():
        expected, wrong = "the example's number in the split, from 0 on", column[odd].iloc[0]
        raise refusal(f"{path}, row", expected, f"{wrong!r:.80}", "Map another column.")
    return found.astype("int64")


def _spans(raw: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Of each sentence its tags, as texts, and what `span_counts` says of all its words together."""
    tags = raw[["label", "prediction"]].map(lambda said: said.split() if isinstance(said, str) else said)
    for place, label, prediction in tags.itertuples():
        for name, said in (("label", label), ("prediction", prediction)):
            if not pd.api.types.is_list_like(said) or not all(is_span_tag(str(tag)) for tag in said):
                expected, remedy = "tags in IOB2 or BIOES, a list or a text with blanks", "Map the column of tags."
                raise refusal(f"{path}, row {place}, {name}", expected, f"{raw[name][place]!r:.80}", remedy)
        if len(label) != len(prediction):
            found, remedy = f"{len(prediction)} for {number_of(len(label), 'word')}", "Log a tag for each word."
            raise refusal(f"{path}, row {place}, prediction", "as many tags as the label has", found, remedy)
    names = sorted({tag for said in (*tags["label"], *tags["prediction"]) for tag in said})
    label, prediction = (tags[name].explode().dropna() for name in ("label", "prediction"))
    ids = (said.map(names.index) for said in (label, prediction))
    counts = pd.DataFrame(span_counts(*ids, label.index, names), label.index).groupby(level=0).sum()
    return tags.map(" ".join).join(counts.reindex(tags.index, fill_value=0))


def _alike(own: pd.DataFrame) -> pd.DataFrame:
    """Labels and predictions as numbers where all are (one that was not understood is none), else as texts.

    Equal numbers are the same text, however they were written.
    """
    said = own[["label", "prediction"]]
    found = said.apply(pd.to_numeric, errors="coerce").astype("float64")
    if not (known := found.notna()).all(axis=None):
        found = found.map("{:.17g}".format).where(known, said.astype("str"))
    return own.assign(**found)


def _score(metric: str, own: pd.DataFrame, path: Path) -> float:
    if "spans" in own:
        return 2 * own["right"].sum() / max(own["spans"].sum(), 1)
    said = own[["label", "prediction"]]
    if metric in ("f1", *OF_NUMBERS):
        said = said.apply(pd.to_numeric, errors="coerce")
        if (odd := ~(said.isin([0, 1]) if metric == "f1" else np.isfinite(said)).all(axis=1)).any():
            expected = f"label and prediction as {'0 or 1' if metric == 'f1' else 'numbers'}, for {metric}"
            found, remedy = own.loc[odd.idxmax(), ["label", "prediction"]].tolist(), "Write them so, or mend the row."
            raise refusal(f"{path}, row {odd.idxmax()}", expected, " and ".join(map(repr, found)), remedy)
    return METRICS[metric](said["label"].to_numpy(), said["prediction"].to_numpy())


def _refuse_other_examples(predictions: pd.DataFrame, path: Path) -> None:
    """Refuses runs of one target on other examples, with other labels or two answers, and rows beyond its split."""
    for (target, split), own in predictions.groupby(["target", "split"], sort=False):
        wide = own.assign(run=own.groupby(RUN_KEY, sort=False, dropna=False).ngroup())
        if (twice := wide.duplicated(["run", "row"])).any():
            found = f"two to row {wide['row'][twice].iloc[0]}"
            expected, remedy = "one answer of a run to each example", "For each metric log the same ones."
            raise refusal(f"{path}, {target}", expected, found, remedy)
        wide = wide.pivot(index="row", columns="run", values="label")
        odd = wide.isna().any(axis=1) | (wide.nunique(axis=1) > 1)
        if odd.any():
            found = f"row {odd.idxmax()} with other labels, or not in each ({number_of(odd.sum(), 'such row')})"
            raise refusal(f"{path}, {target}", "the same examples of every run", found, "Compare logs of one split.")
        sizes = catalogue()[target].sizes if target in catalogue() else {}
        if (last := wide.index.max()) >= sizes.get(split, np.inf):
            expected = f"rows 0 to {sizes[split] - 1} of its split {split}"
            raise refusal(f"{path}, {target}", expected, f"row {last}", "Name the split, or another target.")


def cells(path: Path) -> pd.DataFrame:
    """The cells of a CSV as text, empty ones missing; the index counts rows, of which the heading is 1.

    Raises IntertaskError, with the row, where that has not the heading's number of cells. Not by pandas' parser: where
    every row is too long it takes the first column for an index.
    """
    if not path.is_file():
        raise IntertaskError(f"{path}: expected a CSV of scores, found no such file.")
    rows: dict[int, list[str]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = csv.reader(stream, strict=True)
            names = next(lines, [])
            rows |= {row: cells for row, cells in enumerate(lines, 2) if cells}
    except (UnicodeDecodeError, csv.Error) as error:
        raise IntertaskError(f"{path}: expected a CSV of scores in UTF-8: {error}") from None
    if not names:
        raise IntertaskError(f"{path}: expected a CSV of scores in UTF-8, found no heading.")
    if twice := [name for name in names if names.count(name) > 1]:
        raise refusal(f"{path}, row 1", "each column once", f"{twice[0]!r} twice", "Rename one of the two.")
    for row, cells in rows.items():
        if len(cells) != len(names):
            expected = f"{number_of(len(names), 'cell')} as in the heading"
            raise refusal(f"{path}, row {row}", expected, f"{len(cells)}", "Mend the row; put quotes around commas.")
    quoted = rf"^'(?={FORMULA.pattern})"  # as `csv_text` writes what a spreadsheet would execute
    raw = pd.DataFrame(rows.values(), index=rows.keys(), columns=names, dtype="str")
    raw = raw.replace(quoted, "", regex=True).rename(columns=lambda name: re.sub(quoted, "", name))
    return raw.mask(raw == "")


def _typed(raw: pd.DataFrame, path: Path) -> pd.DataFrame:
    supporting = raw["supporting"].notna()
    texts = {name: raw[name].astype("str") for name in TEXT_COLUMNS}
    scores = {name: numbers(raw[name], path) for name in ("score", "majority")}
    whole = {name: numbers(raw[name], path, whole=True).astype("Int64") for name in WHOLE_COLUMNS}
    values = {"True": True, "true": True, "1": True, "False": False, "false": False, "0": False}
    for name in texts:
        _refuse_doubtful(raw[name].dropna().astype("str"), path)
    flags = {name: raw[name].map(str, na_action="ignore").map(values).astype("boolean") for name in FLAG_COLUMNS}
    for name in FLAG_COLUMNS:
        _refuse(raw[name].notna() & flags[name].isna(), f"{name}: expected True or False", raw[name], path)
    _refuse(raw["encoder"].isna() | raw["target"].isna(), "expected an encoder and a target", raw["target"], path)
    table = pd.DataFrame(texts | whole | flags | scores)[TABLE_COLUMNS]
    # here alone a name tells a fact: tables that were written before there was the column
    table["control"] = table["control"].fillna(table["supporting"].str.endswith(SHUFFLED.lstrip("[")).fillna(False))
    table["regime"] = table["regime"].fillna(supporting.map({True: "stilts", False: "single"}).astype("str"))
    flags = dict.fromkeys(["ready_made", "substituted", "derived"], False)
    return table.fillna({"split": "validation", "metric": "main"} | flags)


def _refuse_doubtful(names: pd.Series, path: Path) -> None:
    """Refuses names that look like another, or like none."""
    expected = f"{names.name}: expected "
    _refuse(names.str.strip() != names, expected + "names without blanks around them", names, path)
    _refuse(
        names.str.lower().isin([*NOTHING, "–"]), expected + "a name, or an empty cell where there is none", names, path
    )
    _refuse(names.map(UNPRINTED.search).notna(), expected + "text that can be printed", names.map(repr), path)


def numbers(column: pd.Series, path: Path, whole: bool = False) -> pd.Series:
    """A column of `cells` as finite numbers, empty cells missing; raises IntertaskError, with the rows, on others."""
    found = pd.to_numeric(column, errors="coerce").replace([np.inf, -np.inf], np.nan)
    bad = column.notna() & found.isna() | (whole & (found % 1 > 0))
    _refuse(bad, f"{column.name}: expected {'whole ' * whole}numbers", column, path)
    return found


def _factor(scores: pd.Series, unit: str | None, path: Path) -> float:
    """What makes points of the scores. Refuses fractions above 1, and, where nothing is said, what looks like both."""
    small, large = scores.abs().between(0, 1, inclusive="right"), scores.abs() > 1
    if unit == "fraction":
        _refuse(large, "unit: fraction: expected scores of at most 1", scores, path)
    if unit == "points" and not large.any():
        _refuse(small, "expected scores of 0-100, for fractions say unit: fraction", scores, path)
    if unit is None and large.any():
        rare = small if small.sum() <= large.sum() else large
        expected = "expected all points (0-100) or all fractions (0-1); say unit: points where scores are that low"
        _refuse(rare & small.any(), expected, scores, path)
    return 100.0 if unit == "fraction" or (unit is None and small.any()) else 1.0


def _refuse(bad: pd.Series, expected: str, column: pd.Series, path: Path) -> None:
    if bad.any():
        rows = [str(row) for row in bad[bad].index]
        such = f"{number_of(len(rows), 'such row')}: {', '.join(rows[:5])}" + ", …" * (len(rows) > 5)
        raise IntertaskError(f"{path}: {expected}; found {column[bad].iloc[0]} in row {rows[0]} ({such}).")


def _refuse_twice(table: pd.DataFrame, path: Path) -> None:
    key = [*RUN_KEY, "split", "metric"]
    twice = table.duplicated(key, keep=False)
    if twice.any():
        alike = table.groupby(key, sort=False, dropna=False).ngroup()
        first = table[twice].iloc[0]
        same = table.index[alike == alike[twice].iloc[0]]
        said = ", ".join(f"{name} {first[name]}" for name in key if pd.notna(first[name]))
        found = f"rows {' and '.join(map(str, same))} for {said} ({twice.sum()} rows in all)"
        remedy = "Map what tells them apart, such as seed, part or mixing, or take one out."
        raise refusal(path, "one score for each run and metric", found, remedy)


def _refuse_mixed_metrics(table: pd.DataFrame, path: Path) -> None:
    """An encoder's runs on one target must have the same metrics, else their main scores are of different kinds."""
    own, matrix = table[~table["derived"]], ["part", "encoder", "target", "split"]
    runs = own.groupby([*RUN_KEY, "split"], sort=False, dropna=False).ngroup()
    of_target = own.assign(run=runs).groupby(matrix, sort=False, dropna=False)["run"].transform("nunique")
    with_metric = own.groupby([*matrix, "metric"], sort=False, dropna=False)["score"].transform("size")
    if (odd := with_metric < of_target).any():
        first = own[odd].iloc[0]
        others = own[own[["encoder", "target", "split"]].eq(first[["encoder", "target", "split"]]).all(axis="columns")]
        raise refusal(
            f"{path}, row {odd.idxmax()}", f"the same metrics for every run on {first['target']}",
            f"{' and '.join(others['metric'].unique())}, not all of them for each ({number_of(odd.sum(), 'such row')})",
            "Scores of different metrics do not compare: give them targets of different names, or split the table.",
        )  # fmt: skip


def mixing_of(table: pd.DataFrame) -> list[dict[str, str]]:
    """The variants of a `tidy` table as a study's `mixing` says them; none where it has no column `mixing`."""
    variants = table[["mixing", "sampling", "loss_scaling"]].rename(columns={"mixing": "name"})
    variants = variants.dropna(subset="name").drop_duplicates().to_dict("records")
    return [{name: value for name, value in variant.items() if pd.notna(value)} for variant in variants]


def as_runs(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """One row per run of a `tidy` table, on `validation`, with the columns that such a table can fill.

    score: the metric `main`, or else the mean of the run's metrics; missing where one of them is.
    """
    own = table[(table["split"] == "validation") & ~table["derived"]]
    groups = own.groupby(RUN_KEY, sort=False, dropna=False)
    # a table that has `main` and metrics for a run gives `main` alone
    main = own["metric"].eq("main")
    counts = main | ~main.groupby(groups.ngroup()).transform("any")
    own = own[counts].assign(place=groups.ngroup()[counts])
    runs = own.drop_duplicates("place").set_index("place")
    by_run = own.groupby("place")
    runs["score"] = by_run["score"].mean().mask(by_run["score"].count() < by_run.size())
    by_majority = (runs["score"] <= runs["majority"]).where(runs["majority"].notna())
    runs["degenerate"] = by_run["below_majority"].max().fillna(by_majority.astype("boolean"))
    marks = runs.groupby("target")["degenerate"].transform("any")  # what is not marked where others are, is not so
    runs["degenerate"] = runs["degenerate"].mask(marks & runs["degenerate"].isna(), False)
    runs["run"] = [f"{name}:{place}" for place in runs.index]
    done = runs["score"].notna()
    reason = done.map({True: "", False: "the table has no score"}).astype("str")
    runs = runs.assign(stage="target", task=runs["target"], done=done, reason=reason)
    return runs.drop(columns=["metric", "below_majority", "derived"]).reset_index(drop=True)


def as_scores(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """One row per score of a `tidy` table, of every split, missing ones left out; with the runs' names and `main`."""
    runs = as_runs(table, name)
    own = table[~table["derived"] & table["score"].notna()].merge(runs[[*RUN_KEY, "run"]], on=RUN_KEY, how="left")
    main = runs[runs["done"]].assign(metric="main")
    others = own[~((own["metric"] == "main") & (own["split"] == "validation"))]
    return pd.concat([others, main], ignore_index=True).assign(study=name, task=lambda frame: frame["target"])
