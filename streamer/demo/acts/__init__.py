"""The acts of the demo, one file each, in the order of :mod:`streamer.demo.run`."""
