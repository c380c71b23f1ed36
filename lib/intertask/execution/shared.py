"""What the file system can do on which the results lie: claims need little of it, but that little must hold."""

import fcntl
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from intertask.errors import refusal
from intertask.studies.claims import LEASE

OF_ONE_MACHINE = {"apfs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "hfs", "overlay", "ramfs", "tmpfs", "xfs", "zfs"}


def shared_folder(folder: Path) -> str:
    """A sentence on a folder that several machines may share; empty: it is one machine's.

    Raises IntertaskError where two could make the same file, or one folder be put in another's place.
    """
    with tempfile.TemporaryDirectory(prefix=".probe-", dir=folder) as scratch:
        if not (_makes_once(Path(scratch)) and _replaces_nothing(Path(scratch))):
            expected = "a file system on which a file is made once (O_EXCL) and a folder replaces no other"
            raise refusal(folder, expected, mounted(folder)[0], "Put the results elsewhere (INTERTASK_RESULTS).")
        locks = _locks(Path(scratch))
    kind, options = mounted(folder)
    if not kind or kind in OF_ONE_MACHINE:
        return ""
    ours = "nolock" in options or any(one.startswith("local_lock=") and "none" not in one for one in options)
    held = "not at all" if not locks else "on this machine alone" if ours else "as it says"
    return f"The results lie on {kind}, where locks hold {held}: drivers share them by leases of {LEASE:g} s instead."


def mounted(folder: Path) -> tuple[str, list[str]]:
    """The kind of a folder's file system, and how it is mounted; empty where the system does not tell."""
    found, path = ("", []), os.path.realpath(folder)
    with suppress(OSError):
        for line in Path("/proc/self/mounts").read_text().splitlines():
            place, kind, options = (part.encode().decode("unicode_escape") for part in line.split()[1:4])
            if path == place or path.startswith(place.rstrip("/") + "/"):
                found = kind, options.split(",")  # a later one lies over an earlier one
    return found


def _makes_once(scratch: Path) -> bool:
    (scratch / "one").touch(exist_ok=False)
    with suppress(FileExistsError):
        (scratch / "one").touch(exist_ok=False)
        return False
    return True


def _replaces_nothing(scratch: Path) -> bool:
    for name in ("from", "to"):
        (scratch / name).mkdir()
        (scratch / name / "file").touch()
    with suppress(OSError):
        (scratch / "from").rename(scratch / "to")
        return False
    return True


def _locks(scratch: Path) -> bool:
    with open(scratch / "lock", "w") as one, open(scratch / "lock") as other:
        try:
            fcntl.flock(one, fcntl.LOCK_EX)
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # a system without them, as Lustre by default
            return False
    return False
