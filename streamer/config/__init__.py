"""Settings: frozen, typed, built once at the edge of the process."""

from streamer.config.settings import KafkaSettings, Settings

__all__ = ["KafkaSettings", "Settings"]
