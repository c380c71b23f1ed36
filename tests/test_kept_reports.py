"""The kept reports: their links lead somewhere, and every figure that can be counted from a CSV is counted again.

Nothing of the library's analysis is used, only pandas and scipy, so that a slip in the library cannot hide itself.
"""

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

ROOT = Path(__file__).parents[1]
REPORTS, PUBLISHED = ROOT / "results" / "reports", ROOT / "results" / "published"
PAGES = [REPORTS / "README.md", *sorted(REPORTS.glob("*/*.md"))]
GLUE = ["cola", "sst2", "mrpc", "qqp", "stsb", "mnli", "qnli", "rte", "wnli"]
KEY = ["encoder", "limit", "target"]


def text(page: str) -> str:
    return " ".join((REPORTS / page).read_text().split())


def published(name: str) -> pd.DataFrame:
    """A paper's table without its test rows; a score has the limit 0 where all data were used."""
    table = pd.read_csv(PUBLISHED / f"{name}.csv", keep_default_na=False, na_values=[""])
    table = table.assign(**{name: np.nan for name in {"limit", "substituted", "derived", "split"}.difference(table)})
    return table[table["split"] != "test"].fillna({"limit": 0, "supporting": ""})


def means(name: str) -> pd.DataFrame:
    """One row per model and target: the mean of its metrics."""
    own = published(name)
    own = own[own["derived"].isna() & own["substituted"].isna()]
    keys = ["encoder", "limit", "regime", "supporting", "target"]
    return own.groupby(keys, sort=False)["score"].mean().round(9).reset_index()


def deltas(name: str) -> pd.DataFrame:
    own = means(name)
    single = own[own["regime"] == "single"].set_index(KEY)["score"]
    after = own[own["regime"] == "stilts"]
    return after.assign(source=name, delta=(after["score"] - after[KEY].apply(tuple, axis=1).map(single)).round(9))


def holm(p) -> np.ndarray:
    return multipletests(p, method="holm")[1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_leads_to_a_file_and_every_page_is_short(page):
    body = page.read_text()
    links = re.findall(r"\]\(([^)]+)\)", body)
    assert links and all((page.parent / link).is_file() for link in links if not link.startswith("https://"))
    assert not re.search(r"(/tmp|/home|/work|/root)/", body) and len(body.splitlines()) <= 60
    assert page == PAGES[0] or ("intertask report" in body and "![" in body)


def test_every_picture_is_shown():
    shown = {
        (page.parent / name).resolve() for page in PAGES for name in re.findall(r"!\[.*?\]\((.*?)\)", page.read_text())
    }
    assert {*REPORTS.glob("*/*.png")} == shown
    assert "README.md#what-the-papers-printed-side-by-side" in (ROOT / "docs" / "scores.md").read_text()
    assert "\n## What the papers printed, side by side\n" in PAGES[0].read_text()


def cells(study: str) -> pd.DataFrame:
    table = pd.read_csv(REPORTS / study / "cells.csv")
    assert (table["clear"] == (table["p"] < 0.1))[table["p"] != 0.1].all()
    larger = table["supporting_size"] > table["target_size"]
    return table.assign(larger=larger, right=(table["difference"] > 0) == larger, mtl_is=table["difference"] > 0)


def test_how_often_the_rule_of_sizes_is_right_on_the_mini_suite():
    page, left = text("weller2022-pairwise-mini/README.md"), []
    for mixing, own in cells("weller2022-pairwise-mini").groupby("mixing"):
        assert len(own) == 72 and (own[["n_mtl", "n_stilts"]] == 3).all(axis=None) and own["larger"].sum() == 36
        said = []
        clear = own[own["clear"]]
        for some in (clear, own):
            right, n = (some["right"] & (some["difference"] != 0)).sum(), len(some)
            low, high = proportion_confint(right, n, method="wilson")
            said.append(f"right in {right} of {n}, {100 * right / n:.0f} % [{100 * low:.0f}, {100 * high:.0f}]")
        assert f"| {said[0]} | {said[1]} |" in page.partition(f"| `{mixing}` |")[2].partition("| `")[0]
        kept = own[own["p_holm"] < 0.1]
        assert kept["right"].all()
        left.append(len(kept))
        if mixing.endswith("target examples"):
            assert f'"always MTL" is right in {clear["mtl_is"].sum()} of the {len(clear)} significant' in page
    assert "({}, {} and {}), none of them against the rule".format(*left) in page
    said = (ROOT / "docs" / "regimes.md").read_text()
    assert "in 32 of 35 significant cells" in said and "in 12 of 21" in said


def test_how_often_the_rule_of_sizes_is_right_on_real_tasks():
    page, table = text("regimes-real/README.md"), cells("regimes-real")
    assert len(table) == 12 and (table[["n_mtl", "n_stilts"]] == 3).all(axis=None)
    clear = table[table["clear"]]
    assert {*zip(clear["supporting"], clear["target"], strict=True)} == {
        ("rte", "stsb"), ("mrpc", "stsb"), ("rte", "cola")
    }  # fmt: skip
    assert not clear[["mtl_is", "larger"]].any(axis=None)
    for cells_of, own in (
        ("all", table), ("p < 0.1", clear),
        ("the supporting task is the smaller one", table[~table["larger"]]),
        ("the supporting task is the larger one", table[table["larger"]]),
    ):  # fmt: skip
        assert f"| {cells_of} | {own['right'].sum()} of {len(own)} |" in page
    assert f'"Always STILTs" is right in {(~table["mtl_is"]).sum()} of 12' in page


def test_which_pretraining_tasks_beat_random_weights():
    """Every cell of the page's table: the mean over seeds and, less `single` of the same seed, Student's interval."""
    table = pd.read_csv(REPORTS / "wang2019-real" / "cells.csv")
    wide = table.pivot(index=["supporting", "seed"], columns="target", values="score")[["cola", "sst2", "mrpc", "stsb"]]
    wide.insert(0, "average", wide.mean(axis="columns"))
    rows = list(dict.fromkeys(table["supporting"]))
    page, above = text("wang2019-real/README.md"), []
    assert len(table) == len(rows) * 4 * 3 and table["score"].notna().all() and rows[0] == "single"
    for row in rows:
        said = []
        for target, scores in wide.loc[row].items():
            gain = scores - wide.loc["single", target]  # none for `single` itself
            low, high = stats.t.interval(0.95, 2, gain.mean(), gain.sem()) if gain.any() else (0, 0)
            interval = f"; {gain.mean():+.1f} [{low:.1f}, {high:.1f}]".replace("-", "−")
            said.append(f"{scores.mean():.1f}" + interval * (row != "single"))
            above += [(row, target)] * int(low > 0)
        assert f") | {' | '.join(said)} |" in page.partition(f"| `{row}`")[2].partition("| `")[0]
    assert f"{len(above)} of the {len(wide.columns) * (len(rows) - 1)} intervals lie above zero" in page


def student(gain: pd.Series) -> str:
    low, high = stats.t.interval(0.95, len(gain) - 1, gain.mean(), gain.sem())
    return f"{gain.mean():+.1f} [{low:.1f}, {high:.1f}]".replace("-", "−")


def test_what_a_stopover_does_on_a_small_encoder():
    """The page's table, what MNLI does beyond shuffled labels, the runs that learn nothing, and the printed gaps."""
    table, page = pd.read_csv(REPORTS / "hidden-stilts-small" / "cells.csv"), text("hidden-stilts-small/README.md")
    wide = table.pivot(index=["supporting", "seed"], columns="target", values="score")[["rte", "mrpc", "stsb"]]
    assert len(table) == 4 * 3 * 5 and table["score"].notna().all()
    for row in table["supporting"].unique():
        own = wide.loc[row]
        gains = [f"; {student(gain)}" if row != "none" else "" for _, gain in (own - wide.loc["none"]).items()]
        said = [f"{scores.mean():.1f}{gain}" for (_, scores), gain in zip(own.items(), gains, strict=True)]
        assert f"| `{row}` | {' | '.join(said)} |" in page
    beyond = [student(gain) for _, gain in (wide.loc["mnli"] - wide.loc["mnli[shuffle_labels=true]"]).items()]
    assert "{}, {} and {} above".format(*beyond) in page
    small = table[table["target"] != "stsb"].assign(stuck=lambda own: own["score"] <= own["majority"])
    stuck = small.groupby(small["supporting"] == "mnli")["stuck"].agg(["sum", "size"])
    assert f"{stuck.loc[False, 'sum']} of the {stuck.loc[False, 'size']} runs without MNLI's" in page
    assert stuck.loc[True, "sum"] == 0 and f"none of the {stuck.loc[True, 'size']} with them" in page
    gain = wide.loc["mnli"]["rte"] - wide.loc["none"]["rte"]
    low, high = stats.t.interval(0.95, 4, gain.mean(), gain.sem())
    others, gains = [*printed_gaps("mrpc"), *printed_gaps("stsb")], printed_gains()
    assert f"the printed gaps ({min(others):.1f} to {max(others):.1f} points)" in page
    assert f"more than its {gains['rte']:.1f} points for RoBERTa-large" in page and low > gains["rte"]
    assert f"did {gains['mrpc']:.1f} and {gains['stsb']:.1f}." in page
    gaps = np.array(printed_gaps("rte"))
    counted = len(gaps), (gaps <= low).sum(), (gaps > high).sum(), ((low < gaps) & (gaps <= high)).sum()
    assert f"Of the {counted[0]} printed gaps" in page
    assert "it could be all of {1} and cannot be all of {2}; {3} are left open".format(*counted) in page


def printed_gains() -> pd.Series:
    """By target, what the stopover did for the encoder of which both are printed."""
    own = pd.read_csv(PUBLISHED / "hidden_stilts.csv", keep_default_na=False, na_values=[""])
    own = own[own["encoder"].str.startswith("RoBERTa-large")].pivot(index="target", columns="regime", values="score")
    return own["stilts"] - own["single"]


def printed_gaps(target: str) -> list[float]:
    """Of every two encoders on a target, one with a stopover, or untold, above one without, or untold."""
    own = pd.read_csv(PUBLISHED / "hidden_stilts.csv", keep_default_na=False, na_values=[""])
    own = own[own["target"] == target].reset_index(drop=True)
    return [
        one.score - other.score
        for one in own.itertuples()
        for other in own.itertuples()
        if one.encoder != other.encoder
        and one.score > other.score
        and one.regime != "single"
        and other.regime != "stilts"
    ]


def test_how_often_the_papers_agree():
    table = pd.concat(map(deltas, ("wang2019_glue", "phang2018_glue", "pruksachatkun2020_transfer")))
    table = table[table["delta"].notna() & (table["delta"] != 0)].assign(up=lambda own: own["delta"] > 0)
    settings = {key: own for key, own in table.groupby(["source", "encoder", "limit"])}
    counts = {True: [], False: []}
    for one, other in combinations(settings, 2):
        both = settings[one].merge(settings[other], on=["supporting", "target"])
        a, b = both["up_x"], both["up_y"]
        by_chance = a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean())
        counts[one[0] == other[0]].append((len(both), (a == b).sum(), by_chance * len(both)))
    page = text("literature/README.md")
    assert len(settings) == 11 and "11 settings" in page
    for same, name in ((False, "two papers"), (True, "one paper")):
        n, agree, by_chance = np.nansum(counts[same], axis=0)
        assert f"| of {name} | {n:.0f} | {agree:.0f}, {100 * agree / n:.0f} % | {100 * by_chance / n:.0f} % |" in page


def test_what_the_kept_claims_say_follows_from_the_printed_cells():
    table = pd.read_csv(
        REPORTS / "literature" / "claims.csv",
        dtype={"follows": "boolean"},
        keep_default_na=False,
        na_values={"follows": ""},
    )
    is_average = table["how"].str.contains("mean over the row's")
    without = table["claim"].str.contains("without mnli and qqp")
    page = text("literature/README.md")
    for part, name in ((is_average & ~without, "over all targets"), (without, "without MNLI and QQP")):
        assert f"averages {name} | {table.loc[part, 'follows'].sum()} of {part.sum()} |" in page
    sentences = table[~is_average].set_index("claim")
    decided = sentences["follows"].notna()
    assert f"| {sentences['follows'].sum()} of {decided.sum()}, and one is open |" in page and (~decided).sum() == 1
    off = table.loc[is_average, "printed"].astype(float) - table.loc[is_average, "recomputed"].astype(float)
    assert ((off.abs() < 0.106) == table.loc[is_average, "follows"]).all()
    assert [*table.loc[is_average, ["printed", "recomputed"]].itertuples(index=False, name=None)] == recomputed()
    assert "qqp harms every target" in sentences.index[~sentences["follows"].fillna(True)]
    figure = published("pruksachatkun2020_transfer").query("part == 'targets' and target != 'average'")
    gains = figure.query("supporting == 'qqp' and delta > 0")
    assert sentences.at["qqp harms every target", "recomputed"] == ", ".join(
        f"{row.target} {row.delta:+.1f}" for row in gains.itertuples()
    )
    assert [*gains["target"]] == ["copa", "wic"] and "COPA and WiC gain" in page


def recomputed() -> list[tuple[str, str]]:
    """Printed and recomputed, as texts, of every printed average in the order of the CSVs."""
    found = []
    for name in ("wang2019_glue", "phang2018_glue", "phang2018_submission"):
        table = pd.read_csv(PUBLISHED / f"{name}.csv")
        keys = [key for key in ("table", "row", "encoder", "limit", "split") if key in table]
        for _, own in table.groupby(keys, sort=False, dropna=False):
            tasks = own[own["target"].isin(GLUE)].groupby("target")["score"].mean()
            if name.startswith("wang"):
                tasks["wnli"] = max(tasks["wnli"], own["majority"].max())
            for line in own[~own["target"].isin(GLUE)].itertuples():
                kept = tasks if line.target == "average" else tasks.drop(["mnli", "qqp"])
                found.append((f"{line.score:.1f}", f"{kept.mean():.2f}"))
    figure = published("pruksachatkun2020_transfer").query("part == 'targets'")
    for supporting, own in figure.groupby("supporting", sort=False):
        value = own.set_index("target")["delta" if supporting else "score"]
        found.append((f"{value['average']:.1f}", f"{value.drop('average').mean():.2f}"))
    return found


def test_which_targets_correlate():
    own = published("wang2019_glue").query("regime != 'same_task'")
    metric = {"qqp": "f1", "stsb": "pearson"}
    table = own[own["target"].isin(GLUE)]
    chosen = table[[metric.get(row.target, row.metric) == row.metric for row in table.itertuples()]]
    index = ["encoder", "row"]
    wide = chosen.pivot_table(index=index, columns="target", values="score", sort=False)[GLUE]
    main = table.pivot_table(index=index, columns="target", values="score", sort=False)[GLUE]
    floor = own["majority"].max()
    wide["average"] = main.assign(wnli=main["wnli"].clip(lower=floor)).mean(axis="columns")
    printed = published("wang2019_correlations").set_index(["setting", "task_a", "task_b"])["pearson"]
    page, n_all = text("literature/target_correlations.md"), 0
    for encoder, models in wide.groupby(level="encoder", sort=False):
        found = {pair: stats.pearsonr(models[pair[0]], models[pair[1]]) for pair in combinations(["average", *GLUE], 2)}
        significant = (holm([test.pvalue for (a, _), test in found.items() if a != "average"]) < 0.05).sum()
        both = pd.DataFrame(
            [(test.statistic, printed.get((encoder, *pair), printed.get((encoder, *pair[::-1]))))
             for pair, test in found.items()]
        )  # fmt: skip
        distance = f"{(both[0] - both[1]).abs().mean():.2f}".lstrip("0")
        turned = (both[0] * both[1] < 0).sum()
        name = re.match("[A-Za-z]+", encoder)[0]
        assert f"| {name} | {len(models)} | {significant} | {distance} | {turned} |" in page
        n_all += len(models)
    assert f"{n_all} models count as independent" in page


def test_which_probes_correlate():
    figure = published("pruksachatkun2020_transfer")
    parts = {
        part: [task for task in own["target"].unique() if task != "average"] for part, own in figure.groupby("part")
    }
    wide = figure[figure["supporting"] != ""].pivot(index="supporting", columns="target", values="score")
    targets, probes = parts["targets"], parts["probes"]
    pairs = [*combinations(targets, 2), *((target, probe) for target in targets for probe in probes)]
    found = holm([stats.spearmanr(wide[a], wide[b]).pvalue for a, b in pairs]) < 0.05
    kinds = np.array([b in probes for _, b in pairs])
    page = text("literature/probing_correlations.md")
    assert len(wide) == 11 and len(probes) == 25 and f"over the {len(pairs)}" in page
    assert f"| of a target and a probe | {found[kinds].sum()} of {kinds.sum()} |" in page
    assert f"| of two targets | {found[~kinds].sum()} of {(~kinds).sum()} |" in page
    significant = {b for (_, b), yes in zip(pairs, found & kinds, strict=True) if yes}
    assert significant == {"cola", "edge/spr2", "senteval/odd_man_out"} and all(
        f"`{name}`" in page for name in significant
    )


def test_how_many_curves_rise():
    table = published("phang2018_glue").query("derived.isna() and substituted.isna()")
    keys = ["encoder", "regime", "supporting", "target"]
    table = table.groupby([*keys, "limit"])[["n_train", "score"]].mean().reset_index()
    lines = [own for _, own in table.groupby(keys) if own["n_train"].nunique() > 1]
    slopes = [stats.linregress(np.log2(own["n_train"]), own["score"]).slope for own in lines]
    assert f"Of the {len(lines)} lines" in text("literature/learning_curves.md")
    assert f"is above zero in {sum(slope > 0 for slope in slopes)}." in text("literature/learning_curves.md")
