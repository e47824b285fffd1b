from rich.console import Console

from trainshed.dataset_tables import print_datasets


def test_datasets_are_shown_with_their_shape_or_their_files() -> None:
    images = {
        "id": "digits", "summary": "real scans", "is_available": True,
        "image_size": 8, "channels": 1, "train": 1438, "test": 359, "classes": ["0", "1"],
    }  # fmt: skip
    table = {**images, "id": "table", "is_available": False, "files": ["flowers.csv"]}
    console = Console(width=200, record=True)
    print_datasets(console, [images, table])
    rows = [line.split() for line in console.export_text().splitlines() if line.startswith("│")]
    assert [word for word in rows[0] if word != "│"] == [
        "digits",
        "1,797",
        "2",
        "8×8×1",
        "yes",
        "real",
        "scans",
    ]
    assert [word for word in rows[1] if word != "│"] == [
        "table",
        "flowers.csv",
        "no",
        "real",
        "scans",
    ]
