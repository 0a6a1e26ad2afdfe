"""Read a bag, mcap or db3, folder or file, as serialized messages in order of time.

A bag that is cut off or damaged is read as far as it goes, and `notes` says so. Knows nothing about what topics mean.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rosbags.highlevel import AnyReader
from rosbags.interfaces import Connection, ConnectionExtRosbag2
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from mm_edge.bags.salvage import Salvaged, salvage
from mm_edge.bags.types import BagError, typestore

STORAGE_MAGIC = {".mcap": b"\x89MCAP0\r\n", ".db3": b"SQLite format 3\0"}
REORDER_NS = 1_000_000_000
"""A cut bag has no index; its messages may be out of order by at most this."""


class Record(NamedTuple):
    """One message as it lies in the bag. `data` is CDR with its header of four bytes."""

    stamp_ns: int
    topic: str
    msgtype: str
    data: bytes


class Bag:
    """An open recording. `types` and `counts`: message type and number of messages of each topic; `notes`: oddities."""

    types: dict[str, str]
    counts: dict[str, int]
    start_ns: int
    end_ns: int

    def __init__(self, path: Path) -> None:
        """Raises BagError when there is no bag, or one that cannot be understood."""
        self.path = path
        self.notes: list[str] = []
        self._files = storage_files(path)
        self._reader: AnyReader | None = None
        try:
            self._reader = _open(path, self._files)
        except Exception as error:  # a damaged file makes the storage libraries raise all kinds of errors
            self._read_salvaged(error)
        else:
            self._read_index(self._reader)
        if not self.types:
            raise BagError(f"{path}: {'; '.join(self.notes) or 'the bag is empty'}")

    def __enter__(self) -> Bag:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    @property
    def duration_s(self) -> float:
        return (self.end_ns - self.start_ns) / 1e9

    def records(self, topics: Collection[str] | None = None) -> Iterator[Record]:
        """The messages of `topics` (None: all) in order of time; ends early, with a note, where the bag is damaged."""
        wanted = set(self.types if topics is None else topics) & set(self.types)
        if not wanted:
            return
        if self._reader is None:
            yield from _in_order(record for record in self._salvaged() if record.topic in wanted)
            return
        stamp_ns = self.start_ns
        connections = [connection for connection in self._connections if connection.topic in wanted]
        try:
            for connection, stamp_ns, data in self._reader.messages(connections):
                yield Record(stamp_ns, connection.topic, connection.msgtype, bytes(data))
        except GeneratorExit:
            raise
        except Exception as error:
            at_s = (stamp_ns - self.start_ns) / 1e9
            self.notes.append(f"the bag is damaged after {at_s:.1f} s and was read up to there ({_line(error)})")

    def decode(self, record: Record) -> Any:
        """The message object; raises BagError when it is not what its type says."""
        try:
            return self._types.deserialize_cdr(record.data, record.msgtype)
        except Exception as error:
            raise BagError(f"{record.topic}: not a readable {record.msgtype} ({_line(error)})") from error

    def same_as_ours(self, msgtype: str) -> bool:
        """Whether the bag's definition of a type is the one that this package works with."""
        ours = typestore()
        if msgtype not in ours.fielddefs or msgtype not in self._types.fielddefs:
            return False
        return self._types.hash_rihs01(msgtype) == ours.hash_rihs01(msgtype)

    def _read_index(self, reader: AnyReader) -> None:
        self._types = reader.typestore
        cdr = [c for c in reader.connections if _encoding(c) == "cdr"]
        self._connections = [connection for connection in cdr if connection.msgcount]
        self._note_encodings({_encoding(c) for c in reader.connections} - {"cdr"})
        self.types = {connection.topic: connection.msgtype for connection in self._connections}
        self.counts = dict.fromkeys(self.types, 0)
        for connection in self._connections:
            self.counts[connection.topic] += connection.msgcount
        self.start_ns, self.end_ns = reader.start_time, reader.end_time - 1

    def _read_salvaged(self, cause: Exception) -> None:
        if not self._files:
            raise BagError(f"{self.path}: not readable as a bag ({_line(cause)})") from cause
        pieces: list[Salvaged] = [salvage(file) for file in self._files]
        self.types, self.counts = {}, {}
        definitions: dict[str, str] = {}
        for piece in pieces:
            self.types |= {topic: msgtype for topic, msgtype in piece.types.items() if piece.counts.get(topic)}
            for topic, count in piece.counts.items():
                self.counts[topic] = self.counts.get(topic, 0) + count
            self.notes += [f"{piece.path.name} {piece.problem}; read as far as it goes"] if piece.problem else []
            definitions |= piece.definitions
        self._note_encodings({encoding for piece in pieces for encoding in piece.foreign})
        self.start_ns = min((piece.start_ns for piece in pieces if piece.counts), default=0)
        self.end_ns = max((piece.end_ns for piece in pieces if piece.counts), default=0)
        self._types = _store(definitions)

    def _note_encodings(self, encodings: set[str]) -> None:
        if encodings:
            names = ", ".join(sorted(map(repr, encodings)))
            self.notes.append(f"messages in encoding {names} are left out; only cdr is understood")

    def _salvaged(self) -> Iterator[Record]:
        for file in self._files:
            for stamp_ns, topic, data in Salvaged(file).messages():
                yield Record(stamp_ns, topic, self.types[topic], data)


def storage_files(path: Path) -> list[Path]:
    """The mcap and db3 files of a bag; raises BagError when there are none, saying what is there instead."""
    try:
        if path.is_dir():
            files = sorted(file for file in path.iterdir() if file.suffix in STORAGE_MAGIC)
            if not files:
                raise BagError(f"{path}: no .mcap or .db3 file in this folder")
        else:
            files = [path]
        return [file for file in files if _has_magic(file)]
    except FileNotFoundError:
        raise BagError(f"{path}: no such bag") from None
    except OSError as error:
        raise BagError(f"{path}: cannot be read ({error.strerror})") from error


def _has_magic(file: Path) -> bool:
    with file.open("rb") as stream:
        head = stream.read(16)
    if head.startswith(b"#ROSBAG"):
        raise BagError(f"{file}: a ROS 1 bag; convert it first: rosbags-convert --src {file.name} --dst DIR")
    if file.suffix not in STORAGE_MAGIC:
        raise BagError(f"{file}: not a ROS 2 bag (.mcap or .db3)")
    if not head.startswith(STORAGE_MAGIC[file.suffix]):
        raise BagError(f"{file}: not an {file.suffix} file")
    return True


def _open(path: Path, files: list[Path]) -> AnyReader:
    """A folder without metadata.yaml (a recording that was killed) is opened by its files."""
    whole = path.is_file() or (path / "metadata.yaml").exists()
    reader = AnyReader([path] if whole else files, default_typestore=typestore())
    reader.open()
    return reader


def _store(definitions: dict[str, str]) -> Typestore:
    """The types that the bag defines; ours for a bag that defines none."""
    if not definitions:
        return typestore()
    store = get_typestore(Stores.EMPTY)
    types: dict[str, Any] = {}
    for msgtype, text in definitions.items():
        types.update(get_types_from_msg(text, msgtype))
    store.register(types)
    return store


def _encoding(connection: Connection) -> str:
    assert isinstance(connection.ext, ConnectionExtRosbag2)
    return connection.ext.serialization_format


def _in_order(records: Iterator[Record]) -> Iterator[Record]:
    """Sorts a nearly sorted stream; equal stamps keep their order."""
    waiting: list[tuple[int, int, Record]] = []
    newest_ns = 0
    for number, record in enumerate(records):
        heapq.heappush(waiting, (record.stamp_ns, number, record))
        newest_ns = max(newest_ns, record.stamp_ns)
        while waiting and waiting[0][0] < newest_ns - REORDER_NS:
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]


def _line(error: Exception) -> str:
    """The first line of an error's text, or its name."""
    return (str(error) or type(error).__name__).splitlines()[0]
