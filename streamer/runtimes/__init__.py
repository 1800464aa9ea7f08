"""Executing model artifacts: one runtime per format, and the binding of a model to an endpoint's schemas."""
