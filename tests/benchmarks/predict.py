"""What it takes to predict a large file: rows a second and the peak of memory, beside a loop of transformers' pipeline.

    python tests/benchmarks/predict.py [ENCODER [ROWS ...]]

On an idle machine; by default mini/bert, and 10,000 and 100,000 rows of pairs with labels in each kind of file. Each is
a process of its own, which says how much memory it held at most (Linux). The pipeline reads the same rows of a list
that it has in memory anyway, in batches of as many, with the same weights and a fresh head.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

KINDS = ("csv", "tsv", "jsonl", "parquet")
WAYS = {
    "intertask": """
from intertask.cli import app
app(["predict", RUN, FILE, "--csv", OUT], standalone_mode=False)
""",
    "pipeline": """
import pandas as pd
from transformers import pipeline
frame = pd.read_csv(FILE)
pairs = [{"text": one, "text_pair": other} for one, other in zip(frame.sentence1, frame.sentence2)]
pipe = pipeline("text-classification", model=RUN + "/encoder", top_k=None, device="cpu")
made = pipe(pairs, batch_size=64, truncation=True, max_length=64)
pd.DataFrame([{one["label"]: one["score"] for one in row} for row in made]).to_csv(OUT, index=False)
""",
}
SAYS = "\nprint('peak', next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"


def kept(encoder: str) -> str:
    """The folder of a run that learns as good as nothing and keeps its encoder."""
    script = f"""
from intertask.run import Run
from intertask.training import prepare, train
from intertask.training.record import save
run = Run(task="mini/rte", encoder={encoder!r}, limit=32, max_steps=1, max_length=64, keep_encoder=True)
print(save(train(run, prepare(run), {encoder!r}), run))
"""
    return subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split()[-1]


def write(path: Path, rows: int) -> None:
    """Rows like those of mini/rte, of which no two are alike, in random lengths."""
    words = ["the dog sees anna and john", "a poodle is in the house", "mary is not sad", "bob is walking"]
    texts = [f"{words[n % 4]} {'but ' * (n % 11)}{words[n // 4 % 4]} {n}" for n in range(rows)]
    labels = [("entailment", "not_entailment")[n % 2] for n in range(rows)]
    frame = pd.DataFrame({"sentence1": texts, "sentence2": texts[::-1], "label": labels})
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")


def measure(way: str, run: str, file: Path) -> tuple[float, float]:
    """Seconds of the whole process, and the most memory that it held, in MB."""
    names = f"RUN, FILE, OUT = {run!r}, {str(file)!r}, {str(file.with_name('out.csv'))!r}"
    began = time.perf_counter()
    command = [sys.executable, "-W", "ignore", "-c", names + WAYS[way] + SAYS]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return time.perf_counter() - began, int(done.stdout.split()[-1]) / 1000


def main(encoder: str = "mini/bert", *rows: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["INTERTASK_RESULTS"] = f"{folder}/results"
        run, counts = kept(encoder), [int(one) for one in rows] or [10_000, 100_000]
        print(f"{'':24}" + "".join(f"{count:>12,} rows          MB" for count in counts) + "   rows/s between them")
        for way, kind in [*(("intertask", kind) for kind in KINDS), ("pipeline", "csv")]:
            found = []
            for count in counts:
                file = Path(folder) / f"rows.{kind}"
                write(file, count)
                found.append(measure(way, run, file))
            cells = "".join(f"{seconds:>15.1f} s {peak:>11.0f}" for seconds, peak in found)
            (least, _), (most, _) = found[0], found[-1]
            each = (counts[-1] - counts[0]) / (most - least) if most > least else float("nan")
            print(f"{way:10} {kind:12} {cells} {each:>12,.0f}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
