"""A pool that travels: finished runs and snapshots of studies, copied to another results folder or an archive and back.

Every file is held against its digest where it lies and where it comes. A run appears there whole or not at all, and
snapshots of studies come last. What is there already is never replaced.
"""

import os
import shutil
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tqdm import tqdm

from intertask.errors import IntertaskError, number_of, refusal
from intertask.files import results_root, sync, write
from intertask.studies import store
from intertask.studies.status import read_study, studies_in
from intertask.studies.study import TAKEN

SNAPSHOT = (store.SCORES_FILE, store.PREDICTIONS_FILE, "study.json")  # a table of scores before what tells its digest
END = bytes(1024)  # of an archive


def export_to(studies: dict[str, Path], runs: dict[str, Path], to: Path, encoders: bool, say: Callable) -> bool:
    """Copies studies and runs, names to folders, into a results folder, or a new archive where `to` ends in .tar.

    Returns whether all were sound; the others are left out, and said to be damaged.
    """
    to = Path(os.path.realpath(to))
    if to.is_relative_to(results_root()) or results_root().is_relative_to(to):
        raise refusal(to, "a place outside the results and not above them", "one of theirs", "Name another.")
    if to.suffix != ".tar":
        return _copy(studies, runs, to, encoders, say)
    if to.exists() or not to.parent.is_dir():
        found = "one that is there" if to.exists() else "no such folder"
        raise refusal(to, "a new file in a folder that is there", found, "Name another, or make its folder.")
    damaged: list[str] = []
    with TemporaryDirectory(prefix=".export-", dir=to.parent) as scratch:
        with tarfile.open(Path(scratch, ".archive"), "x") as archive:
            archive.add(scratch, "runs", recursive=False, filter=_nobodys)
            for folder in _copies(runs, Path(scratch), encoders, damaged):
                archive.add(folder, f"runs/{folder.name}", filter=_nobodys)
            for name, folder in studies.items():
                for file in SNAPSHOT:
                    if (folder / file).exists():
                        archive.add(folder / file, f"{name}/{file}", filter=_nobodys)
        os.rename(Path(scratch, ".archive"), to)
    size = f"{to.stat().st_size / 1e6:.1f} MB"
    return _told(to, {"in it": len(runs) - len(damaged)}, f"{number_of(len(studies), 'study')}, {size}", damaged, say)


def _nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """A file of which an archive tells neither whose it was nor who may not read it."""
    member.uid, member.gid, member.uname, member.gname = 0, 0, "", ""
    member.mode = 0o755 if member.isdir() else 0o644
    return member


def import_from(source: Path, encoders: bool, say: Callable) -> bool:
    """Copies what a results folder or an archive holds into one's own results; returns as `export_to` does."""
    store.open_pool()
    with _opened(source) as folder:
        if not (folder / "runs").is_dir():
            raise refusal(source, "a results folder, with runs/ in it, or an archive of one", "none", "Name another.")
        runs = {path.name: path for path in sorted((folder / "runs").glob("[!.]*"))}
        studies = {name: folder / name for name in studies_in(folder) if name.split("/")[0] not in TAKEN}
        return _copy(studies, runs, results_root(), encoders, say)


@contextmanager
def _opened(source: Path) -> Iterator[Path]:
    """The folder; of an archive, one in the pool into which it is unpacked until the end of the block."""
    if not source.is_file():
        yield source
        return
    with store.own_mark(store.pool(), "import") as mark:
        mark.path.mkdir()
        try:
            _unpack(source, mark.path)
        except (tarfile.TarError, EOFError) as error:
            expected = "a whole archive made by `intertask pool export`"
            raise refusal(source, expected, str(error), "Copy it anew, or import a folder.") from None
        yield mark.path


def _unpack(source: Path, to: Path) -> None:
    with open(source, "rb") as stream:
        stream.seek(max(0, source.stat().st_size - len(END)))
        if stream.read() != END:  # which tarfile does not miss
            raise tarfile.ReadError("none, or half of one")
    with tarfile.open(source, "r:") as archive:
        for member in archive:
            if not (member.isfile() or member.isdir()):
                raise tarfile.ReadError(f"{member.name}, which is neither a file nor a folder")
            archive.extract(member, to, filter="data")


def _copy(studies: dict[str, Path], runs: dict[str, Path], to: Path, encoders: bool, say: Callable) -> bool:
    """Copies what `to` does not have yet."""
    newer = {name: folder for name, folder in studies.items() if _is_newer(name, folder, to, say)}
    (to / "runs").mkdir(parents=True, exist_ok=True)
    became, damaged = Counter(), []
    with store.own_mark(to / "runs", "import") as mark:
        for folder in _copies(runs, mark.path, encoders, damaged):
            became[_arrive(folder, to)] += 1
    for name, folder in newer.items():
        (to / name).mkdir(parents=True, exist_ok=True)
        for file in SNAPSHOT:
            if (folder / file).exists():
                write(to / name / file, (folder / file).read_text(encoding="utf-8"))
    return _told(to, became, f"{len(newer)} of {number_of(len(studies), 'study')}", damaged, say)


def _told(to: Path, became: dict[str, int], studies: str, damaged: list[str], say: Callable) -> bool:
    """Says what became of everything; whether nothing was damaged."""
    for words in damaged:
        say(words)
    runs = [number_of(count, "run", what) for what, count in became.items()]
    lost = [number_of(len(damaged), "damaged run", "LEFT OUT")] if damaged else []
    say(f"{to}: {'; '.join([*runs, studies, *lost])}.")
    return not damaged


def _is_newer(name: str, folder: Path, to: Path, say: Callable) -> bool:
    """Whether a study's snapshot takes the place of what is there; refused where that is another study's."""
    theirs = read_study(name, folder.parents[name.count("/")])
    if not os.path.lexists(to / name / "study.json"):
        return True
    ours = read_study(name, to)
    if ours["given"] != theirs["given"]:
        remedy = "Take it to other results (INTERTASK_RESULTS), which INTERTASK_POOLS reads beside yours."
        raise refusal(to / name, "the same study, or none", "another one of that name", remedy)
    if theirs["written"] <= ours["written"] and theirs["runs"] != ours["runs"]:
        say(f"{name}: the snapshot of {ours['written']} stays; that of {theirs['written']} names other runs.")
    return theirs["written"] > ours["written"]


def _arrive(folder: Path, to: Path) -> str:
    """Has a sound run come to its place, and says what became of it."""
    target = to / "runs" / folder.name
    there, lacking = target.exists(), not (target / "encoder").exists()
    if kept := store.arrive(folder, target):
        return f"DIFFERENT from what is there, which stays; kept in {kept.parent}"
    shutil.rmtree(store.failure_folder(folder.name, to), ignore_errors=True)
    given = ", now with the encoder" if lacking and (target / "encoder").exists() else ""
    return f"there already{given}" if there else "brought"


def _copies(runs: dict[str, Path], scratch: Path, encoders: bool, damaged: list[str]) -> Iterator[Path]:
    """A sound copy of each run in turn, to be taken from there; to `damaged` is added what is wrong with the others."""
    total = sum(path.stat().st_size for folder in runs.values() for path in folder.rglob("*") if path.is_file())
    with tqdm(total=total, unit="B", unit_scale=True, disable=None) as bar:
        for run_id, source in runs.items():
            try:
                _copy_run(source, scratch / run_id, encoders, bar.update)
            except (FileNotFoundError, IntertaskError) as error:
                damaged.append(str(error).replace(str(scratch / run_id), str(source)))
            else:
                yield scratch / run_id
            shutil.rmtree(scratch / run_id, ignore_errors=True)


def _copy_run(source: Path, folder: Path, encoders: bool, done: Callable[[int], object]) -> None:
    """Copies the files that a run left, of those that are there, and holds them against its record."""
    names = store.read_folder(source)["files"]
    for name in ("run.json", "notebook.ipynb", *names):
        if os.path.isabs(name) or ".." in name.split("/"):
            raise refusal(source / "run.json", "names of files in its folder", name, "It is left out.")
        if (source / name).exists() and (encoders or not name.startswith("encoder/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, folder / name)
            sync(folder / name)
            done((folder / name).stat().st_size)
    store.read_folder(folder, whole={name.partition("/")[0] for name in names})
