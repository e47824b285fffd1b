"""Make an environment of this machine's packages and the packed.

    python3 benchmarks/gpu/unpack.py DIR ENVIRONMENT

Packed packages come first. Needs nothing but Python.
"""

import shutil
import sys
import sysconfig
import tarfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]


def main(directory: str, target: str) -> int:
    """Unpack; return 2 if the directory is no pack."""
    pack = Path(directory)
    if not (pack / "site.tar.xz").is_file():
        print(f"{pack} has no site.tar.xz: scripts/gpu-pack makes it.", file=sys.stderr)
        return 2
    environment = Path(target)
    venv.create(environment, with_pip=False, symlinks=True)
    names = {"base": str(environment), "platbase": str(environment)}
    site = Path(sysconfig.get_path("purelib", "venv", names))
    with tarfile.open(pack / "site.tar.xz") as archive:
        archive.extractall(site, filter="data")
    # A .pth file's directories come after the environment's own.
    of_machine = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    (site / "machine.pth").write_text("".join(f"{path}\n" for path in of_machine))
    data = ROOT / "home" / "benchmarks" / "data" / "fashion-mnist"
    shutil.copytree(pack / "fashion-mnist", data, dirs_exist_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
