"""The process in which `streamer.runtimes.validation` tries a model: limits itself, prepares, answers as JSON."""

from __future__ import annotations

import os
import resource
import sys

import orjson


def main() -> int:
    """Reads a request and an artifact from standard input; writes one JSON object to standard output."""
    memory_bytes, cpu_seconds, answer_bytes, request_bytes = map(int, sys.argv[1:5])
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (answer_bytes, answer_bytes))  # for the answer; a model writes nothing
    # The caller ends this process in time, unless it dies itself.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 5))
    os.nice(10)  # whoever serves on this machine comes first
    from streamer.errors import StreamerError  # within the limits, like all that follows
    from streamer.records.model_version import ModelVersion
    from streamer.runtimes.preparation import prepare
    from streamer.runtimes.protocol import runtime_for

    try:
        request = orjson.loads(sys.stdin.buffer.read(request_bytes))
        artifact = sys.stdin.buffer.read()
        verdict: dict[str, object] = {"valid": True}
        if "format" in request:
            signature = runtime_for(request["format"]).load(artifact).signature
            verdict["signature"] = signature.model_dump(mode="json")
        else:
            version = ModelVersion.model_validate(request["version"])
            prepare(version, artifact, request["event_schema"], request["output_schema"])
    except MemoryError:
        verdict = {"limit": "memory"}
    except StreamerError as failure:
        verdict = {"what": failure.what, "where": failure.where, "advice": failure.advice}
        if "bad_alloc" in str(failure) or "Failed to allocate" in str(failure):
            verdict = {"limit": "memory"}
    except Exception as failure:  # whatever it is, it is the model's doing
        verdict = {"what": f"{type(failure).__name__}: {failure}"}
    sys.stdout.buffer.write(orjson.dumps(verdict))
    sys.stdout.flush()
    return 0 if "valid" in verdict else 1


if __name__ == "__main__":
    # A foreign library's threads must not keep a process alive that has given its answer.
    status = main()
    sys.stderr.flush()
    os._exit(status)
