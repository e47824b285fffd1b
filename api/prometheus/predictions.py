"""Gauges of the quality of predictions, by what they are based on."""

from prometheus_client import CollectorRegistry, Gauge

from api.services.container import Services
from shared.jobs.estimates.quality import MemoryQuality, TimeQuality, read_quality

#: By attribute: the name of the metric and its description. NaN where there are no jobs.
TIMES = {
    "jobs": ("jobs", "Ended jobs by what their predicted time was based on"),
    "p50_coverage": ("p50_coverage", "Fraction of the jobs that took at most the predicted p50"),
    "p90_coverage": ("p90_coverage", "Fraction of the jobs that took at most the predicted p90"),
    "median_error": ("median_error", "Median of |time / predicted p50 - 1|"),
}
MEMORY = {
    "jobs": ("jobs", "Attempts by what their predicted memory was based on"),
    "exceeded": ("exceeded_fraction", "Fraction that needed more memory than predicted"),
    "lower": ("exceeded_lower", "The same, lower end of the 95 % interval"),
    "upper": ("exceeded_upper", "The same, upper end of the 95 % interval"),
    "median_ratio": ("median_ratio", "Median of predicted over needed memory"),
}


def predictions(services: Services) -> CollectorRegistry:
    """Return the gauges of the newest predictions."""
    registry = CollectorRegistry()
    with services.database.read() as connection:
        quality = read_quality(connection)
    _add(registry, "trainshed_predicted_time", TIMES, quality.times)
    _add(registry, "trainshed_predicted_memory", MEMORY, quality.memory)
    return registry


def _add(
    registry: CollectorRegistry,
    prefix: str,
    names: dict[str, tuple[str, str]],
    values: dict[str, TimeQuality] | dict[str, MemoryQuality],
) -> None:
    for attribute, (name, description) in names.items():
        gauge = Gauge(f"{prefix}_{name}", description, ["basis"], registry=registry)
        for basis, quality in values.items():
            gauge.labels(basis).set(getattr(quality, attribute))
