"""Avro, columns at a time: schemas, framings, decoding and encoding."""
