"""Streams of random numbers, and the settings of torch that determinism needs."""

import torch

from worker.training.seed import derive, deterministic_algorithms, reseed, sample_order

CPU = torch.device("cpu")


def test_streams_of_a_seed_differ_and_never_change() -> None:
    """A change here would change the results of every job, so the values are pinned."""
    assert derive(0, "order", 1) == 4374215849138048446
    seeds = {derive(seed, name, index) for seed in (0, 1) for name in "ab" for index in (0, 1)}
    assert len(seeds) == 8
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_each_epoch_has_another_permutation() -> None:
    first, second = sample_order(100, 7, 1), sample_order(100, 7, 2)
    assert torch.equal(first.sort().values, torch.arange(100))
    assert not torch.equal(first, second)
    assert torch.equal(first, sample_order(100, 7, 1))


def test_reseed_sets_the_generator_of_layers() -> None:
    reseed(3, 14, CPU)
    first = torch.rand(5)
    reseed(3, 14, CPU)
    assert torch.equal(torch.rand(5), first)
    reseed(3, 15, CPU)
    assert not torch.equal(torch.rand(5), first)


def test_settings_of_torch_are_restored() -> None:
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    for is_enabled in (True, False):
        with deterministic_algorithms(is_enabled):
            assert torch.are_deterministic_algorithms_enabled() is is_enabled
            assert torch.backends.cudnn.benchmark is not is_enabled
    assert before == (torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark)
