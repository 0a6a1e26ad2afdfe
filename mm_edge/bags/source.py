"""What is played through the assistant: input messages in order of time, from wherever they come.

Knows nothing about how they are played.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mm_edge.bags.build import build, header, serialize
from mm_edge.bags.mapped import Input

REQUEST, REQUEST_TYPE = "request", "mm_edge/msg/AssistRequest"


@dataclass(frozen=True)
class Source:
    """inputs: relative topic -> type of all that `entries()` gives, in order of `stamp_ns`; called once per playing."""

    title: str
    inputs: Mapping[str, str]
    start_ns: int
    duration_s: float
    entries: Callable[[], Iterator[Input]]

    def asking(self, texts: Sequence[str], every_s: float, deadline_ms: float) -> Source:
        """The same with a request every `every_s` seconds, its text taken from `texts` in turn."""

        def entries() -> Iterator[Input]:
            asked = self._requests(texts, every_s, deadline_ms)
            return heapq.merge(self.entries(), asked, key=lambda entry: entry.stamp_ns)

        return replace(self, inputs={**self.inputs, REQUEST: REQUEST_TYPE}, entries=entries)

    def _requests(self, texts: Sequence[str], every_s: float, deadline_ms: float) -> Iterator[Input]:
        for index in range(int(self.duration_s / every_s)):
            stamp_ns = self.start_ns + round((index + 0.9) * every_s * 1e9)
            values = {
                "header": header(stamp_ns),
                "id": f"asked-{index + 1}",
                "text": texts[index % len(texts)],
                "deadline_ms": deadline_ms,
                "stakes": 1,
            }
            yield Input(stamp_ns, REQUEST, REQUEST_TYPE, serialize(build(REQUEST_TYPE, values), REQUEST_TYPE))
