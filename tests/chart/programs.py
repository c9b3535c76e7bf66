"""The programs that are tested: those of this work tree, or those of an image.

IMAGE_ROOT names the root file system of an image, as a container would see it: read-only, but with the folder of
pytest at its own place, writable. IMAGE_ENV holds the image's environment, one `NAME=value` a line. With these, programs
are started in there, by the user that the chart says. `docker/check-build.sh` sets both.
"""

import os
import shutil
from pathlib import Path

from rendered import ROOT

IMAGE_ROOT = os.environ.get("IMAGE_ROOT")
IMAGE_ENVIRONMENT = dict(line.split("=", 1) for line in os.environ.get("IMAGE_ENV", "").splitlines())
USER = 65532
IN_IMAGE = Path("/usr/local/bin")
BINARIES = Path(
    os.environ.get("E2E_BIN_DIR") or Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "debug"
).resolve()


def program(name: str) -> list[str]:
    """What starts a program, to be followed by its arguments."""
    if IMAGE_ROOT:
        # By its path, because environments here contain only a pod's variables.
        chroot = shutil.which("chroot")
        return [chroot, f"--userspec={USER}:{USER}", f"--groups={USER}", IMAGE_ROOT, str(IN_IMAGE / name)]
    return [str(BINARIES / name)]


def hand_over(folder: Path) -> Path:
    """Lets the programs write to a folder of pytest's, and find it."""
    if IMAGE_ROOT:
        os.chown(folder, USER, USER)
        folder.parent.chmod(0o711)
    return folder
