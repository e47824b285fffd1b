"""`GET /v1/datasets/table`: the tables on the box."""

from tests.api.service import Service


def test_files_of_tables_are_listed(service: Service) -> None:
    directory = service.settings.home / "data" / "table"
    directory.mkdir(parents=True)
    for name in ("b.parquet", "a.csv", "notes.txt"):
        (directory / name).touch()
    table = service.client.get("/v1/datasets/table").json()
    assert table["files"] == ["a.csv", "b.parquet"]
    assert table["is_available"]
