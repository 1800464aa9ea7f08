"""Shadows answer beside the serving variant, on a topic of their own, and never delay or fail it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.routing.bucketing import hash64, unit_interval
from streamer.routing.router import SHADOW_SALT
from tests.support.deployment import arm
from tests.support.event_feed import events
from tests.support.small_models import boosted_trees, constant, raises_from_ten

if TYPE_CHECKING:
    from tests.support.deployment import Deployment

N = 3000


def test_shadows_answer_their_sample_and_a_failing_one_fails_alone(deployment: Deployment) -> None:
    champion, whole, sampled, failing = boosted_trees(), constant(1.0), constant(2.0), raises_from_ten()
    models = [model.document(deployment.folder) for model in (champion, whole, sampled, failing)]
    deployment.publish_endpoint(batch={"max_records": 100, "max_wait_ms": 5})
    deployment.publish_routing(
        [arm("champion", champion)],
        shadow=[arm("whole", whole), arm("sampled", sampled, sample=0.25), arm("failing", failing)],
        models=models,
    )
    worker = deployment.start_serving()
    # x0 of -100 is no row of the failing shadow's table.
    some = [type(event)(event.i, (-100.0, *event.x[1:])) for event in events(0, N)]
    deployment.feed.send_all(some)
    deployment.await_committed()
    counted = deployment.await_metric(worker, "streamer_events_total", lambda count: count == N)
    assert worker.stop() == 0
    serving = deployment.check_copy()
    assert {seen.envelope["variant"] for seen in serving} == {"champion"}
    shadows = deployment.decode.all(deployment.read_all("shadow"))
    assert {seen.envelope["role"] for seen in shadows} == {"shadow"}
    by_variant = {
        variant: [seen for seen in shadows if seen.envelope["variant"] == variant] for variant in ("whole", "sampled")
    }
    assert len(by_variant["whole"]) + len(by_variant["sampled"]) == len(shadows)
    answered = {variant: {seen.event_id for seen in seens} for variant, seens in by_variant.items()}
    ids = [event.id for event in some]
    drawn = unit_interval(hash64(f"{SHADOW_SALT}sampled", [name.encode() for name in ids]))
    in_sample = {name for name, chance in zip(ids, drawn.tolist(), strict=True) if chance < 0.25}
    for variant, expected, score in (("whole", set(ids), 1.0), ("sampled", in_sample, 2.0)):
        assert answered[variant] <= expected
        assert len(answered[variant]) == len(by_variant[variant]), "none twice"
        dropped = sum(
            value
            for name, value in counted.items()
            if name.startswith("streamer_shadow_dropped_total") and f'variant="{variant}"' in name
        )
        assert len(answered[variant]) + dropped == len(expected)
        assert len(answered[variant]) > len(expected) / 2, "a shadow that is quick is rarely late"
        assert {seen.envelope["output"]["score"] for seen in by_variant[variant]} == {score}
    for seen in shadows:
        assert seen.source[0] == seen.record.partition
    failed = [name for name in counted if "streamer_shadow_dropped_total" in name and 'variant="failing"' in name]
    assert sum(counted[name] for name in failed) >= N / 2
    assert deployment.read_all("dead-letters") == []


def test_a_shadow_that_sleeps_a_second_per_batch_drops_its_own_answers_and_delays_nobody(
    deployment: Deployment,
) -> None:
    champion, slow = boosted_trees(), constant(1.0)
    models = [model.document(deployment.folder) for model in (champion, slow)]
    deployment.publish_endpoint(batch={"max_records": 20, "max_wait_ms": 0})
    deployment.publish_routing([arm("champion", champion)], shadow=[arm("slow", slow)], models=models)
    worker = deployment.start_serving(alteration="slow_shadow")
    deployment.feed.send_all(events(0, 2000))
    # A hundred batches: two minutes and more if any of them waited for the shadow.
    deployment.await_committed(60)
    counted = deployment.await_metric(worker, "streamer_events_total", lambda count: count == 2000)
    assert worker.stop(deadline_seconds=10) == 0
    assert len(deployment.check_copy()) == 2000
    dropped = {name: value for name, value in counted.items() if name.startswith("streamer_shadow_dropped_total")}
    assert {'reason="late"', 'reason="busy"', 'reason="breaker"'} <= {
        reason for name in dropped for reason in name.replace("{", ",").replace("}", ",").split(",")
    }
    shadowed = counted.get('streamer_inferences_total{role="shadow",variant="slow"}', 0.0)
    assert sum(dropped.values()) + shadowed == 2000
