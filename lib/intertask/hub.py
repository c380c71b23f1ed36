"""One way to a repository of the Hugging Face Hub, data set or model: a local folder of its files.

With INTERTASK_HUB set to a folder of local clones (`<mirror>/<owner>/<name>/…`), that clone is used and nothing is
fetched; otherwise the wanted files are downloaded into the Hub's own cache.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from intertask.errors import IntertaskError, did_you_mean


def folder(repo_id: str, repo_type: str, patterns: Sequence[str], revision: str = "main") -> Path:
    """The local folder of a repository (`repo_type`: "dataset" or "model") with the files that match `patterns`."""
    mirror = os.environ.get("INTERTASK_HUB")
    return _cloned(repo_id, Path(mirror)) if mirror else _downloaded(repo_id, repo_type, list(patterns), revision)


def _cloned(repo_id: str, mirror: Path) -> Path:
    clone = mirror / repo_id
    if clone.is_dir():
        return clone
    held = sorted(f"{path.parent.name}/{path.name}" for path in mirror.glob("*/*") if path.is_dir())
    raise IntertaskError(
        f"{repo_id} is not in the mirror INTERTASK_HUB={mirror}.{did_you_mean(repo_id, held)} "
        f"Put a local clone at {clone}, or unset INTERTASK_HUB to use the Hub."
    )


def _downloaded(repo_id: str, repo_type: str, patterns: list[str], revision: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return Path(
            snapshot_download(repo_id, repo_type=repo_type, revision=revision, allow_patterns=patterns, etag_timeout=5)
        )
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise IntertaskError(
            f"Expected the {repo_type} {repo_id} (revision {revision}) as a local folder, in the Hub's cache or on the "
            f"Hub; none of them gave it: {str(error).splitlines()[0]} Check the name and the connection; on a machine "
            "without internet set INTERTASK_HUB to a folder of local clones (<mirror>/<owner>/<name>/…)."
        ) from error
