from rich.console import Console

from trainshed.dataset_tables import print_dataset, print_datasets

DIGITS = {
    "name": "digits", "version": None, "state": "ready", "kind": "images", "images": 1797,
    "classes": [
        {"name": "0", "images": 897, "train": 700, "validation": None, "test": 197},
        {"name": "1", "images": 900, "train": 703, "validation": None, "test": 197},
    ],
    "image_sizes": {"min": [8, 8], "median": [8, 8], "max": [8, 8]}, "channels": 1,
    "features": None, "files": [], "summary": "Real scans.", "is_available": True,
    "ways": ["scikit-learn"], "bytes": None, "created_at": None, "warnings": [], "rejected": [],
}  # fmt: skip
UNKNOWN = {"images": None, "classes": [], "image_sizes": None, "channels": None}
TABLE = {**DIGITS, **UNKNOWN, "name": "table", "kind": "table", "files": ["flowers.csv"]}
CHECKED = {
    **DIGITS, **UNKNOWN, "name": "flowers", "version": 2, "state": "checking", "kind": None,
    "summary": "5 bytes, uploaded.", "is_available": False, "bytes": 5,
    "created_at": "2026-11-27T09:00:00Z",
}  # fmt: skip


def test_every_data_set_has_a_row_of_the_same_form() -> None:
    console = Console(width=200, record=True)
    print_datasets(console, [DIGITS, {**TABLE, "is_available": False}, CHECKED])
    lines = [line for line in console.export_text().splitlines() if line.startswith("│")]
    assert [[cell.strip() for cell in line.strip("│").split("│")] for line in lines] == [
        ["digits", "1,797", "2", "8×8×1", "yes", "Real scans."],
        ["table", "", "", "", "no", "Real scans. Files: flowers.csv."],
        ["flowers@2", "", "", "", "checking", "5 bytes, uploaded."],
    ]


def test_a_data_set_is_shown_with_its_classes_and_the_splits_that_it_has() -> None:
    console = Console(width=100, record=True)
    print_dataset(console, DIGITS)
    text = console.export_text()
    assert "digits: Real scans." in text
    assert "1,797 images, median size 8×8" in text
    assert "train" in text
    assert "test" in text
    assert "validation" not in text


def test_a_built_in_set_that_has_to_be_fetched_says_from_where() -> None:
    console = Console(width=100, record=True)
    print_dataset(console, {**DIGITS, "is_available": False})
    assert "not on the box yet; its sources: scikit-learn" in console.export_text()


def test_a_data_set_that_is_checked_is_shown_without_content() -> None:
    console = Console(width=100, record=True)
    print_dataset(console, CHECKED)
    assert console.export_text().startswith("flowers@2: checking, 5 B, 2026-11-27")
