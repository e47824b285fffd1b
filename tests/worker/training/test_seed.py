import torch

from worker.training.seed import derive, deterministic_algorithms, reseed, sample_order

CPU = torch.device("cpu")


def test_streams_of_a_seed_differ_and_stay_as_they_are() -> None:
    """A change here changes every training: the figures are pinned."""
    assert derive(0, "order", 1) == 4374215849138048446
    seeds = {derive(seed, name, place) for seed in (0, 1) for name in "ab" for place in (0, 1)}
    assert len(seeds) == 8
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_an_epoch_s_order_is_a_permutation_of_its_own() -> None:
    first, second = sample_order(100, 7, 1), sample_order(100, 7, 2)
    assert torch.equal(first.sort().values, torch.arange(100))
    assert not torch.equal(first, second)
    assert torch.equal(first, sample_order(100, 7, 1))


def test_reseeding_is_what_layers_draw_from() -> None:
    reseed(3, 14, CPU)
    first = torch.rand(5)
    reseed(3, 14, CPU)
    assert torch.equal(torch.rand(5), first)
    reseed(3, 15, CPU)
    assert not torch.equal(torch.rand(5), first)


def test_settings_of_torch_are_put_back() -> None:
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    for wanted in (True, False):
        with deterministic_algorithms(wanted):
            assert torch.are_deterministic_algorithms_enabled() is wanted
            assert torch.backends.cudnn.benchmark is not wanted
    assert before == (torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark)
