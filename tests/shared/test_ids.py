from shared.ids import is_id, new_id


def test_ids_of_one_process_are_in_the_order_in_which_they_were_made() -> None:
    made = [new_id("job") for _ in range(5000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_only_text_of_the_right_form_is_an_id() -> None:
    assert is_id("job", new_id("job"))
    for text in ("", "job_", "job_x", new_id("ckpt"), new_id("job")[:-1] + "I", "job_" + "é" * 26):
        assert not is_id("job", text)
