"""What Streamer costs, measured beside what one would write by hand. Run with `python -m benchmarks`."""
