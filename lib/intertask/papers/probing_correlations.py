"""Which probes go with which targets, and what is left of it once forgetting is accounted for.

After Pruksachatkun et al. 2020, Sections 4.2 and 6, Figures 3-5.
"""

from fnmatch import fnmatchcase
from itertools import combinations

import numpy as np
import pandas as pd

from intertask.analysis.averages import plain
from intertask.analysis.correlations import AVERAGE, FEWEST, p_of, pairwise_r, panels, tasks_of
from intertask.analysis.statistics import holm
from intertask.analysis.transfer import BASELINE, LIMITS, target_runs, transfer_table
from intertask.errors import IntertaskError, did_you_mean, number_of

TRIALS = ["by_clusters", "given_forgetting", "leaving_one_out"]


def split_tasks(runs: pd.DataFrame, probes: list[str]) -> tuple[list[str], list[str]]:
    """The study's targets and its probes, in its order: probes are those of a part `probes`, and those that are named.

    probes: names of targets, or patterns such as `edge/*`, with or without `mini/`. Refused: a name that no target has,
    and a study without probes or with nothing else.
    """
    own = runs[runs["stage"] == "target"]
    tasks = list(own["target"].unique())
    named = {
        name: [task for task in tasks if fnmatchcase(task, name) or fnmatchcase(plain(task), name)] for name in probes
    }
    for name, found in named.items():
        if not found:
            raise IntertaskError(f"probes: no target is called {name!r}.{did_you_mean(name, tasks)}")
    chosen = set(own.loc[own["part"] == "probes", "target"]).union(*named.values())
    targets = [task for task in tasks if task not in chosen]
    if not chosen or not targets:
        raise IntertaskError(
            f"Expected targets and probes, found {'no probes' if targets else 'only probes'}: {', '.join(tasks)}. "
            "Say which targets are probes, as in probes: [edge/*, senteval/*], or put them into a part named probes."
        )
    return targets, [task for task in tasks if task in chosen]


def block_pairs(targets: list[str], probes: list[str]) -> list[tuple[str, str]]:
    """The distinct pairs of the block targets x (targets and probes)."""
    return [*combinations(targets, 2), *((target, probe) for target in targets for probe in probes)]


def delta_table(runs: pd.DataFrame, targets: list[str], confidence: float = 0.95) -> pd.DataFrame:
    """The cells of `transfer_table`, and for each supporting task their mean over the targets.

    The mean is the target `average`: it is missing where a target is, and n says how many there are. baseline: the mean
    score of `single` over all its seeds. group: 0 for targets, 1 for their average, 2 for probes.
    """
    table = transfer_table(runs, confidence)
    panel = ["encoder", *LIMITS, "supporting"]
    cells = table[table["target"].isin(targets)].groupby(panel, sort=False, dropna=False)
    mean = cells["delta"].agg(["mean", "count"]).reset_index().rename(columns={"count": "n"})
    mean["delta"] = mean.pop("mean").where(mean["n"] == len(targets))
    mean = mean.assign(target=AVERAGE, n_expected=len(targets), group=1)
    table = pd.concat([table.assign(group=table["target"].isin(targets).map({True: 0, False: 2})), mean])
    single = target_runs(runs, "single")
    scores = single.groupby([*BASELINE, "target"], dropna=False)["score"].mean().rename("baseline").reset_index()
    own = scores[scores["target"].isin(targets)].groupby(BASELINE, dropna=False)["baseline"]
    mean = own.mean().where(own.count() == len(targets)).reset_index().assign(target=AVERAGE)
    return table.merge(pd.concat([scores, mean]), on=[*BASELINE, "target"], how="left")


def losses(wide: pd.DataFrame, rows: pd.DataFrame, probes: list[str]) -> pd.DataFrame:
    """How far each observation is below `single` on each probe, in standard deviations of the probe's observations.

    `single`: the mean over its seeds, for the same encoder and data limit; rows: of `measured`. A gain counts as no
    loss. Missing where there is no single run, or the probe does not vary.
    """
    single = rows[rows["regime"].eq("single") & rows["target"].isin(probes)]
    means = single.pivot_table(index=BASELINE, columns="target", values="score", dropna=False)
    base = wide[BASELINE].merge(means.reset_index(), on=BASELINE, how="left")
    base = base.reindex(columns=probes).set_index(wide.index)
    spread = wide[probes].std()
    return (base - wide[probes]).clip(lower=0) / spread.where(spread > 0)


def partial_table(wide: pd.DataFrame, loss: pd.DataFrame, pairs: list[tuple[str, str]], method: str) -> pd.DataFrame:
    """Each pair's correlation given the degree of forgetting: panel, task_a, task_b, n_partial, r_partial, p_partial.

    The degree of forgetting of an observation is the mean of its `losses` over the *other* probes, never one of the
    pair: so a probe is not held against itself. It is missing where one of them is, unless the whole panel lacks that
    one. Pruksachatkun et al. 2020, Section 6, suspect that it drives their correlations. p_partial: on n_partial - 3
    degrees of freedom, restarts taken as independent. Missing where nothing is forgotten, or no single run says what
    there was to forget.

    It removes what the other probes see of forgetting, not all of it: where two tasks share nothing but forgetting, and
    three other probes of four are forgotten with them, p_partial is still below .05 in 15 % (11 observations) to 52 %
    (33 observations, strong forgetting) of 400 simulated studies, against 49-99.8 % of p.
    """
    rows = []
    for panel, own in panels(wide):
        for a, b in pairs:
            others = loss.loc[own.index].drop(columns=[a, b], errors="ignore").dropna(axis="columns", how="all")
            forgotten = others.mean(axis="columns", skipna=False)
            three = own[[a, b]].assign(forgotten=forgotten.round(9)).dropna()
            r = partial_r(three.corr(method=method, min_periods=FEWEST + 1).to_numpy())
            rows.append({"panel": panel, "task_a": a, "task_b": b, "n_partial": len(three), "r_partial": r})
    table = pd.DataFrame(rows, columns=["panel", "task_a", "task_b", "n_partial", "r_partial"])
    return table.assign(p_partial=p_of(table["r_partial"].astype(float), table["n_partial"].astype(float), given=1))


def partial_r(r: np.ndarray) -> float:
    """The correlation of the first two of three variables given the third, from their correlations, shape (3, 3)."""
    left = (1 - r[0, 2] ** 2) * (1 - r[1, 2] ** 2)
    return float((r[0, 1] - r[0, 2] * r[1, 2]) / np.sqrt(left)) if left > 1e-9 else np.nan


def leave_one_out(wide: pd.DataFrame, pairs: list[tuple[str, str]], method: str) -> pd.DataFrame:
    """Each pair's correlation without each supporting task in turn: one row per panel and pair.

    lowest, highest: of these correlations; moved_by: the supporting task that moves it most, and `without` it; p_worst:
    the largest p among them (uncorrected). p_worst is missing where there is no correlation without some task: it is
    `moved_by`, unless that is so of every one of them, or there was none to begin with.
    """
    parts = []
    for panel, own in panels(wide):
        supporting, values = own["supporting"].fillna("none"), own[tasks_of(own)]
        found = {task: pairwise_r(values[supporting != task], pairs, method) for task in supporting.unique()}
        r, p = (pd.DataFrame({task: one[name] for task, one in found.items()}) for name in ("r", "p"))
        moves = r.sub(pairwise_r(values, pairs, method)["r"], axis="index").abs().fillna(np.inf)
        part = pd.DataFrame(pairs, columns=["task_a", "task_b"]).assign(panel=panel, moved_by=moves.idxmax(axis=1))
        without = [r.at[place, task] for place, task in part["moved_by"].items()]
        part["moved_by"] = part["moved_by"].where(r.notna().any(axis=1))
        parts.append(
            part.assign(
                lowest=r.min(axis=1), highest=r.max(axis=1), without=without, p_worst=p.max(axis=1, skipna=False)
            )
        )
    columns = ["panel", "task_a", "task_b", "lowest", "highest", "moved_by", "without", "p_worst"]
    return pd.concat(parts or [pd.DataFrame(columns=columns)], ignore_index=True)[columns]


def kept(table: pd.DataFrame, partial: pd.DataFrame, left_out: pd.DataFrame, alpha: float = 0.05) -> pd.DataFrame:
    """The correlations with what becomes of them: the columns of `partial_table` and `leave_one_out`, and TRIALS.

    significant: p_holm < alpha. by_clusters: so is p_clusters_holm. given_forgetting: the partial correlation has the
    same sign, and p_partial stays below alpha after Holm's correction over the panel's pairs; leaving_one_out: the sign
    is the same and p < alpha, uncorrected, whichever supporting task is left out. keeps: significant and all three.
    """
    keys = ["panel", "task_a", "task_b"]
    both = table.merge(partial, on=keys).merge(left_out, on=keys)
    sign = np.sign(both["r"].astype(float))
    both["significant"] = both["p_holm"] < alpha
    both["by_clusters"] = both["p_clusters_holm"] < alpha
    given = both.groupby("panel")["p_partial"].transform(holm) < alpha
    both["given_forgetting"] = given & (np.sign(both["r_partial"]) == sign)
    same = (np.sign(both["lowest"]) == sign) & (np.sign(both["highest"]) == sign)
    both["leaving_one_out"] = (both["p_worst"] < alpha) & same
    return both.assign(keeps=both[["significant", *TRIALS]].all(axis="columns"))


def strongest(both: pd.DataFrame) -> pd.DataFrame:
    """Of one panel of `kept` the pairs to draw, closest first: significant ones, at most 40, or the 20 strongest."""
    own, most = (both[both["significant"]], 40) if both["significant"].any() else (both[both["r"].notna()], 20)
    return own.loc[own["r"].astype(float).abs().sort_values(ascending=False, kind="stable").index[:most]]


def probe_summary(both: pd.DataFrame, probes: list[str]) -> pd.DataFrame:
    """A row per panel and probe: with how many targets its correlation is there, is significant, and passes each trial.

    both: of `kept`; each of TRIALS counts the pairs that are significant to begin with; keeps: the targets, by name, of
    those that pass all three.
    """
    own = both[both["task_b"].isin(probes)]
    trials = own[TRIALS].mul(own["significant"], axis="index").astype(int)
    own = own.assign(targets=own["r"].notna(), names=own["task_a"].where(own["keeps"]), **trials)
    columns = ["targets", "significant", *TRIALS]
    by_probe = own.rename(columns={"task_b": "probe"}).groupby(["panel", "probe"], sort=False)
    names = by_probe["names"].agg(lambda tasks: ", ".join(tasks.dropna()))
    return by_probe[columns].sum().assign(keeps=names).reset_index()


def kept_in_words(summary: pd.DataFrame) -> str:
    """Which probes keep their correlations, a sentence for each panel of a `probe_summary`, as Markdown."""
    lines = []
    for panel, own in summary.groupby("panel", sort=False):
        there, stay = own[own["significant"] > 0], own[own["keeps"] != ""]
        words = f"- **{panel}**: {len(there)} of {number_of(len(own), 'probe')} correlate significantly with a target"
        if len(there):
            words += f"; {len(stay)} of them keep it in all three trials" + ": " * (len(stay) > 0)
            words += ", ".join(stay["probe"])
            lost = {trial: int((there[trial] == 0).sum()) for trial in TRIALS}
            counts = ", ".join(f"{n} {trial.replace('_', ' ')}" for trial, n in lost.items())
            words += f". Probes of which no correlation is left: {counts}"
        lines.append(words + ".")
    return "\n".join(lines) or "Nothing can be said yet: no run is done."
