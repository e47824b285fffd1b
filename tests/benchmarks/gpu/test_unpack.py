"""The environment of a packed check: packed packages first, then the machine's."""

import subprocess
import sys
import tarfile
from pathlib import Path

from benchmarks.boxes import ROOT


def test_environment_has_packed_packages_before_those_of_the_machine(tmp_path: Path) -> None:
    site, pack = tmp_path / "site", tmp_path / "pack"
    (pack / "fashion-mnist").mkdir(parents=True)
    site.mkdir()
    (site / "packed_alone.py").write_text("")
    (site / "structlog.py").write_text("ORIGIN = 'packed'")
    with tarfile.open(pack / "site.tar.xz", "w:xz") as archive:
        archive.add(site, arcname=".")
    unpack = [sys.executable, str(ROOT / "benchmarks" / "gpu" / "unpack.py"), str(pack)]
    unpack += [str(tmp_path / "environment")]
    subprocess.run(unpack, check=True, cwd=tmp_path)
    code = "import packed_alone, structlog, pydantic; print(structlog.ORIGIN)"
    run = [str(tmp_path / "environment" / "bin" / "python"), "-c", code]
    done = subprocess.run(run, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "packed\n"), done.stderr
