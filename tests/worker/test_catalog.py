from jsonschema import Draft202012Validator

from shared import catalog
from worker.catalog import generate, is_fresh


def test_committed_catalogue_is_fresh() -> None:
    assert is_fresh(generate()), "run `make catalog` and commit shared/catalog.json"


def test_every_schema_is_valid_and_accepts_its_own_defaults() -> None:
    entries = catalog.load()
    for slot in catalog.SLOTS:
        for method in entries[slot].values():
            schema = method["parameters"]
            Draft202012Validator.check_schema(schema)
            defaults = {
                name: field["default"]
                for name, field in schema["properties"].items()
                if "default" in field
            }
            Draft202012Validator(schema).validate(defaults)


def test_small_vgg_has_the_documented_parameter_count() -> None:
    vgg_small = catalog.load()["architectures"]["vgg_small"]
    assert vgg_small["parameter_count"] == {
        "trainable": 2_169_770,
        "with_statistics": 2_171_178,
        "reference": 2_171_178,
    }
