"""Which model version answers which event: documents, admission, buckets and the router."""
