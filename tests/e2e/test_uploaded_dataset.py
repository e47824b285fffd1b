"""Data sets of one's own, from the command line: pictures and tables."""

import subprocess
import zipfile
from pathlib import Path
from shutil import which

import numpy as np
import pytest

from box.processes import processes_of
from tests.e2e.compose_file import ComposedBox
from tests.e2e.conftest import TIMEOUT_SECONDS, EmbeddedBox, free_port, wait_until
from tests.e2e.test_compose_file import redis_url
from tests.e2e.uploaded_pictures import CLASSES, CommandLine, check_pictures, save
from trainshed import Client

__all__ = ["redis_url"]
pytestmark = pytest.mark.e2e


def test_folder_of_pictures_on_the_embedded_box(box: EmbeddedBox, tmp_path: Path) -> None:
    with box.client() as client:
        check_pictures(CommandLine(box.environment), client, box.home, tmp_path)


@pytest.mark.long
def test_folder_of_pictures_on_postgresql_and_redis(
    postgresql_url: str, redis_url: str, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    composed = ComposedBox(
        home=home,
        database_url=postgresql_url,
        broker_url=redis_url,
        mlflow_url=f"sqlite:///{tmp_path / 'mlflow.db'}",
        api_port=free_port(),
        sidecar_port=free_port(),
    )
    environment = composed.environment("api") | {"TRAINSHED_URL": composed.url}
    try:
        composed.start()
        with Client(composed.url, composed.key) as client:
            check_pictures(CommandLine(environment), client, home, tmp_path)
    finally:
        composed.stop()
    wait_until(lambda: not processes_of(home), "the exit of the worker's spare")


def test_table_is_added_trained_predicted_and_deleted(box: EmbeddedBox, tmp_path: Path) -> None:
    commands = CommandLine(box.environment)
    rows = np.random.default_rng(0).normal(size=(200, 2))
    price = 3 * rows[:, 0] - rows[:, 1] + 10
    table = tmp_path / "houses.csv"
    lines = [f"{a},{b},{c}" for (a, b), c in zip(rows, price, strict=True)]
    table.write_text("\n".join(["size,age,price", *lines]))
    added = commands.json("datasets", "add", "houses", table, "--target", "price")
    assert (added["kind"], added["task"], added["images"]) == ("table", "regression", 200)
    assert "predicts price from size, age" in commands.run("datasets", "show", "houses").stdout
    with box.client() as client:
        spec = {"dataset": "houses", "architecture": "linear", "training": {"epochs": 40}}
        job = client.submit(spec)
        ended = client.wait(job["id"], timeout_seconds=TIMEOUT_SECONDS)
    assert ended["state"] == "succeeded", ended["failure"]
    assert ended["metrics"]["test_r2"] > 0.95
    predicted = commands.json("predict", job["id"], table)
    assert len(predicted) == 200
    values = np.array([each["value"] for each in predicted])
    assert np.abs(values - price).mean() < 0.5
    assert commands.json("datasets", "delete", "houses")["freed_bytes"] >= table.stat().st_size


def _as_python_does(folder: Path, path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*.*")):
            archive.write(file, file.relative_to(folder))


def _as_windows_tools_do(folder: Path, path: Path) -> None:
    """Write backslashes, which `zipfile` would replace, and a folder around everything."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.*")):
            entry = zipfile.ZipInfo("x")
            entry.filename = f"Bilder\\{file.relative_to(folder)}".replace("/", "\\")
            archive.writestr(entry, file.read_bytes())


def _as_macos_does(folder: Path, path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Bilder/.DS_Store", b"\0\0\0\1Bud1")
        for file in sorted(folder.rglob("*.*")):
            name = file.relative_to(folder).as_posix()
            archive.write(file, f"Bilder/{name}")
            parent, _, last = name.rpartition("/")
            archive.writestr(f"__MACOSX/Bilder/{parent}/._{last}", b"\0\5\x16\7")


def _as_zip_does(folder: Path, path: Path) -> None:
    if which("zip") is None:
        pytest.skip("needs the program `zip`")
    subprocess.run(["zip", "-qr", path, "."], cwd=folder, check=True)


@pytest.mark.parametrize(
    "write", [_as_python_does, _as_windows_tools_do, _as_macos_does, _as_zip_does]
)
def test_archives_of_all_tools_have_the_same_classes(
    box: EmbeddedBox, tmp_path: Path, write: object
) -> None:
    assert callable(write)
    folder = tmp_path / "pictures"
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for seed in range(3):
            save(folder / name, label, seed)
    archive = tmp_path / "pictures.zip"
    write(folder, archive)
    commands = CommandLine(box.environment)
    added = commands.json("datasets", "add", "archives", archive)
    assert {each["name"]: each["images"] for each in added["classes"]} == dict.fromkeys(CLASSES, 3)
    commands.json("datasets", "delete", "archives")


def test_damaged_picture_rejects_the_upload_with_its_name(box: EmbeddedBox, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for seed in range(4):
            save(folder / name, label, seed)
    (folder / CLASSES[0] / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    commands = CommandLine(box.environment)
    added = commands.run("datasets", "add", "damaged", folder)
    assert added.returncode == 2
    assert f"{CLASSES[0]}/broken.png" in added.stderr
    added = commands.run("datasets", "add", "damaged", folder, "--skip-bad")
    assert added.returncode == 0, added.stderr
    assert "damaged@2" in added.stdout
    commands.run("datasets", "delete", "damaged")
