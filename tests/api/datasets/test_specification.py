"""What a specification may name of an upload, and what is filled in."""

from tests.api.datasets.recorded_checks import HASH, ROSES, TULIPS, finish, of_class, store
from tests.api.service import Service


def test_newest_ready_version_is_pinned(service: Service) -> None:
    finish(service, store(service).json(), ROSES, TULIPS)
    finish(service, store(service).json(), ROSES, TULIPS)
    finish(service, store(service).json())
    store(service)
    job = service.job(service.submit(dataset="flowers"))
    dataset = job["spec"]["dataset"]
    assert (dataset["name"], dataset["content_hash"]) == ("flowers@2", HASH)
    assert (dataset["train"], dataset["validation"], dataset["test"]) == (70, 15, 15)
    assert (dataset["image_size"], dataset["channels"]) == (32, 3)
    assert dataset["resize"] == "crop"
    first = service.job(service.submit(dataset={"name": "flowers@1", "resize": "pad"}))
    assert first["spec"]["dataset"]["name"] == "flowers@1"
    assert first["spec"]["dataset"]["resize"] == "pad"


def test_split_that_lacks_a_class_is_a_warning(service: Service) -> None:
    rare = of_class("rare", 8)
    finish(service, store(service).json(), ROSES, TULIPS, rare)
    job = service.job(service.submit(dataset="flowers"))
    assert not [w for w in job["warnings"] if w["pointer"].startswith("/dataset")]
    job = service.job(service.submit(dataset={"name": "flowers", "test": 5}))
    (warning,) = [w for w in job["warnings"] if w["pointer"].startswith("/dataset")]
    assert warning["pointer"] == "/dataset/test"
    assert "`rare`" in warning["detail"]
    own = of_class("rose", 60, 40, 10, 10), of_class("tulip", 50, 40, 10, 0)
    finish(service, store(service).json(), *own)
    job = service.job(service.submit(dataset="flowers"))
    (warning,) = [w for w in job["warnings"] if w["pointer"].startswith("/dataset")]
    assert (warning["pointer"], "`tulip`" in warning["detail"]) == ("/dataset/test", True)


def test_filled_specification_can_be_submitted_again(service: Service) -> None:
    finish(service, store(service).json(), ROSES, TULIPS)
    filled = service.job(service.submit(dataset="flowers"))["spec"]["dataset"]
    assert service.job(service.submit(dataset=filled))["spec"]["dataset"] == filled
    other = {**filled, "content_hash": f"sha256:{'6' * 64}"}
    faults = service.faults({"dataset": other, "architecture": "mlp"})
    assert "which is sha256:555" in faults["/dataset/content_hash"]


def test_set_that_is_not_ready_is_refused_with_the_reason(service: Service) -> None:
    spec = {"dataset": "flowers", "architecture": "mlp"}
    assert "not a dataset" in service.faults(spec)["/dataset/name"]
    dataset = store(service).json()
    assert "still being checked" in service.faults(spec)["/dataset/name"]
    finish(service, dataset)
    assert "rose/1.png: It is truncated" in service.faults(spec)["/dataset/name"]


def test_class_needs_an_image_for_every_split(service: Service) -> None:
    finish(service, store(service).json(), ROSES, of_class("tulip", 2))
    fault = service.faults({"dataset": "flowers", "architecture": "mlp"})["/dataset/name"]
    assert "at least 3 images each" in fault
    assert "`tulip` has 2" in fault


def test_own_splits_are_the_default(service: Service) -> None:
    classes = of_class("rose", 60, 40, 12, 8), of_class("tulip", 40, 30, 6, 4)
    finish(service, store(service).json(), *classes)
    dataset = service.job(service.submit(dataset="flowers"))["spec"]["dataset"]
    assert (dataset["train"], dataset["validation"], dataset["test"]) == (70, 18, 12)
    spec = {"dataset": {"name": "flowers", "validation": 19}, "architecture": "mlp"}
    assert "at most 18" in service.faults(spec)["/dataset/validation"]


def test_unknown_name_and_version_are_refused_with_what_exists(service: Service) -> None:
    finish(service, store(service).json(), ROSES, TULIPS)

    def fault(name: str) -> str:
        return service.faults({"dataset": name, "architecture": "mlp"})["/dataset/name"]

    assert fault("flwers").startswith("`flwers` is not a dataset. Did you mean `flowers`?")
    text = "`flowers@2` is no version of this data set. Its newest versions: flowers@1"
    assert fault("flowers@2") == text
