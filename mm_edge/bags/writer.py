"""Write one mcap file that rosbag2, Foxglove and any mcap library open, with rosbag2's metadata.yaml beside it.

The same messages in the same order give the same bytes. Knows nothing about what topics mean.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from rosbags.interfaces import Connection
from rosbags.rosbag2 import CompressionMode, StoragePlugin, Writer, WriterError
from rosbags.rosbag2.enums import CompressionFormat

from mm_edge.bags.build import serialize
from mm_edge.bags.types import BagError, typestore

METADATA_VERSION: Final = 8
"""The newest that Humble reads as well as Jazzy."""


class BagWriter:
    """Writes `path` (a file that ends in .mcap); what was there before is replaced when the bag is closed.

    Until then the bag grows in a folder beside it, so that a crash leaves a readable, if unfinished, recording.
    """

    def __init__(self, path: Path) -> None:
        """Raises BagError when the folder cannot be written."""
        if path.suffix != ".mcap":
            raise BagError(f"{path}: the name of a recording must end in .mcap")
        self.path = path
        self.count = 0
        self._growing = path.with_suffix(".part") / path.stem
        self._connections: dict[str, Connection] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(self._growing.parent, ignore_errors=True)
            self._writer = Writer(self._growing, version=METADATA_VERSION, storage_plugin=StoragePlugin.MCAP)
            self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
            self._writer.open()
        except OSError as error:
            raise BagError(f"{path.parent}: cannot be written ({error.strerror})") from error

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add_topic(self, topic: str, msgtype: str) -> None:
        """Announce a topic, so that the bag lists it even when it stays silent. Topics are announced by `write` too."""
        known = self._connections.get(topic)
        if known is None:
            self._connections[topic] = self._writer.add_connection(topic, msgtype, typestore=typestore())
        elif known.msgtype != msgtype:
            raise BagError(f"{topic}: holds {known.msgtype}, not {msgtype}")

    def write(self, topic: str, msgtype: str, stamp_ns: int, message: Any) -> None:
        """`message`: a message object, or its serialized bytes. Raises BagError when the disk is full."""
        self.add_topic(topic, msgtype)
        data = message if isinstance(message, bytes) else serialize(message, msgtype)
        try:
            self._writer.write(self._connections[topic], stamp_ns, data)
        except OSError as error:
            raise BagError(f"{self.path}: cannot be written ({error.strerror})") from error
        self.count += 1

    def close(self) -> None:
        """Finish the file and put it in its place."""
        try:
            self._writer.close()
            (self._growing / self.path.name).replace(self.path)
            (self._growing / "metadata.yaml").replace(self.path.with_name("metadata.yaml"))
            shutil.rmtree(self._growing.parent)
        except (OSError, WriterError) as error:
            raise BagError(f"{self.path}: cannot be finished ({error})") from error
