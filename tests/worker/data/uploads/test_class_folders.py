import pytest

from worker.data.uploads.class_folders import arrange


def _arranged(paths: list[str]) -> list[tuple[str, str, int]]:
    layout = arrange(paths)
    assert not layout.faults
    return [
        (paths[placed.index], layout.class_names[placed.label], placed.split)
        for placed in layout.placed
    ]


def test_folders_are_classes_ordered_by_name() -> None:
    assert _arranged(["dogs/1.png", "cats/2.png", "cats/1.png"]) == [
        ("cats/1.png", "cats", 0),
        ("cats/2.png", "cats", 0),
        ("dogs/1.png", "dogs", 0),
    ]
    assert not arrange(["dogs/1.png", "cats/2.png"]).has_splits


@pytest.mark.parametrize("name", ["val", "valid", "validation", "Validation"])
def test_split_folders_order_training_validation_and_test(name: str) -> None:
    paths = ["test/cats/1.png", f"{name}/dogs/1.png", "train/dogs/1.png", "train/cats/1.png"]
    assert [split for _, _, split in _arranged(paths)] == [0, 0, 1, 2]
    assert arrange(paths).has_splits
    assert arrange(paths).class_names == ("cats", "dogs")


def test_single_top_folder_is_ignored() -> None:
    assert arrange(["set/cats/1.png", "set/dogs/1.png"]).class_names == ("cats", "dogs")
    with_splits = arrange(["set/train/cats/1.png", "set/test/dogs/1.png"])
    assert (with_splits.class_names, with_splits.has_splits) == (("cats", "dogs"), True)


def test_single_split_folder_is_no_top_folder() -> None:
    layout = arrange(["train/cats/1.png", "train/dogs/1.png"])
    assert (layout.class_names, layout.has_splits) == (("cats", "dogs"), True)


def test_class_may_be_named_as_a_split() -> None:
    layout = arrange(["train/1.png", "car/1.png"])
    assert (layout.class_names, layout.has_splits) == (("car", "train"), False)


def test_files_in_no_class_folder_are_named() -> None:
    layout = arrange(["cats/1.png", "dogs/1.png", "2.png", "dogs/old/3.png"])
    assert {fault["file"] for fault in layout.faults} == {"2.png", "dogs/old/3.png"}
    assert layout.class_names == ("cats", "dogs")
