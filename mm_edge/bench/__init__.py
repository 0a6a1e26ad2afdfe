"""The measurements behind every number that the project quotes."""

from mm_edge.bench.harness import run

__all__ = ["run"]
