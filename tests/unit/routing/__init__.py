"""Tests of routing: bucketing, segments, admission, validation."""
