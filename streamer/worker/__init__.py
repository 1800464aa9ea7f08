"""The worker: one loop that polls, decodes, routes, predicts, encodes, publishes and commits, exactly once."""
