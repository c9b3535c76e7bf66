"""The programs under test: those of this work tree, or those of an image.

IMAGE_ROOT names the root file system of an image as a container sees it: read-only, except for pytest's folder, which
is at the same path. IMAGE_ENV holds the image's environment, one `NAME=value` per line. With these, programs run
inside that root, as the chart's user. `docker/check-build.sh` sets both.
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
    """The command that starts a program; append its arguments."""
    if IMAGE_ROOT:
        # By path: these environments have only a pod's variables, and no PATH.
        chroot = shutil.which("chroot")
        return [chroot, f"--userspec={USER}:{USER}", f"--groups={USER}", IMAGE_ROOT, str(IN_IMAGE / name)]
    return [str(BINARIES / name)]


def hand_over(folder: Path) -> Path:
    """Gives the programs access to a folder of pytest, and returns it."""
    if IMAGE_ROOT:
        os.chown(folder, USER, USER)
        folder.parent.chmod(0o711)
    return folder
