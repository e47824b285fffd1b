import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.worker.data.files import images_of
from worker.data import digits
from worker.data.errors import SourceFailed


def test_all_scans_are_read_with_their_labels() -> None:
    content = digits.read()
    images = images_of(content)
    assert content.shape == images.shape == (1_797, 1, 8, 8)
    assert content.first_test is None
    assert np.bincount(content.labels).tolist() == [
        178,
        182,
        177,
        183,
        181,
        182,
        181,
        179,
        174,
        180,
    ]
    assert images[0, 0, 0].tolist() == [0, 0, 80, 207, 143, 16, 0, 0]  # 0 0 5 13 9 1 0 0 of 16
    assert images.max() == 255


def test_scans_are_the_same_as_in_scikit_learn() -> None:
    code = (
        "from sklearn.datasets import load_digits; from worker.data import digits;"
        "import numpy as np; ours = np.concatenate(list(digits.read().blocks))[:, 0];"
        "theirs = load_digits(); assert (np.rint(ours / 255 * 16) == theirs.images).all();"
        "assert (digits.read().labels == theirs.target).all()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_reading_does_not_import_scikit_learn() -> None:
    code = (
        "import sys; from worker.data import digits; digits.read();"
        "assert 'sklearn' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "content",
    [b"", gzip.compress(b"1,2,3\n"), gzip.compress(b"a,b\n"), gzip.compress(b"1,2\n")[:-9]],
    ids=[
        "empty",
        "too few columns",
        "no numbers",
        "truncated",
    ],  # gzip stores the time, so the content is no stable id
)
def test_damaged_table_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "digits.csv.gz").write_bytes(content)
    with pytest.raises(SourceFailed, match=r"digits\.csv\.gz"):
        digits.read_table(tmp_path / "digits.csv.gz")
