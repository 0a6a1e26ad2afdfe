"""What can still be read of an mcap or db3 file that the regular reader refuses: cut off, unfinished, without index.

Reads from the start to the first damage. Knows nothing about message types beyond passing their definitions on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mcap.records import Channel, Footer, Message, Schema
from mcap.stream_reader import StreamReader

RawMessage = tuple[int, str, bytes]


@dataclass
class Salvaged:
    """`problem`: what is wrong with the file, "" when nothing is; `foreign`: encodings other than cdr that were met."""

    path: Path
    types: dict[str, str] = field(default_factory=dict)
    definitions: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    start_ns: int = 2**63 - 1
    end_ns: int = 0
    problem: str = ""

    def messages(self) -> Iterator[RawMessage]:
        """(logged at in ns, topic, serialized message) in the order of the file; fills the other fields on the way."""
        scan = _scan_db3 if self.path.suffix == ".db3" else _scan_mcap
        try:
            yield from scan(self)
        except GeneratorExit:
            raise
        except Exception as error:  # whatever a damaged file makes the storage libraries raise
            detail = str(error).splitlines()[:1]
            self.problem = " ".join(["is cut off or damaged", *(f"({line})" for line in detail)])


def salvage(path: Path) -> Salvaged:
    """Goes through the file once to learn what is there."""
    found = Salvaged(path)
    for stamp_ns, topic, _ in found.messages():
        found.counts[topic] = found.counts.get(topic, 0) + 1
        found.start_ns = min(found.start_ns, stamp_ns)
        found.end_ns = max(found.end_ns, stamp_ns)
    return found


def _scan_mcap(found: Salvaged) -> Iterator[RawMessage]:
    schemas: dict[int, Schema] = {}
    topics: dict[int, str] = {}
    with found.path.open("rb") as stream:
        for record in StreamReader(stream, validate_crcs=True).records:
            if isinstance(record, Schema):
                schemas[record.id] = record
            elif isinstance(record, Channel):
                _add_channel(found, record, schemas.get(record.schema_id), topics)
            elif isinstance(record, Message) and record.channel_id in topics:
                yield record.log_time, topics[record.channel_id], bytes(record.data)
            elif isinstance(record, Footer):
                return
    found.problem = "was not finished"


def _add_channel(found: Salvaged, channel: Channel, schema: Schema | None, topics: dict[int, str]) -> None:
    if channel.message_encoding != "cdr" or schema is None:
        found.foreign.add(channel.message_encoding)
        return
    topics[channel.id] = channel.topic
    found.types[channel.topic] = schema.name
    if schema.encoding == "ros2msg":
        found.definitions[schema.name] = schema.data.decode(errors="replace")


def _scan_db3(found: Salvaged) -> Iterator[RawMessage]:
    """`writable_schema` makes SQLite open a file that is shorter than its header says; nothing is written.

    SQLite fills up a page that was cut with zeros, so the last message that it still finds is not believed.
    """
    connection = sqlite3.connect(f"file:{found.path}?mode=ro&immutable=1", uri=True)
    found.problem = "is cut off or damaged"
    try:
        connection.execute("PRAGMA writable_schema=ON")
        topics: dict[int, str] = {}
        for number, name, msgtype, encoding in connection.execute(
            "SELECT id, name, type, serialization_format FROM topics"
        ):
            if encoding == "cdr":
                topics[number] = name
                found.types[name] = msgtype
            else:
                found.foreign.add(encoding)
        (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
        cut = found.path.stat().st_size % page_bytes != 0
        held: list[RawMessage] = []
        for number, stamp_ns, data in connection.execute("SELECT topic_id, timestamp, data FROM messages"):
            if number in topics:
                held.append((stamp_ns, topics[number], bytes(data)))
                if len(held) > cut:
                    yield held.pop(0)
    finally:
        connection.close()
