"""Averages and sentences of the papers held against their own printed cells, each recomputed from the tables."""

from collections.abc import Iterator

import pandas as pd

from intertask.papers.literature import GLUE, averages, follows, published

PrintedClaim = tuple[str, str, str, str, bool | None, str]
"""Where it stands; in our words; what is printed; what the cells give; whether it follows, None where a word such as
"almost" leaves it open; how to find out."""


def audit() -> pd.DataFrame:
    """Every claim that the papers' tables can decide: the printed `averages`, then the `claims`.

    Columns source, claim, printed, recomputed, follows (missing where a word leaves it open) and how: the files, rows
    and operation that give the recomputed figure again, averages to two places.
    """
    means = averages()
    limit = means["limit"].map(lambda n: "" if pd.isna(n) else f" with {n} examples")
    majority = means["source"].map(lambda name: ", wnli counting at least as its majority" * name.startswith("wang"))
    rows = {
        "source": means["source"] + ", table " + means["table"].astype("str"),
        "claim": means["average"] + " of " + means["row"] + limit + ", " + means["split"].fillna("validation"),
        "printed": means["printed"].map("{:.1f}".format),
        "recomputed": means["recomputed"].map("{:.2f}".format),
        "follows": follows(means),
        "how": means["source"] + ".csv: mean over the row's " + means["n"].astype("str") + " targets of the mean of "
        "each one's metrics" + majority,
    }
    sentences = claims().rename(columns={"found": "recomputed"})
    sentences["source"] = sentences["paper"] + ", " + sentences["where"]
    return pd.concat([pd.DataFrame(rows), sentences[[*rows]]], ignore_index=True).astype({"follows": "boolean"})


def claims() -> pd.DataFrame:
    """One row per sentence or layout: the paper, and what a PrintedClaim says of it.

    Only what the tables in `results/published` can decide is listed; a claim that does not follow may still be true of
    the numbers behind the rounded ones.
    """
    of = {"Wang et al. 2019": _wang, "Phang et al. 2018": _phang, "Pruksachatkun et al. 2020": _pruksachatkun}
    of["Weller et al. 2022"] = _weller
    rows = [(paper, *claim) for paper, made in of.items() for claim in made()]
    columns = ["paper", "where", "claim", "printed", "found", "follows", "how"]
    return pd.DataFrame(rows, columns=columns).astype({"follows": "boolean"})


def _wang() -> Iterator[PrintedClaim]:
    glue = "wang2019_glue.csv, validation"
    scores = published("wang2019_glue").query("split == 'validation'")
    own = scores[scores["regime"] != "same_task"]
    n = own.groupby(["encoder", "row"]).ngroups
    trained = n - 3  # Random, RandomE and plain BERT
    found = f"{n} rows; {trained} without the two random ones and plain BERT"
    how = f"{glue}: distinct rows but for Single-Task and Single-TaskE"
    yield "section 1", "encoders evaluated", "53", found, trained == 53, how
    found = f"{n * len(GLUE)}; {trained * len(GLUE)} without these"
    how = "the encoders evaluated, times nine targets"
    yield "section 1", "target models", "477", found, trained * len(GLUE) == 477, how
    average = own[own["target"] == "average"].set_index(["encoder", "supporting"])["score"]
    bilstm = average["BiLSTM (Wang 2019)"].drop(["MTL GLUE", "MTL Non-GLUE", "MTL All"]).dropna()
    language = bilstm[["LM WT", "LM BWB"]]
    best = bilstm.drop(language.index).max()
    claim = "language modelling is the best single pretraining task (average)"
    found = f"{language.iloc[0]:.1f} and {language.iloc[1]:.1f}, best other {best:.1f}"
    how = f"{glue}: averages of BiLSTM after LM WT and LM BWB, and the largest after another single task"
    yield "abstract", claim, "highest", found, language.min() > best, how
    bert = average["BERT-base (Wang 2019)"]
    alone, after = bert[bert.index.isna()].item(), bert[bert.index.notna()]
    below = int((after < alone).sum())
    claim = "intermediate training of BERT often harms (average)"
    found = f"{below} of {len(after)} rows below Single-TaskB"
    how = f"{glue}: averages of BERT below that of Single-TaskB"
    yield "abstract", claim, "often", found, 2 * below > len(after), how
    how = f"{glue}: that row beside the cells where supporting is target"
    claim = "Single-Task holds, for each target, the score of pretraining on it"
    yield "Table 2", claim, "the diagonal", *_diagonal(scores, "BiLSTM (Wang 2019)", ""), how
    claim = "Single-TaskE holds, for each target, the score of ELMo after it"
    yield "Table 3", claim, "the diagonal", *_diagonal(scores, "ELMo (Wang 2019)", "E"), how
    diagnostic = published("wang2019_diagnostic").pivot(index="row", columns="target", values="score")
    same = bool((diagnostic.loc["MT En-De"] == diagnostic.loc["MT En-Ru"]).all())
    claim, how = "MT En-De and MT En-Ru are different encoders", "wang2019_diagnostic.csv: the cells of the two rows"
    found = "their four cells are equal" if same else "their cells differ"
    yield "Table 11", claim, "two rows", found, not same, f"{how}, side by side"


def _diagonal(scores: pd.DataFrame, encoder: str, suffix: str) -> tuple[str, bool]:
    own = scores[(scores["encoder"] == encoder) & scores["target"].isin(GLUE)]
    single = own[own["row"] == f"Single-Task{suffix}"].set_index(["target", "metric"])["score"]
    diagonal = own[own["supporting"] == own["target"]].set_index(["target", "metric"])["score"]
    equal = single.eq(diagonal.reindex(single.index))
    return f"{int(equal.sum())} of {len(equal)} cells are equal", bool(equal.all())


def _phang() -> Iterator[PrintedClaim]:
    table = published("phang2018_glue")
    test = table[(table["split"] == "test") & (table["target"] == "average")].set_index("row")["score"]
    for encoder, gain in (("BERT", 1.4), ("GPT", 2.8)):
        found = test[f"{encoder} on STILTs"] - test[encoder]
        claim = f"gain of {encoder} on STILTs on the test set"
        how = f"phang2018_glue.csv, test: average of {encoder} on STILTs minus that of {encoder}"
        yield "section 4", claim, f"{gain:+.1f}", f"{found:+.1f}", abs(found - gain) < 0.06, how
    for name in ("phang2018_glue", "phang2018_submission"):
        dev = published(name).query("split == 'validation'")
        dev = dev[dev["target"].isin(GLUE)]
        keys = ["encoder", "limit", "target"]
        means = dev.groupby([*keys, "regime", "row"], dropna=False, sort=False)["score"].mean().reset_index()
        best = means[means["regime"] == "best_of_each"].set_index(keys)["score"]
        top = means[means["regime"] != "best_of_each"].groupby(keys, dropna=False)["score"].max().reindex(best.index)
        equal = (best - top).abs() < 1e-6
        where = "Tables 1, 2" if name == "phang2018_glue" else "Table 4"
        claim = "Best of Each is the best of the rows, for each target"
        odd = ", ".join(f"{encoder.split()[0]} {target}" for encoder, _, target in best.index[~equal])
        found = f"{int(equal.sum())} of {len(equal)} cells" + (f"; not {odd}" if odd else "")
        how = f"{name}.csv, validation: per encoder, limit and target the largest mean of the metrics of a row"
        yield where, claim, "the best", found, bool(equal.all()), how


def _pruksachatkun() -> Iterator[PrintedClaim]:
    figure, table = published("pruksachatkun2020_transfer"), "pruksachatkun2020_transfer.csv"
    targets = figure[(figure["part"] == "targets") & (figure["target"] != "average")]
    deltas = targets[targets["supporting"].notna()]
    claim, n = "pairs of intermediate and target task", len(deltas)
    how = f"{table}, part targets: rows with a supporting task, without the average"
    yield "section 6", claim, "110", str(n), n == 110, how
    for task in ("socialiqa", "ccg", "qqp"):
        gains = deltas[(deltas["supporting"] == task) & (deltas["delta"] > 0)]
        named = ", ".join(f"{row.target} {row.delta:+.1f}" for row in gains.itertuples())
        how = f"{table}, part targets: deltas above 0 after {task}"
        yield "section 4.1", f"{task} harms every target", "all", named or "all", gains.empty, how
    baseline = targets.loc[(targets["target"] == "cb") & targets["supporting"].isna(), "score"].item()
    how = f"{table}, part targets: the score on cb without a supporting task"
    yield "section 4.1", "the baseline on CB", "100", f"{baseline:.1f} in Figure 2", baseline == 100, how
    gains = int((deltas.loc[deltas["target"] == "cb", "delta"] > 0).sum())
    how = f"{table}, part targets: deltas above 0 on cb"
    yield "section 4.1", "no intermediate task helps on CB", "none", f"{gains} help", gains == 0, how
    probes = figure[(figure["part"] == "probes") & figure["supporting"].notna()]
    for probe in ("edge/srl", "edge/dpr"):
        harmed = probes[(probes["target"] == probe) & (probes["delta"] <= 0)]
        named = ", ".join(f"{row.supporting} {row.delta:+.1f}" for row in harmed.itertuples())
        claim = f"every intermediate task improves {probe}"
        how = f"{table}, part probes: deltas on {probe} not above 0"
        yield "section 4.1", claim, "all", f"not {named}" if named else "all", harmed.empty, how


def _weller() -> Iterator[PrintedClaim]:
    """Of the table of Talmor and Berant 2019, which the paper speaks of."""
    table = published("talmor2019_multiqa")
    mixed = table["supporting"] == "Multi-75K"
    best = table[~mixed].groupby(["encoder", "target"])["score"].max()
    own = table[mixed].set_index(["encoder", "target"])["score"]
    equal = own >= best.reindex(own.index)
    by_encoder = equal.groupby("encoder", sort=False).sum()
    claim = "Multi-75K is equal to or better than each single data set in almost half of Talmor's cells"
    found = f"{int(equal.sum())} of {len(own)}: the reader's to judge"
    how = "talmor2019_multiqa.csv: cells of Multi-75K not below the largest of the other rows, per encoder and target"
    yield "section 4", claim, "almost half", found, None, how
    claim = "the same of each of the two models, of 6 data sets"
    yield "appendix", claim, "2", " and ".join(map(str, by_encoder)), by_encoder.eq(2).all(), how
