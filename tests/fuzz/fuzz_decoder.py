"""A fuzz target for the decoder; run `python -m tests.fuzz.fuzz_decoder tests/fuzz/decoder_corpus`."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["streamer.avro", "streamer.records"]):
    from tests.fuzz.decoder_property import check


def main() -> None:
    """Hands over to libFuzzer, which takes its own options from the command line."""
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
