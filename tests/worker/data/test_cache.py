import errno
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from worker.data.cache import Cache
from worker.data.cache_files import CacheBroken
from worker.data.dataset import Bytes, Content, Integers

IMAGES = np.random.default_rng(3).integers(0, 256, (50, 3, 8, 8), np.uint8)
LABELS = np.arange(50) % 7


class Maker:
    """Makes the content and counts the calls."""

    def __init__(self, images: Bytes = IMAGES, labels: Integers = LABELS) -> None:
        self.times = 0
        self.images, self.labels = images, labels

    def __call__(self) -> Content:
        self.times += 1
        return Content.of(self.images, self.labels, first_test=40)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def make() -> Maker:
    return Maker()


def open_entry(cache: Cache, make: Callable[[], Content]) -> None:
    entry = cache.get("some-8x3", make, name="some")
    assert np.array_equal(entry.images, IMAGES)
    assert np.array_equal(entry.labels, LABELS)
    assert entry.first_test == 40
    assert entry.content_hash.startswith("sha256:")


def images_file(cache: Cache) -> Path:
    return next(cache.directory.glob("some-*-8x3.npy"))


class TestEntry:
    def test_is_made_once(self, cache: Cache, make: Maker) -> None:
        open_entry(cache, make)
        open_entry(cache, make)
        assert make.times == 1
        assert not list(cache.directory.glob("*.tmp"))

    def test_is_memory_mapped_and_read_only(self, cache: Cache, make: Maker) -> None:
        entry = cache.get("some-8x3", make, name="some")
        assert isinstance(entry.images, np.memmap)
        assert not entry.images.flags.writeable

    def test_opens_within_20_milliseconds_of_cpu_time(self, cache: Cache) -> None:
        large = Maker(np.zeros((70_000, 1, 16, 16), np.uint8), np.zeros(70_000, np.int64))
        cache.get("large", large, name="large")
        times = []
        for _ in range(7):
            start = time.thread_time()
            cache.get("large", large, name="large")
            times.append(time.thread_time() - start)
        assert min(times) < 0.02
        assert large.times == 1

    def test_equal_content_has_an_equal_hash_and_other_labels_another(self, tmp_path: Path) -> None:
        hashes = [
            Cache(tmp_path / name).get("some", maker, name="some").content_hash
            for name, maker in (("a", Maker()), ("b", Maker()), ("c", Maker(labels=LABELS[::-1])))
        ]
        assert hashes[0] == hashes[1] != hashes[2]


def truncate(cache: Cache) -> None:
    os.truncate(images_file(cache), 5_000)


def change_a_byte(cache: Cache) -> None:
    with images_file(cache).open("r+b") as file:
        file.seek(4_000)
        file.write(bytes([255 - IMAGES.reshape(-1)[4_000 - 128]]))


def overwrite_the_header(cache: Cache) -> None:
    with images_file(cache).open("r+b") as file:
        file.write(b"junk")


def remove_the_images(cache: Cache) -> None:
    images_file(cache).unlink()


def change_a_label(cache: Cache) -> None:
    next(cache.directory.glob("*.labels")).write_bytes(bytes(400))


def remove_the_labels(cache: Cache) -> None:
    next(cache.directory.glob("*.labels")).unlink()


def truncate_the_index(cache: Cache) -> None:
    path = cache.directory / "some-8x3.json"
    path.write_bytes(path.read_bytes()[:100])


def empty_the_index(cache: Cache) -> None:
    (cache.directory / "some-8x3.json").write_text("{}")


def set_a_future_format(cache: Cache) -> None:
    path = cache.directory / "some-8x3.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        change_a_byte,
        overwrite_the_header,
        remove_the_images,
        change_a_label,
        remove_the_labels,
        truncate_the_index,
        empty_the_index,
        set_a_future_format,
    ],
)
def test_damaged_entry_is_made_again(
    cache: Cache, make: Maker, damage: Callable[[Cache], None]
) -> None:
    open_entry(cache, make)
    damage(cache)
    open_entry(cache, make)
    assert make.times == 2
    open_entry(cache, make)
    assert make.times == 2


def test_copied_directory_is_hashed_once_and_not_made_again(
    cache: Cache, make: Maker, tmp_path: Path
) -> None:
    open_entry(cache, make)
    os.utime(images_file(cache), (1, 1))
    shutil.copytree(cache.directory, tmp_path / "copy")
    open_entry(Cache(tmp_path / "copy"), make)
    assert make.times == 1
    assert Cache(tmp_path / "copy").get("some-8x3", make, name="some").first_test == 40


def test_files_of_a_killed_writer_are_ignored(cache: Cache, make: Maker) -> None:
    cache.directory.mkdir()
    (cache.directory / "some-8x3.images.tmp").write_bytes(bytes(1_000_000))
    open_entry(cache, make)
    assert not list(cache.directory.glob("*.tmp"))


def test_failed_make_leaves_no_files(cache: Cache) -> None:
    def fail() -> Content:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cache.get("some-8x3", fail, name="some")
    with pytest.raises(ValueError, match="50 images and 3 labels"):
        cache.get("some-8x3", Maker(labels=LABELS[:3]), name="some")
    assert [path.name for path in cache.directory.iterdir()] == ["some-8x3.lock"]


def test_full_disk_is_detected_before_writing(cache: Cache) -> None:
    huge = Content((10**9, 3, 1024, 1024), iter(()), np.zeros(0, np.int64))
    with pytest.raises(OSError, match="MiB free") as caught:
        cache.get("huge", lambda: huge, name="huge")
    assert caught.value.errno == errno.ENOSPC
    assert [path.name for path in cache.directory.iterdir()] == ["huge.lock"]


RACER = """
import sys, time
from pathlib import Path
from worker.data.cache import Cache
from tests.worker.data.test_cache import Maker, open_entry

class Slow(Maker):
    def __call__(self):
        with open(sys.argv[2], "a") as file:
            file.write("made\\n")
        time.sleep(0.3)
        return super().__call__()

print("ready", flush=True)
sys.stdin.readline()
open_entry(Cache(Path(sys.argv[1])), Slow())
"""


def test_two_processes_make_an_entry_once(cache: Cache, tmp_path: Path) -> None:
    record = tmp_path / "record"
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(cache.directory), str(record)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        )
        for _ in range(2)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    for racer in racers:
        racer.communicate(timeout=120)
    assert [racer.returncode for racer in racers] == [0, 0]
    assert record.read_text() == "made\n"


def test_error_of_a_broken_entry_states_the_reason(cache: Cache, make: Maker) -> None:
    open_entry(cache, make)
    truncate(cache)
    with pytest.raises(CacheBroken, match="take 5000 bytes, not 9728"):
        cache._open("some-8x3")
