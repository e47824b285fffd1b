"""What a runner is given of its worker's environment."""

import pytest
from structlog.testing import capture_logs

from worker.spare import passed_on

CACHES = {"HF_HOME": "/data/hf", "XDG_CACHE_HOME": "/data/cache", "TORCH_HOME": "/data/torch"}
SECRETS = {
    "TRAINSHED_ADMIN_KEY": "a key",
    "TRAINSHED_BROKER_URL": "redis://:word@broker",
    "HF_TOKEN": "a token",
    "AWS_SECRET_ACCESS_KEY": "a key",
}


def test_where_things_are_cached_is_passed_on_and_no_secret() -> None:
    assert passed_on({**CACHES, **SECRETS}) == CACHES


@pytest.mark.parametrize("name", ["http_proxy", "https_proxy", "HTTPS_PROXY", "HF_ENDPOINT"])
def test_an_address_is_passed_on(name: str) -> None:
    environment = {name: "http://proxy:3128", "no_proxy": "localhost,127.0.0.1"}
    assert passed_on(environment) == environment


@pytest.mark.parametrize("address", ["http://me:word@proxy:3128", "me:word@proxy:3128"])
def test_an_address_with_a_password_is_left_out_and_its_name_is_told_once(address: str) -> None:
    name = f"{'HTTP' if address.startswith('http') else 'ALL'}_PROXY"
    with capture_logs() as told:
        assert passed_on({name: address, **CACHES}) == CACHES
        passed_on({name: address})
    assert [line["name"] for line in told] == [name]
    assert "word@" not in str(told)
