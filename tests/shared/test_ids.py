"""Ids sort by their creation and have a fixed form."""

from shared.ids import is_id, new_id


def test_ids_of_one_process_sort_by_creation() -> None:
    ids = [new_id("job") for _ in range(5000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)


def test_text_of_another_form_is_not_an_id() -> None:
    assert is_id("job", new_id("job"))
    for text in ("", "job_", "job_x", new_id("ckpt"), new_id("job")[:-1] + "I", "job_" + "é" * 26):
        assert not is_id("job", text)
