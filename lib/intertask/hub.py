"""One way to a repository of the Hugging Face Hub, data set or model: a local folder of its files.

With INTERTASK_HUB set to a folder of local clones (`<mirror>/<owner>/<name>/…`), that clone is used and nothing is
fetched; otherwise the wanted files are downloaded into the Hub's own cache. A model's revision has a clone of its own
in the mirror, `<mirror>/<owner>/<name>@<revision>/…`: of which revision another one is, nobody knows.
"""

import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from intertask.errors import did_you_mean, refusal

TIMEOUT = 3.0
"""Seconds until the Hub counts as out of reach; without a limit of ours its client tries for 23 s and more."""

POINTER = b"version https://git-lfs"


def folder(repo: str, kind: str, patterns: Iterable[str], revision: str = "main", asked: bool = True) -> Path:
    """The local folder of a repository (`kind`: "dataset" or "model") with the files that match `patterns`.

    asked: whether the Hub is; otherwise what its cache does not hold is refused. Raises IntertaskError, with what the
    mirror holds, when the repository is not in it: nothing is downloaded then.
    """
    root = os.environ.get("INTERTASK_HUB", "")
    if not root:
        return _download(repo, kind, tuple(patterns), revision, asked)
    name = f"{repo}@{revision}" if kind == "model" and revision != "main" else repo
    clone = Path(root) / name
    if not clone.is_dir():
        held = [path.relative_to(root).as_posix() for path in sorted(Path(root).glob("*/*")) if path.is_dir()]
        found = f"no folder {clone}" if Path(root).is_dir() else f"no folder {root}"
        remedy = "Clone it into the mirror, or unset INTERTASK_HUB to use the Hub." + did_you_mean(name, held) * (
            name == repo
        )
        raise refusal("INTERTASK_HUB", f"a local clone of '{name}' (the Hub is not asked)", found, remedy)
    return clone


@cache
def _download(repo: str, kind: str, patterns: tuple[str, ...], revision: str, asked: bool) -> Path:
    """The folder of the Hub's snapshot with the files that match `patterns`; offline, what the cache has of it."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, HTTPError, LocalEntryNotFoundError

    where = f"Hub {kind} '{repo}'"
    try:
        offline = not (asked and _hub_answers(repo, kind, revision))
        wanted = {"repo_type": kind, "revision": revision, "allow_patterns": list(patterns)}
        snapshot = snapshot_download(repo, **wanted, etag_timeout=TIMEOUT, local_files_only=offline)
    except HFValidationError:
        found = f"'{repo}', neither a folder nor an id"
        raise refusal(where, "a local folder or an id owner/name", found, "Check the spelling.") from None
    except HfHubHTTPError as error:
        found = f"HTTP status {error.response.status_code}"
        remedy = "Check the id, the revision and your access."
        raise refusal(where, f"revision '{revision}' on the Hub", found, remedy) from None
    except (LocalEntryNotFoundError, HTTPError):
        found = "the Hub out of reach and no complete copy in the cache"
        remedy = "Connect and repeat, or set INTERTASK_HUB to a folder of local clones (<folder>/<owner>/<name>)."
        raise refusal(where, "its files from the Hub", found, remedy) from None
    return Path(snapshot)


def _hub_answers(repo: str, kind: str, revision: str) -> bool:
    """False where the Hub is out of reach, down or switched off (HF_HUB_OFFLINE); other refusals of its are raised."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled

    try:
        HfApi().repo_info(repo, repo_type=kind, revision=revision, timeout=TIMEOUT)
    except HfHubHTTPError as error:
        if error.response.status_code < 500:
            raise
        return False
    except (HTTPError, OfflineModeIsEnabled):
        return False
    return True


def is_pointer(path: Path) -> bool:
    """Whether a file is what a clone holds of a large file until `git lfs pull`."""
    with path.open("rb") as stream:
        return stream.read(len(POINTER)) == POINTER
