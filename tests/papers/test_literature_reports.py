"""Every number on the kept pages of the literature, counted again from the papers' CSVs.

Nothing of the library is used here, only pandas, numpy, scipy and statsmodels, so that a slip in the library cannot
hide itself. Each number is held against the page to the digits that the page prints.
"""

import json
import re
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

ROOT = Path(__file__).parents[2]
PAGES, NOTEBOOKS = ROOT / "results" / "reports" / "literature", ROOT / "notebooks" / "analysis"
PUBLISHED = ROOT / "results" / "published"

GLUE = ["cola", "sst2", "mrpc", "qqp", "stsb", "mnli", "qnli", "rte", "wnli"]
MODEL = ["encoder", "regime", "supporting", "limit"]
MISSING = ["stage", "part", "regime", "mixing", "encoder", "supporting", "supporting_limit", "target", "limit", "seed"]
ALPHA = 0.05


# The pages: what was computed on them, by heading


@cache
def computed(page: str) -> dict[str, list]:
    """Heading -> the tables, as frames of strings, and the paragraphs that are not the notebook's own text."""
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    for cell in json.loads((NOTEBOOKS / f"{page}.ipynb").read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "markdown":
            own = "".join(cell["source"])
            assert own in text, f"{page}.md lacks a text of its notebook; render it again: {own[:80]}"
            text = text.replace(own, "\n".join(re.findall("^## .*", own, re.MULTILINE)) + "\n", 1)
    text = re.sub(r"^```yaml\n.*?^```$", "", text, count=1, flags=re.DOTALL | re.MULTILINE)  # the parameters
    text = re.sub(r"!\[.*?\]\(.*?\)|</?div>|<details><summary>.*?</summary>|</details>", "", text)
    sections = [part.partition("\n")[::2] for part in f"\n{text}".split("\n## ")]
    return {heading: found for heading, body in sections if (found := blocks(body))}


def blocks(body: str) -> list:
    found = []
    for part in re.split(r"(<table.*?</table>(?:\s*<p>Empty in .*?</p>)?)", body, flags=re.DOTALL):
        if part.startswith("<table"):
            found.append(parsed(part))
        else:
            found += [paragraph.strip() for paragraph in re.split(r"\n\s*\n", part) if paragraph.strip()]
    return found


def parsed(html: str) -> pd.DataFrame:
    """The table with its columns that are left out, since empty in every row, at its end."""
    soup = BeautifulSoup(html, "html.parser")
    head, body = (
        [[cell.get_text() for cell in row.find_all(["th", "td"])] for row in soup.select(f"{part} tr")]
        for part in ("thead", "tbody")
    )
    table = pd.DataFrame([row[1:] for row in body], index=[row[0] for row in body], columns=head[0][1:])
    left_out = [name for note in soup.select("p") for name in note.get_text().partition(": ")[2][:-1].split(", ")]
    return table.assign(**dict.fromkeys(left_out, ""))


# How a number is compared


def same(printed: str, value, significant: bool = False) -> bool:
    """Whether a cell says the value to its own digits; significant: it prints two significant figures, else decimals.

    A set holds equally right values.
    """
    if isinstance(value, set):
        return printed in value
    if pd.isna(value):
        return printed == ""
    if isinstance(value, (int, np.integer)):
        return printed.replace(",", "") == str(value)
    if not isinstance(value, (float, np.floating)):
        return printed == str(value)
    form = ".2g" if significant else f".{decimals(printed)}f"
    near = abs(value) * 1e-7 if significant else 1e-9  # a tie in rounding may fall either way
    return printed.removeprefix("+") in {f"{value + by:{form}}" for by in (-near, 0, near)}


def decimals(printed: str) -> int:
    return len(printed.partition(".")[2])


def compare(table: pd.DataFrame, expected: pd.DataFrame, falling: pd.Series | None = None) -> None:
    """Every cell and the row numbers; the columns in their order, but for those that are empty throughout. falling: the
    rows stand by this, largest first, within a panel where there is one; equal ones in any order."""
    filled = [name for name in table if (table[name] != "").any()]
    assert sorted(table) == sorted(expected) and filled == [name for name in expected if name in filled]
    own = expected.set_axis(expected.index.map(str))
    assert not own.index.has_duplicates and sorted(table.index) == sorted(own.index)
    if falling is None:
        assert [*table.index] == [*own.index]
    else:
        by = pd.Series(falling.to_numpy(), own.index)[table.index]
        panel = own.loc[table.index].get("panel", pd.Series("", table.index))
        assert panel.is_monotonic_increasing and by.groupby(panel.to_numpy()).diff().fillna(0).max() < 1e-9
    own, wrong = own.loc[table.index], []
    for name, values in own.items():
        significant = name == "p" or name.startswith("p_")
        value = values.astype(object)
        wrong += [
            f"row {row}, {name}: printed {cell!r}, found {value[row]!r}"
            for row, cell in table[name].items()
            if not same(cell, value[row], significant)
        ]
        if pd.api.types.is_float_dtype(values) and not significant:
            assert table.loc[table[name] != "", name].map(decimals).nunique() < 2, f"{name}: digits differ"
    assert not wrong, f"{len(wrong)} cells, first: " + "; ".join(wrong[:5])


def says(text: str, *values) -> None:
    """The sentence has the words among the values, and no numbers but the others, in their order."""
    for word in (value for value in values if isinstance(value, str)):
        assert word in text, f"{word!r} is not in: {text}"
        text = text.replace(word, " ", 1)
    printed = re.findall(r"[+-]?\d+(?:,\d{3})*(?:\.\d+)?", text)
    expected = [value for value in values if not isinstance(value, str)]
    right = len(printed) == len(expected) and all(map(same, printed, expected))
    assert right, f"found {expected}, printed {printed}: {text}"


# The papers' tables


@cache
def published(name: str) -> pd.DataFrame:
    table = pd.read_csv(PUBLISHED / f"{name}.csv", keep_default_na=False, na_values=[""])
    absent = {"limit", "majority", "below_majority", "substituted", "derived", "part", "n_train"}.difference(table)
    table = table.assign(**dict.fromkeys(absent, np.nan)).astype({"limit": "Int64"})
    return table.assign(split=table.get("split", "validation"))


@cache
def cells(name: str) -> pd.DataFrame:
    """One row per model and target: the mean of its metrics on the dev set, without what was computed from others.

    Rounded so that equal decimals are equal numbers: means of two and differences are not, in floating point.
    """
    table = published(name)
    own = table[(table["split"] == "validation") & table["derived"].isna()]
    groups = own.groupby([*MODEL, "target"], sort=False, dropna=False)
    firsts = groups[["part", "n_train", "majority"]].first()
    marks = groups[["below_majority", "substituted"]].agg(lambda marks: marks.notna().any())
    return firsts.join(marks).join(groups["score"].mean().round(9)).reset_index()


def setting(encoder: str, limit=None) -> str:
    return f"{encoder}, " + ("all training data" if pd.isna(limit) else f"{limit} training examples")


@cache
def deltas(name: str) -> pd.DataFrame:
    """Score after a supporting task minus score without one, of the same encoder, limit and target."""
    own = cells(name)
    key = ["encoder", "limit", "target"]
    single = own.loc[own["regime"] == "single", [*key, "score"]].rename(columns={"score": "single"})
    after = own[(own["regime"] == "stilts") & ~own["substituted"]].rename(columns={"score": "stilts"})
    both = after.merge(single, on=key, how="left", validate="many_to_one")
    return both.assign(delta=(both["stilts"] - both["single"]).round(9))


def whole(frame: pd.DataFrame, **columns) -> pd.DataFrame:
    """The frame with columns that are the same throughout; None: empty."""
    return frame.assign(**{name: np.nan if value is None else value for name, value in columns.items()})


# On several pages


def nothing_missing(table: pd.DataFrame) -> None:
    assert [*table.columns] == [*MISSING, "reason", "run"] and table.empty


def all_done(name: str):
    def check(table):
        n = len(cells(name))
        assert cells(name)["score"].notna().all()
        compare(table, pd.DataFrame({"expected": n, "done": n, "seconds": 0.0}, index=["target"]))

    return check


# literature


TABLES = ["wang2019_glue", "phang2018_glue", "pruksachatkun2020_transfer"]


def holdings(table: pd.DataFrame) -> None:
    rows = {}
    for name in TABLES:
        own = cells(name)
        low = own["below_majority"] | (own["score"] <= own["majority"])
        rows[f"published/{name}"] = {
            "encoders": own["encoder"].nunique(),
            "supporting": own["supporting"].nunique(),
            "targets": own["target"].nunique(),
            "scores": len(own),
            "below_majority": low.sum(),
            "substituted": own["substituted"].sum(),
        }
    compare(table, pd.DataFrame(rows).T)


@cache
def effects() -> pd.DataFrame:
    table = pd.concat([deltas(name).assign(source=name) for name in TABLES], ignore_index=True)
    return table.assign(setting=[setting(*row) for row in table[["encoder", "limit"]].itertuples(index=False)])


def which_pairs(text: str) -> None:
    assert text == "mnli → *"


def effects_of_mnli(table: pd.DataFrame) -> None:
    own = whole(effects().query("supporting == 'mnli'").reset_index(drop=True), low=None, high=None, n=1)
    compare(table, own[["setting", "supporting", "target", "single", "stilts", "delta", "low", "high", "n"]])


@cache
def agreement() -> pd.DataFrame:
    table, rows = effects(), []
    signed = table[table["delta"] != 0].set_index(["supporting", "target"])
    for one, other in combinations(table["setting"].unique(), 2):
        of = [signed.loc[signed["setting"] == name, "delta"] for name in (one, other)]
        a, b = pd.concat(of, axis="columns", join="inner").to_numpy().T
        same_sign = int((a * b > 0).sum())
        up, also = (a > 0).mean(), (b > 0).mean()
        low, high = proportion_confint(same_sign, len(a), method="wilson")
        source = [table.loc[table["setting"] == name, "source"].iloc[0] for name in (one, other)]
        row = {"one": one, "other": other, "same_source": source[0] == source[1], "n": len(a), "same_sign": same_sign}
        row |= {"agree": 100 * same_sign / len(a), "low": 100 * low, "high": 100 * high}
        row |= {"chance": 100 * (up * also + (1 - up) * (1 - also)), "spearman": stats.spearmanr(a, b).statistic}
        rows.append(row)
    return pd.DataFrame(rows)


def agreement_in_words(text: str) -> None:
    for line, (same, own) in zip(text.splitlines(), agreement().groupby("same_source"), strict=True):
        above, below = (own["low"] > own["chance"]).sum(), (own["high"] < own["chance"]).sum()
        n, agree = own["n"].sum(), own["same_sign"].sum()
        by_chance = np.average(own["chance"], weights=own["n"])
        says(line, "within" if same else "between", agree, n, 100 * agree / n, by_chance, len(own), above, below)


def zero_has_no_sign(text: str) -> None:
    says(text, "zero")


def agreement_table(table: pd.DataFrame) -> None:
    compare(table, agreement())


@cache
def averages() -> pd.DataFrame:
    """Every printed average beside the mean of its row: of the tasks' means in GLUE, of the targets in Figure 2."""
    rows = []
    for name in ("wang2019_glue", "phang2018_glue", "phang2018_submission"):
        table = published(name)
        for key, own in table.groupby(["table", "row", "encoder", "limit", "split"], sort=False, dropna=False):
            tasks = own[own["target"].isin(GLUE)].groupby("target")["score"].mean()
            if name.startswith("wang"):
                tasks["wnli"] = max(tasks["wnli"], own["majority"].max())
            for line in own[~own["target"].isin(GLUE)].itertuples():
                kept = tasks if line.target == "average" else tasks.drop(["mnli", "qqp"])
                place = {"source": name, "table": key[0], "row": key[1], "average": line.target}
                place |= {"split": key[4], "limit": np.nan if pd.isna(key[3]) else float(key[3])}
                rows.append(place | {"printed": line.score, "recomputed": kept.mean(), "n": len(kept)})
    figure = published("pruksachatkun2020_transfer").query("part == 'targets'")
    for supporting, own in figure.groupby("supporting", sort=False, dropna=False):
        value = own.set_index("target")["score" if pd.isna(supporting) else "delta"]
        place = {"source": "pruksachatkun2020_transfer", "table": 2, "average": "average"}
        place |= {"row": "none" if pd.isna(supporting) else supporting}
        mean, of = value["average"], value.drop("average")
        rows.append(place | {"printed": mean, "recomputed": of.mean(), "n": len(of)})
    table = pd.DataFrame(rows)
    return table.assign(difference=(table["printed"] - table["recomputed"]).round(9))


def averages_in_short(table: pd.DataFrame) -> None:
    rows = []
    for (source, number, average), own in averages().groupby(["source", "table", "average"], sort=False):
        size = own["difference"].abs()
        largest = own[size == size.max()]
        named = largest[largest["row"] == table["at"].iloc[len(rows)]]  # of equal ones, any
        largest = named if len(named) else largest
        row = {"source": source, "table": number, "average": average, "rows": len(own), "follow": (size <= 0.1).sum()}
        rows.append(row | {"largest": largest["difference"].iloc[0], "at": largest["row"].iloc[0]})
    compare(table, pd.DataFrame(rows))


def averages_that_are_off(table: pd.DataFrame) -> None:
    off = averages()[averages()["difference"].abs() > 0.1]
    columns = ["source", "table", "row", "average", "split", "limit", "printed", "recomputed", "difference", "n"]
    compare(table, off[columns], falling=off["difference"].abs())


def claims(table: pd.DataFrame) -> None:
    """What the cells give and whether the sentence follows; the sentence itself and its place are in no CSV."""
    expected = [*wang_claims(), *phang_claims(), *pruksachatkun_claims(), *talmor_claims()]
    assert [*table.columns] == ["paper", "where", "claim", "printed", "found", "follows"]
    assert [*table.index] == [str(place) for place in range(len(expected))]
    for row, (about, printed, found, follows) in zip(table.itertuples(), expected, strict=True):
        assert about in row.claim and row.printed == printed and same(row.follows, follows), row
        says(row.found, *found)


def wang_claims() -> list[tuple]:
    own = published("wang2019_glue").query("split == 'validation'")
    rows = own.loc[~own["row"].isin(["Single-Task", "Single-TaskE"]), "row"].nunique()
    average = own[own["target"] == "average"].set_index(["encoder", "row"])["score"]
    bert, bilstm = average["BERT-base (Wang 2019)"], average["BiLSTM (Wang 2019)"]
    below = (bert < bert["Single-TaskB"]).sum()
    language, mixed = bilstm[["LM WT", "LM BWB"]], ["MTL GLUE", "MTL Non-GLUE", "MTL All"]
    best = bilstm.drop([*language.index, *mixed, "Random", "Single-Task"]).max()
    diagnostic = published("wang2019_diagnostic").pivot(index="row", columns="target", values="score")
    equal = (diagnostic.loc["MT En-De"] == diagnostic.loc["MT En-Ru"]).all()
    trained = rows - 3  # Random, RandomE, Single-TaskB
    return [
        ("encoders evaluated", "53", [rows, trained], trained == 53),
        ("target models", "477", [9 * rows, 9 * trained], 9 * trained == 477),
        ("language modelling", "highest", [*language, best], language.min() > best),
        ("often harms", "often", [below, len(bert) - 1, "Single-TaskB"], below > (len(bert) - 1) / 2),
        ("Single-Task holds", "the diagonal", *diagonal(own, "BiLSTM (Wang 2019)", "Single-Task")),
        ("Single-TaskE holds", "the diagonal", *diagonal(own, "ELMo (Wang 2019)", "Single-TaskE")),
        ("MT En-De and MT En-Ru", "two rows", ["four cells are equal" if equal else "cells differ"], not equal),
    ]


def diagonal(own: pd.DataFrame, encoder: str, row: str) -> tuple[list, bool]:
    key = ["target", "metric"]
    single = own[(own["row"] == row) & (own["target"] != "average")].set_index(key)["score"]
    itself = own[(own["encoder"] == encoder) & (own["supporting"] == own["target"])].set_index(key)["score"]
    equal = (single == itself[single.index]).sum()
    return [equal, len(single)], equal == len(single)


def phang_claims() -> list[tuple]:
    test = published("phang2018_glue").query("split == 'test' and target == 'average'").set_index("row")["score"]
    rows = []
    for encoder, gain in (("BERT", 1.4), ("GPT", 2.8)):
        found = test[f"{encoder} on STILTs"] - test[encoder]
        rows.append((f"gain of {encoder} on STILTs", f"+{gain}", [found], round(found, 1) == gain))
    for name in ("phang2018_glue", "phang2018_submission"):
        own = published(name).query("split == 'validation'")
        own = own[own["target"].isin(GLUE)].assign(best=own["regime"] == "best_of_each")
        means = own.groupby(["encoder", "limit", "target", "row", "best"], dropna=False)["score"].mean().round(9)
        top = means.groupby(["encoder", "limit", "target", "best"], dropna=False).max().unstack("best")
        equal = (top[True] == top[False]).sum()
        rows.append(("Best of Each is the best", "the best", [equal, len(top)], equal == len(top)))
    return rows


def pruksachatkun_claims() -> list[tuple]:
    own = deltas("pruksachatkun2020_transfer")
    targets, probes = (own[own["part"] == part] for part in ("targets", "probes"))
    rows = [("pairs of intermediate and target task", "110", [len(targets)], len(targets) == 110)]
    for task in ("socialiqa", "ccg", "qqp"):
        gains = targets.query("supporting == @task and delta > 0")
        rows.append((f"{task} harms every target", "all", named(gains, "target"), gains.empty))
    baseline = targets.query("target == 'cb'")["single"].iloc[0]
    rows.append(("the baseline on CB", "100", [baseline, "Figure 2"], baseline == 100))
    helping = int((targets.query("target == 'cb'")["delta"] > 0).sum())
    rows.append(("no intermediate task helps on CB", "none", [helping], helping == 0))
    for probe in ("edge/srl", "edge/dpr"):
        losses = probes.query("target == @probe and delta <= 0")
        rows.append((f"every intermediate task improves {probe}", "all", named(losses, "supporting"), losses.empty))
    return rows


def named(own: pd.DataFrame, column: str) -> list:
    return [part for row in own.itertuples() for part in (getattr(row, column), row.delta)] or ["all"]


def talmor_claims() -> list[tuple]:
    wide = published("talmor2019_multiqa").pivot(index=["encoder", "target"], columns="supporting", values="score")
    equal = wide["Multi-75K"] >= wide.drop(columns="Multi-75K").max(axis="columns")
    by_model = [equal[encoder].sum() for encoder in published("talmor2019_multiqa")["encoder"].unique()]
    return [
        ("Multi-75K is equal to or better", "almost half", [equal.sum(), len(wide)], np.nan),
        ("each of the two models", "2", by_model, by_model == [2, 2]),
    ]


# Correlations, for two pages


def correlate(values: pd.DataFrame, method: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """r and its p, of all columns: Student's t on n - 2 degrees of freedom; Spearman's is Pearson's of the ranks."""
    ranked = values.rank() if method == "spearman" else values
    r = np.corrcoef(ranked.to_numpy().T).clip(-1, 1)
    of = len(values) / 2 - 1
    p = 2 * stats.beta(of, of, loc=-1, scale=2).sf(np.abs(r))  # the law of r without a correlation
    return tuple(pd.DataFrame(one, values.columns, values.columns) for one in (r, p))


def correlation_rows(wide: pd.DataFrame, panel: str, pairs: list[tuple], method: str) -> pd.DataFrame:
    """wide: one model per row, the index its (encoder, supporting task), with all scores.

    A cluster is a model; where there are several encoders it is one of these, too few for an interval.
    """
    assert wide.notna().all(axis=None) and not wide.index.has_duplicates
    r, p = ([one.at[pair] for pair in pairs] for one in correlate(wide, method))
    table = pd.DataFrame(pairs, columns=["task_a", "task_b"]).assign(r=r, p=p, panel=panel, n=len(wide))
    means = wide.groupby(level="encoder", sort=False).mean()
    if len(means) > 1:
        note = f"no interval: {len(means)} clusters, fewer than ten"
        by_mean = [correlate(means.round(9), method)[1].at[pair] for pair in pairs]
        return whole(table.assign(p_clusters=by_mean, clusters=len(means), note=note), low=None, high=None)
    table["low"], table["high"] = jackknife(wide, pairs, method)
    return table.assign(p_clusters=p, clusters=len(wide), note="")


def jackknife(wide: pd.DataFrame, pairs: list[tuple], method: str) -> np.ndarray:
    """Low and high: the t interval of Tukey's pseudo-values of Fisher's z, around the z of all models."""
    kept = [wide] + [wide.drop(model) for model in wide.index]
    z = np.arctanh([[one.at[pair] for pair in pairs] for one in (correlate(own, method)[0] for own in kept)])
    n = len(wide)
    pseudo = n * z[0] - (n - 1) * z[1:]
    return np.tanh(z[0] + np.outer([-1, 1], stats.t.isf(ALPHA / 2, n - 1) * stats.sem(pseudo)))


def holm(p: pd.Series, besides=()) -> np.ndarray:
    return multipletests([*p, *besides], method="holm")[1][: len(p)]


def needed_r(n: int, family: int) -> float:
    """The |r| of n observations whose p is ALPHA / family: without a correlation, r squared is beta-distributed."""
    return np.sqrt(stats.beta.isf(ALPHA / family, 0.5, n / 2 - 1))


def metric_of_each(metrics: dict[str, str], n: int, tasks: list[str]) -> pd.DataFrame:
    main = {"average": "mean of the main scores"}
    rows = [(task, (main | metrics).get(task, "main"), n, n) for task in tasks]
    return pd.DataFrame(rows, columns=["task", "metric", "n", "n_observations"])


# target_correlations


ENTERS = {"qqp": "f1", "stsb": "pearson"}


@cache
def wang_models() -> pd.DataFrame:
    """A model per row, a target per column: the main score, of QQP F1 and of STS-B Pearson's; and the average."""
    main = cells("wang2019_glue").query("regime != 'same_task'")
    main = main.pivot(index=["encoder", "supporting"], columns="target", values="score")[GLUE]
    own = published("wang2019_glue").query("split == 'validation' and regime != 'same_task'")
    wide = main.copy()
    for task, metric in ENTERS.items():
        one = own[(own["target"] == task) & (own["metric"] == metric)]
        wide[task] = one.set_index(["encoder", "supporting"])["score"]
    floor = own.loc[own["target"] == "wnli", "majority"].max()
    return wide.assign(average=main.assign(wnli=main["wnli"].clip(lower=floor)).mean(axis="columns"))


@cache
def target_correlations() -> pd.DataFrame:
    wide, pairs = wang_models(), [*combinations(["average", *GLUE], 2)]
    order = published("wang2019_glue")["encoder"].unique()
    parts = [(setting(encoder), wide.loc[[encoder]]) for encoder in order] + [(setting("all encoders"), wide)]
    table = pd.concat([correlation_rows(own, panel, pairs, "pearson") for panel, own in parts], ignore_index=True)
    tested = table["task_a"] != "average"
    corrected = table[tested].groupby("panel")[["p", "p_clusters"]].transform(holm)
    family = tested.groupby(table["panel"]).transform("sum")
    return table.assign(p_holm=corrected["p"], p_clusters_holm=corrected["p_clusters"], family=family)


def wang_overview(table: pd.DataFrame) -> None:
    compare(table, metric_of_each(ENTERS, len(wang_models()), [*GLUE, "average"]))


def floor_of_wnli(text: str) -> None:
    says(text, "WNLI counts at least with the majority", "2019")


def target_families(text: str) -> None:
    lines, table = text.splitlines(), target_correlations()
    for line, (panel, own) in zip(lines, table.groupby("panel", sort=False), strict=True):
        n, found, family = own["n"].iloc[0], (own["p_holm"] < ALPHA).sum(), own["family"].iloc[0]
        of_means, clusters = (own["p_clusters_holm"] < ALPHA).sum(), own["clusters"].iloc[0]
        counts = [found, family, ALPHA, of_means, apart_from_zero(own)]
        says(line, panel, *counts, n, needed_r(n, family), clusters, needed_r(clusters, family))


def apart_from_zero(own: pd.DataFrame) -> int:
    return ((own["p_holm"] < ALPHA) & ((own["low"] > 0) | (own["high"] < 0))).sum()


def target_numbers(table: pd.DataFrame) -> None:
    own = target_correlations()
    columns = ["panel", "task_a", "task_b", "n", "clusters", "r", "low", "high", "p", "p_clusters", "note"]
    compare(table, own[[*columns, "p_holm", "p_clusters_holm", "family"]], falling=own["r"].abs())


@cache
def beside_printed() -> pd.DataFrame:
    printed = published("wang2019_correlations")
    value = {(row.setting, frozenset((row.task_a, row.task_b))): row.pearson for row in printed.itertuples()}
    own = target_correlations().query("panel != 'all encoders, all training data'").rename(columns={"r": "recomputed"})
    own = own.assign(encoder=own["panel"].str.removesuffix(", all training data"))
    own["published"] = [value[row.encoder, frozenset((row.task_a, row.task_b))] for row in own.itertuples()]
    own["difference"] = own["recomputed"] - own["published"]
    columns = ["panel", "encoder", "task_a", "task_b", "n", "published", "recomputed", "difference"]
    return own[columns].reset_index(drop=True)


def beside_printed_in_words(text: str) -> None:
    for line, (panel, own) in zip(text.splitlines(), beside_printed().groupby("panel", sort=False), strict=True):
        apart, opposite = own["difference"].abs(), (own["published"] * own["recomputed"] < 0).sum()
        says(line, panel, len(own), apart.mean(), apart.max(), opposite)


def beside_printed_table(table: pd.DataFrame) -> None:
    compare(table, beside_printed())


# probing_correlations


ROBERTA = setting("RoBERTa-large (Pruksachatkun 2020)")


@cache
def figure_tasks() -> tuple[list[str], list[str]]:
    """Targets and probes, in the figure's order."""
    own = cells("pruksachatkun2020_transfer")
    return tuple([*own.loc[own["part"] == part, "target"].unique()] for part in ("targets", "probes"))


@cache
def figure_models() -> pd.DataFrame:
    """The models after an intermediate task, in the figure's order; a score on each target and probe."""
    targets, probes = figure_tasks()
    own = cells("pruksachatkun2020_transfer").query("regime == 'stilts'")
    wide = own.pivot(index=["encoder", "supporting"], columns="target", values="score")
    return wide.reindex(index=own["supporting"].unique(), level="supporting")[[*targets, *probes]]


@cache
def probing_pairs() -> list[tuple[str, str]]:
    targets, probes = figure_tasks()
    return [*combinations(targets, 2), *((target, probe) for target in targets for probe in probes)]


@cache
def probing_correlations() -> pd.DataFrame:
    targets, _ = figure_tasks()
    table = correlation_rows(figure_models(), ROBERTA, probing_pairs(), "spearman")
    corrected = holm(table["p"])
    # the paper's block: pairs of targets twice, and each target with itself, where p is 0
    twice = [*table.loc[table["task_b"].isin(targets), "p"], *[0.0] * len(targets)]
    block = holm(table["p"], twice)
    table = table.assign(p_holm=corrected, p_clusters_holm=corrected, p_holm_block=block)
    return whole(table, family=len(table), family_block=len(table) + len(twice))


@cache
def forgotten() -> pd.DataFrame:
    """Per model and probe: points below the score without an intermediate task, gains as 0, per standard deviation."""
    _, probes = figure_tasks()
    own = cells("pruksachatkun2020_transfer").query("regime == 'single'").set_index("target")["score"]
    return (own[probes] - figure_models()[probes]).clip(lower=0) / figure_models()[probes].std(ddof=1)


def given_forgetting(a: str, b: str) -> tuple[float, float]:
    """r and p of what the regression of the ranks on the rank of forgetting on the other probes leaves of both."""
    wide = figure_models()
    degree = forgotten().drop(columns=[a, b], errors="ignore").mean(axis="columns").round(9).rank()
    design = np.column_stack([np.ones(len(wide)), degree])
    ranks = wide[[a, b]].rank().to_numpy()
    left = ranks - design @ np.linalg.lstsq(design, ranks, rcond=None)[0]
    r = np.corrcoef(left.T)[0, 1]
    freedom = len(wide) - 3
    return r, 2 * stats.t.sf(abs(r) * np.sqrt(freedom / (1 - r**2)), freedom)


@cache
def left_out() -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """Intermediate task -> r and p over the models after the others."""
    wide = figure_models()
    return {task: correlate(wide.drop(index=task, level="supporting"), "spearman") for task in wide.index.unique(1)}


@cache
def trials() -> pd.DataFrame:
    """The correlations, and whether each is kept given forgetting and without any one intermediate task."""
    table, pairs = probing_correlations().copy(), probing_pairs()
    table[["r_partial", "p_partial"]] = [given_forgetting(*pair) for pair in pairs]
    r, p = (
        pd.DataFrame({task: [both[i].at[pair] for pair in pairs] for task, both in left_out().items()}) for i in (0, 1)
    )
    moves = r.sub(table["r"], axis="index").abs()
    furthest = [{*moves.columns[row > row.max() - 1e-9]} for _, row in moves.iterrows()]
    table = table.assign(lowest=r.min(axis=1), highest=r.max(axis=1), moved_by=furthest, p_worst=p.max(axis=1))
    table = table.assign(n_partial=table["n"], without=[r.loc[row, min(tasks)] for row, tasks in enumerate(furthest)])
    sign = np.sign(table["r"])
    table["significant"] = table["p_holm"] < ALPHA
    table["by_clusters"] = table["p_clusters_holm"] < ALPHA
    table["given_forgetting"] = (holm(table["p_partial"]) < ALPHA) & (np.sign(table["r_partial"]) == sign)
    one_sign = (np.sign(table["lowest"]) == sign) & (np.sign(table["highest"]) == sign)
    table["leaving_one_out"] = (table["p_worst"] < ALPHA) & one_sign
    passed = table[["significant", "by_clusters", "given_forgetting", "leaving_one_out"]]
    return table.assign(keeps=passed.all(axis="columns"))


@cache
def by_probe() -> pd.DataFrame:
    _, probes = figure_tasks()
    names, rows = ["by_clusters", "given_forgetting", "leaving_one_out"], []
    for probe in probes:
        own = trials().query("task_b == @probe")
        found = own[own["significant"]]
        row = {"panel": ROBERTA, "probe": probe, "targets": len(own), "significant": len(found)}
        rows.append(row | found[names].sum().to_dict() | {"keeps": ", ".join(own.loc[own["keeps"], "task_a"])})
    return pd.DataFrame(rows)


def figure_overview(table: pd.DataFrame) -> None:
    compare(table, metric_of_each({}, len(figure_models()), [*figure_models().columns]))


def probing_families(text: str) -> None:
    own = probing_correlations()
    n, family, block = own["n"].iloc[0], own["family"].iloc[0], own["family_block"].iloc[0]
    found, in_block = ((own[name] < ALPHA).sum() for name in ("p_holm", "p_holm_block"))
    counts, needed = [found, family, ALPHA, in_block, block, found, apart_from_zero(own)], needed_r(n, family)
    says(text, ROBERTA, *counts, n, needed, needed_r(n, block), n, needed)


def probes_in_words(text: str) -> None:
    table = by_probe()
    there, kept = table[table["significant"] > 0], table[table["keeps"] != ""]
    gone = [(there[name] == 0).sum() for name in ("by_clusters", "given_forgetting", "leaving_one_out")]
    says(text, ROBERTA, f": {', '.join(kept['probe'])}.", len(there), len(table), len(kept), *gone)


def probes_table(table: pd.DataFrame) -> None:
    compare(table, by_probe())


def probing_numbers(table: pd.DataFrame) -> None:
    columns = ["panel", "task_a", "task_b", "n", "clusters", "r", "low", "high", "p", "p_clusters", "note", "p_holm"]
    columns += ["p_clusters_holm", "p_holm_block", "family", "family_block", "n_partial", "r_partial", "p_partial"]
    columns += ["lowest", "highest", "moved_by", "without", "p_worst", "significant", "by_clusters"]
    columns += ["given_forgetting", "leaving_one_out", "keeps"]
    compare(table, trials()[columns], falling=trials()["r"].abs())


# diagnostic_tables


@cache
def categories() -> pd.DataFrame:
    own = cells("wang2019_diagnostic")
    own = own.assign(target=own["target"].str.replace("_", " "), model=own["supporting"].fillna("single"))
    return own.rename(columns={"score": "mean"})


def diagnostic_source(text: str) -> None:
    says(text, len(categories().drop_duplicates(["encoder", "model"])))


def diagnostic_by_model(table: pd.DataFrame) -> None:
    """A cell is the mean and, in brackets, one seed; without an interval there is no mark."""
    own = categories()
    wide = own.pivot(index=["encoder", "model"], columns="target", values="mean")[[*own["target"].unique()]]
    wide = wide.loc[[*own.drop_duplicates(["encoder", "model"])[["encoder", "model"]].itertuples(index=False)]]
    assert table[[*wide.columns]].map(lambda cell: re.fullmatch(r"\d+\.\d \(1\)", cell) is not None).all(axis=None)
    stripped = table.map(lambda cell: cell.removesuffix(" (1)"))
    compare(stripped, wide.reset_index())


def diagnostic_leaders(text: str) -> None:
    for line, (encoder, own) in zip(text.splitlines(), categories().groupby("encoder", sort=False), strict=True):
        said = re.findall(r"([a-z ]+): (.+?) \(([\d.]+)\), next (.+?) \(([\d.]+)\), no interval[;.]", line)
        assert line.startswith(f"- **{encoder}**: ") and [name.strip() for name, *_ in said] == [
            *own["target"].unique()
        ]
        assert len(re.findall(r"\d\.\d", line)) == 2 * len(said)
        for name, best, mean, second, following in said:
            first, then = sorted(own.loc[own["target"] == name.strip(), "mean"], reverse=True)[:2]
            having = own[own["target"] == name.strip()].groupby("mean")["model"].agg(set)
            assert same(mean, first) and same(following, then) and best in having[first] and second in having[then]


def diagnostic_changes(text: str) -> None:
    own = deltas("wang2019_diagnostic")["delta"]
    says(text, len(own), (own > 0).sum(), (own < 0).sum(), len(own))


def diagnostic_scores(table: pd.DataFrame) -> None:
    empty = ["mixing", "limit", "supporting_limit", "low", "high", "sets", "sets_low", "sets_high"]
    own = whole(categories(), n=1, n_expected=1, **dict.fromkeys(empty))
    columns = ["encoder", "target", "regime", "mixing", "supporting", "limit", "supporting_limit", "n", "n_expected"]
    compare(table, own[[*columns, "mean", "low", "high", "sets", "sets_low", "sets_high", "model"]])


def diagnostic_differences(table: pd.DataFrame) -> None:
    own = deltas("wang2019_diagnostic")
    own = own.assign(target=own["target"].str.replace("_", " "))
    empty = ["limit", "supporting_limit", "low", "high", "p", "p_holm", "sets", "sets_low", "sets_high"]
    own = whole(own, n=1, n_expected=1, family=0, over="", note="needs two seeds or more", **dict.fromkeys(empty))
    columns = ["encoder", "limit", "supporting_limit", "supporting", "target", "n", "n_expected", "single", "stilts"]
    columns += ["delta", "low", "high", "p", "p_holm", "family", "sets", "sets_low", "sets_high", "over", "note"]
    compare(table, own[columns])


# learning_curves


@cache
def sizes() -> pd.DataFrame:
    empty = ["mixing", "supporting_limit", "supporting_n_train", "low", "high", "p", "p_holm"]
    own = whole(cells("phang2018_glue"), n=1, n_expected=1, family=0, note="needs two seeds or more")
    return whole(own, **dict.fromkeys(empty)).astype({"n_train": "float64"})


@cache
def size_averages() -> pd.DataFrame:
    """Over all nine targets, WNLI as printed; a substituted cell counts with the score that stands in."""
    groups = sizes().groupby(MODEL, sort=False, dropna=False)
    assert (groups["target"].agg(set).map(len) == 9).all() and (groups.size() == 9).all()
    empty = ["mixing", "supporting_limit", "supporting_n_train", "low", "high"]
    return whole(groups["score"].mean().rename("mean").reset_index(), n=1, n_expected=1, **dict.fromkeys(empty))


def averaged_over(text: str) -> None:
    unsized = size_averages()["supporting"].notna().sum()
    targets = [*sizes()["target"].unique()]
    says(text, f": {', '.join(targets)}.", len(targets), unsized, len(size_averages()))


def wnli_as_trained(text: str) -> None:
    says(text, "WNLI counts with the score that its model reached")


def no_size_of_the_supporting_task(text: str) -> None:
    assert "supporting_n_train" not in published("phang2018_glue")
    says(text, "No line has two sizes of the supporting task", "`supporting_limits`")


def no_supporting_slopes(table: pd.DataFrame) -> None:
    columns = ["encoder", "regime", "mixing", "supporting", "limit", "sizes", "smallest", "largest", "slope", "n"]
    assert [*table.columns] == [*columns, "n_expected", "low", "high", "p", "p_holm", "family", "note"] and table.empty


def averages_by_size(table: pd.DataFrame) -> None:
    columns = ["encoder", "regime", "mixing", "supporting", "limit", "supporting_limit", "supporting_n_train"]
    compare(table, size_averages()[[*columns, "n", "n_expected", "mean", "low", "high"]])


@cache
def slopes() -> pd.DataFrame:
    """Points per doubling: least squares on log2 of the examples trained on, over all data limits."""
    rows = []
    own = sizes()[~sizes()["substituted"]]
    for _, line in own.groupby(["encoder", "target", "regime", "supporting"], sort=False, dropna=False):
        n_train = line["n_train"]
        if n_train.nunique() > 1:
            row = {"sizes": n_train.nunique(), "smallest": int(n_train.min()), "largest": int(n_train.max())}
            rows.append(
                line.iloc[0].to_dict() | row | {"slope": stats.linregress(np.log2(n_train), line["score"]).slope}
            )
    return pd.DataFrame(rows)


def slopes_in_words(text: str) -> None:
    lines, few, up = len(slopes()), (slopes()["sizes"] <= 3).sum(), (slopes()["slope"] > 0).sum()
    says(text, up, lines, 0, lines, 0, 0, lines, 0, 0, few, lines, 3)


def slopes_table(table: pd.DataFrame) -> None:
    columns = [
        "encoder",
        "target",
        "regime",
        "mixing",
        "supporting",
        "supporting_limit",
        "sizes",
        "smallest",
        "largest",
    ]
    columns += ["slope", "n", "n_expected", "low", "high", "p", "p_holm", "family", "note"]
    compare(table, slopes()[columns])


def targets_by_size(table: pd.DataFrame) -> None:
    own = sizes()[~sizes()["substituted"]].reset_index(drop=True).rename(columns={"score": "mean"})
    columns = ["encoder", "target", "regime", "mixing", "supporting", "limit", "supporting_limit", "n_train"]
    compare(table, own[[*columns, "supporting_n_train", "n", "n_expected", "mean", "low", "high"]])


# Which check is whose


CHECKS = {
    ("literature", "What is missing"): [nothing_missing, holdings],
    ("literature", "What did each find for these pairs?"): [which_pairs, effects_of_mnli],
    ("literature", "Do they agree?"): [agreement_in_words, zero_has_no_sign, agreement_table],
    ("literature", "Which printed averages follow from their cells?"): [averages_in_short, averages_that_are_off],
    ("literature", "Which sentences follow from the printed cells?"): [claims],
    ("target_correlations", "What was expected and what is missing"): [nothing_missing, all_done("wang2019_glue")],
    ("target_correlations", "The observations"): [wang_overview, floor_of_wnli],
    ("target_correlations", "What stands after correction"): [target_families],
    ("target_correlations", "The numbers"): [target_numbers],
    ("target_correlations", "Printed beside recomputed"): [beside_printed_in_words, beside_printed_table],
    ("probing_correlations", "What was expected and what is missing"): [
        nothing_missing,
        all_done("pruksachatkun2020_transfer"),
    ],
    ("probing_correlations", "The observations"): [figure_overview],
    ("probing_correlations", "The family, and what so few observations can show"): [probing_families],
    ("probing_correlations", "Which probes keep their correlation"): [probes_in_words, probes_table],
    ("probing_correlations", "The numbers"): [probing_numbers],
    ("diagnostic_tables", "What was expected and what is missing"): [nothing_missing],
    ("diagnostic_tables", "Where the figures come from"): [diagnostic_source],
    ("diagnostic_tables", "The table"): [diagnostic_by_model, diagnostic_by_model, diagnostic_leaders],
    ("diagnostic_tables", "What the supporting task changed"): [diagnostic_changes],
    ("diagnostic_tables", "The numbers"): [diagnostic_scores, diagnostic_differences],
    ("learning_curves", "What was expected and what is missing"): [nothing_missing, all_done("phang2018_glue")],
    ("learning_curves", "The average over the targets"): [averaged_over, wnli_as_trained],
    ("learning_curves", "The trend"): [no_size_of_the_supporting_task, no_supporting_slopes],
    ("learning_curves", "The numbers behind the averages"): [averages_by_size],
    ("learning_curves", "Every target against its own data"): [slopes_in_words, slopes_table, targets_by_size],
}


def test_every_computed_table_and_sentence_is_checked():
    pages = {path.stem for path in PAGES.glob("*.md")}
    found = {(page, heading): len(own) for page in pages for heading, own in computed(page).items()}
    assert found == {place: len(checks) for place, checks in CHECKS.items()}


PLACES = [(*place, number) for place, checks in CHECKS.items() for number in range(len(checks))]


@pytest.mark.parametrize(("page", "heading", "number"), PLACES)
def test_a_table_or_sentence_follows_from_the_papers_tables(page, heading, number):
    CHECKS[page, heading][number](computed(page)[heading][number])
