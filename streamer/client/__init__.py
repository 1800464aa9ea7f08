"""Write feature events here, read inferences there: five lines each.

from streamer.client import EventProducer, InferenceConsumer

with EventProducer("flights") as events:
    events.send({"flight_id": "UA-1545", "distance": 1400.0})

with InferenceConsumer("flights", timeout_seconds=5) as inferences:
    for inference in inferences:
        print(inference.event_id, inference.output)
"""

from streamer.client.event_producer import EventProducer
from streamer.client.inference import Inference, InferenceBatch
from streamer.client.inference_consumer import InferenceConsumer

__all__ = ["EventProducer", "Inference", "InferenceBatch", "InferenceConsumer"]
