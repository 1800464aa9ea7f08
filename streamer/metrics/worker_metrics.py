"""The metrics of one worker process."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from streamer.metrics.vector_histogram import VectorHistogram

_STAGE_BOUNDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0)
_AGE_BOUNDS = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600, 86_400)
_BATCH_BOUNDS = (1, 4, 16, 64, 256, 1024, 2048, 4096, 8192, 16_384, 65_536)


class WorkerMetrics:
    """All metrics of a worker, in a registry of their own so that tests can have several workers.

    Attributes:
        registry: What ``/metrics`` shows.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.events = Counter(
            "streamer_events_total", "Events whose answer (inference or dead letter) is committed.", registry=registry
        )
        self.inferences = Counter(
            "streamer_inferences_total", "Committed inferences.", ["variant", "role"], registry=registry
        )
        self.dead_letters = Counter(
            "streamer_dead_letters_total", "Committed dead letters.", ["stage", "reason"], registry=registry
        )
        self.prediction_failures = Counter(
            "streamer_prediction_failures_total",
            "Records that a model could not answer; they went to the fallback or to the dead letters.",
            ["variant", "reason"],
            registry=registry,
        )
        self.shadow_dropped = Counter(
            "streamer_shadow_dropped_total",
            "Events that a shadow did not answer in time or at all.",
            ["variant", "reason"],
            registry=registry,
        )
        self.null_bucketing = Counter(
            "streamer_null_bucketing_total",
            "Events without a bucketing value, bucketed by their event id.",
            registry=registry,
        )
        self.removed_unanswered = Counter(
            "streamer_removed_unanswered_total",
            "Offsets that the events topic's retention removed before they were answered.",
            registry=registry,
        )
        self.transactions = Counter(
            "streamer_transactions_total", "Batches by how they ended.", ["result"], registry=registry
        )
        self.rebalances = Counter("streamer_rebalances_total", "Assignments received.", registry=registry)
        self.batch_records = Histogram(
            "streamer_batch_records", "Records in a batch.", buckets=_BATCH_BOUNDS, registry=registry
        )
        self.stage_seconds = Histogram(
            "streamer_stage_seconds",
            "Time of one batch in each stage.",
            ["stage"],
            buckets=_STAGE_BOUNDS,
            registry=registry,
        )
        self.predict_seconds = Histogram(
            "streamer_predict_seconds",
            "Time of one batch in a model.",
            ["model", "version", "variant"],
            buckets=_STAGE_BOUNDS,
            registry=registry,
        )
        self.event_age_seconds = VectorHistogram(
            "streamer_event_to_output_seconds",
            "From an event's Kafka timestamp to the commit of its answer; up to 64 events of each batch.",
            _AGE_BOUNDS,
            registry,
        )
        self.lag_records = Gauge(
            "streamer_lag_records", "Records behind the end of the partition.", ["partition"], registry=registry
        )
        self.routing_revision = Gauge(
            "streamer_routing_revision", "The routing revision that answers now; 0 before the first.", registry=registry
        )
        self.loaded_models = Gauge("streamer_loaded_models", "Model versions in memory.", registry=registry)
        self.degraded = Gauge(
            "streamer_degraded", "1 while the worker serves, but not as the newest documents ask.", registry=registry
        )
        self.held_partitions = Gauge(
            "streamer_held_partitions",
            "Partitions paused until this worker has caught up with the revision of their former owner.",
            registry=registry,
        )
