"""``streamer demo``: the whole of Streamer on real flights, with every promise checked at the end.

It uses only what a user has: :func:`streamer.register`, the library behind ``streamer apply`` and ``rollback``,
``streamer worker``, :class:`~streamer.client.EventProducer` and :class:`~streamer.client.InferenceConsumer`.
Read :mod:`streamer.demo.run` first.
"""
