"""Participants, writers, readers and wait sets that carry ready-made CDR over Cyclone DDS.

Large samples are handed out as views on Cyclone's own memory, which lives as long as the view. Knows nothing about ROS:
names, types and user data come in as they go over the wire.
"""

from __future__ import annotations

import ctypes as ct
import os
import threading
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np

from mm_edge.ros import libddsc as c

COPY_BELOW = 64 * 1024
"""Samples smaller than this are copied: cheaper than keeping Cyclone's memory."""
TAKE = 16
"""Samples taken at a time."""
OPERATIONS = (ct.c_uint32 * 3)(0x01010000, 0, 0)
"""A topic of one byte: the descriptor has to describe something, and what is carried is ready-made."""
RESTRICT_REPRESENTATION = 1 << 7
TUNING = (
    "<CycloneDDS><Domain>{discovery}<General>{network}<MaxMessageSize>65500B</MaxMessageSize>"
    "<FragmentSize>65000B</FragmentSize></General><Internal>"
    '<SocketReceiveBufferSize min="{receive}" max="8MB"/><SocketSendBufferSize min="default" max="2MB"/>'
    "</Internal></Domain></CycloneDDS>"
)
"""Large fragments and socket buffers, so that camera images get through; more in mm-edge doctor."""


class DdsError(RuntimeError):
    pass


@dataclass(frozen=True)
class Qos:
    """Durations in nanoseconds; None is endless. depth None keeps all."""

    reliable: bool = True
    transient_local: bool = False
    depth: int | None = 10
    deadline_ns: int | None = None
    lifespan_ns: int | None = None
    lease_ns: int | None = None
    manual_liveliness: bool = False
    user_data: bytes = b""
    ignore_local: bool = False


def check(result: int) -> int:
    """Raise DdsError for a negative result."""
    if result < 0:
        raise DdsError(f"Cyclone DDS: {c.error_text(result).decode()}")
    return result


def configuration() -> str:
    """Our tuning, then what CYCLONEDDS_URI says, which wins."""
    local = os.environ.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET") == "LOCALHOST"
    local = local or os.environ.get("ROS_LOCALHOST_ONLY") == "1"
    network = discovery = ""
    if local:
        network = '<AllowMulticast>false</AllowMulticast><Interfaces><NetworkInterface name="lo"/></Interfaces>'
        discovery = (
            "<Discovery><ParticipantIndex>auto</ParticipantIndex><MaxAutoParticipantIndex>32</MaxAutoParticipantIndex>"
            '<Peers><Peer address="localhost"/></Peers></Discovery>'
        )
    parts = [TUNING.format(network=network, discovery=discovery, receive="default")]
    return ",".join([*parts, *filter(None, [os.environ.get("CYCLONEDDS_URI", "")])])


_domains: dict[int, int] = {}
_domains_lock = threading.Lock()


class Participant:
    """One participant of a domain, and everything made with it."""

    def __init__(self, domain_id: int, user_data: bytes) -> None:
        with _domains_lock:
            if domain_id not in _domains:
                _domains[domain_id] = check(c.create_domain(domain_id, configuration().encode()))
        qos = c.create_qos()
        c.QOS["userdata"](qos, user_data, len(user_data))
        self.handle = check(c.create_participant(domain_id, qos, None))
        c.delete_qos(qos)
        self.guid = guid(self.handle)
        self._topics: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()
        self.views = 0

    def topic(self, name: str, typename: str) -> int:
        with self._lock:
            if (name, typename) not in self._topics:
                nothing = c.MetaData(None, 0)
                descriptor = c.TopicDescriptor(
                    1, 1, RESTRICT_REPRESENTATION, 0, typename.encode(), None, 2, OPERATIONS, b"", nothing, nothing, 1
                )
                handle = check(c.create_topic(self.handle, ct.byref(descriptor), name.encode(), None, None))
                self._topics[name, typename] = handle
            return self._topics[name, typename]

    def endpoints(self, writers: bool) -> list[tuple[str, str]]:
        """(topic, type) of every writer, or reader, that is known, as named on the wire."""
        reader = check(c.create_reader(self.handle, _BUILTIN_WRITERS if writers else _BUILTIN_READERS, None, None))
        samples, infos = (ct.c_void_p * 1024)(), (c.SampleInfo * 1024)()
        try:
            count = check(c.read(reader, samples, infos, 1024, 1024))
            alive = [samples[i] for i in range(count) if infos[i].valid_data and infos[i].instance_state == 16]
            found = [c.BuiltinEndpoint.from_address(sample or 0) for sample in alive]
            names = [(e.topic_name.decode(), e.type_name.decode()) for e in found]
            c.return_loan(reader, samples, count)
        finally:
            c.delete(reader)
        return names

    def close(self) -> None:
        """Delete the participant, unless samples that live in its memory are still in use."""
        if self.views == 0:
            c.delete(self.handle)


_PSEUDO_HANDLE = 0x7FFF0000
_BUILTIN_WRITERS, _BUILTIN_READERS = _PSEUDO_HANDLE + 3, _PSEUDO_HANDLE + 4
"""DDS_BUILTIN_TOPIC_DCPSPUBLICATION and DCPSSUBSCRIPTION."""


def guid(handle: int) -> bytes:
    raw = (ct.c_char * 16)()
    check(c.get_guid(handle, raw))
    return raw.raw


class Writer:
    def __init__(self, participant: Participant, topic: str, typename: str, qos: Qos) -> None:
        self.handle = _create(c.create_writer, participant, topic, typename, qos)
        sertype = ct.c_void_p()
        check(c.get_sertype(self.handle, ct.byref(sertype)))
        self._sertype = sertype.value
        instance = ct.c_uint64()
        check(c.get_instance_handle(self.handle, ct.byref(instance)))
        self.instance_handle = instance.value

    def write(self, *parts: bytes | memoryview) -> None:
        """Write one sample. The parts one after another are CDR with its header; none is copied but by Cyclone."""
        vector = (c.Iovec * len(parts))()
        arrays = [np.frombuffer(part, np.uint8) for part in parts]
        for entry, array in zip(vector, arrays, strict=True):
            entry.base, entry.length = array.ctypes.data, array.size
        sample = c.from_iovec(self._sertype, c.DATA, len(parts), vector, sum(array.size for array in arrays))
        if not sample:
            raise DdsError("Cyclone DDS: the sample is not valid CDR")
        check(c.write_cdr(self.handle, sample))

    def matched(self) -> int:
        return check(c.matched_subscriptions(self.handle, None, 0))

    def close(self) -> None:
        c.delete(self.handle)


@dataclass(frozen=True)
class Sample:
    """data: CDR with its header; source_ns: when it was written; publisher: handle of its writer."""

    data: memoryview
    source_ns: int
    publisher: int


class Reader:
    def __init__(self, participant: Participant, topic: str, typename: str, qos: Qos) -> None:
        self._participant = participant
        self.handle = _create(c.create_reader, participant, topic, typename, qos)
        self.condition = check(c.create_readcondition(self.handle, c.ANY_STATE))
        self._samples, self._infos = (ct.c_void_p * TAKE)(), (c.SampleInfo * TAKE)()
        self._lock = threading.Lock()

    def take(self, most: int = TAKE) -> list[Sample]:
        """The next samples, at most `most` and TAKE."""
        with self._lock:
            count = check(c.take_cdr(self.handle, self._samples, min(most, TAKE), self._infos, c.ANY_STATE))
            return [sample for i in range(count) if (sample := self._sample(self._samples[i], self._infos[i]))]

    def _sample(self, serdata: int | None, info: c.SampleInfo) -> Sample | None:
        if not info.valid_data:
            c.serdata_unref(serdata)
            return None
        iovec = c.Iovec()
        reference = c.serdata_ref(serdata, 0, c.serdata_size(serdata), ct.byref(iovec))
        if iovec.length < COPY_BELOW:
            data = memoryview(ct.string_at(iovec.base, iovec.length))
            _release(None, reference, iovec, serdata)
        else:
            array = (ct.c_ubyte * iovec.length).from_address(iovec.base)
            self._participant.views += 1
            weakref.finalize(array, _release, self._participant, reference, iovec, serdata).atexit = False
            data = memoryview(array).cast("B").toreadonly()
        return Sample(data, info.source_timestamp, info.publication_handle)

    def matched(self) -> int:
        return check(c.matched_publications(self.handle, None, 0))

    def close(self) -> None:
        c.delete(self.handle)


def _release(participant: Participant | None, reference: int, iovec: c.Iovec, serdata: int | None) -> None:
    c.serdata_unref_bytes(reference, ct.byref(iovec))
    c.serdata_unref(serdata)
    if participant is not None:
        participant.views -= 1


def read_status(handle: int, name: str) -> Any:
    """A status by its name in libddsc.STATUS; reading resets its changes."""
    _, structure, function = c.STATUS[name]
    status = structure()
    check(function(handle, ct.byref(status)))
    return status


def watch_statuses(handle: int, names: list[str]) -> None:
    """Let the entity itself trigger a wait set on these statuses."""
    check(c.set_status_mask(handle, sum(1 << c.STATUS[name][0] for name in names)))


class WaitSet:
    """Waits for any of several entities; another thread can end the wait by `wake`."""

    def __init__(self, participant: Participant) -> None:
        self.handle = check(c.create_waitset(participant.handle))
        self._guard = check(c.create_guard(participant.handle))
        self._entities: list[int] = []
        self._ready = (ct.c_ssize_t * 256)()
        check(c.waitset_attach(self.handle, self._guard, -1))

    def watch(self, entities: list[int]) -> None:
        """Wait for these from now on; `wait` returns positions in this list. Entities that are gone are no trouble."""
        for entity in self._entities:
            c.waitset_detach(self.handle, entity)
        for position, entity in enumerate(entities):
            check(c.waitset_attach(self.handle, entity, position))
        self._entities = list(entities)

    def wait(self, timeout_s: float | None) -> list[int]:
        """Positions of those that are ready; none after `timeout_s` or `wake`."""
        timeout_ns = c.INFINITY if timeout_s is None else max(0, int(timeout_s * 1e9))
        count = check(c.waitset_wait(self.handle, self._ready, len(self._ready), timeout_ns))
        ready = [self._ready[i] for i in range(min(count, len(self._ready)))]
        if -1 in ready:
            c.take_guard(self._guard, ct.byref(ct.c_bool()))
        return [position for position in ready if position >= 0]

    def wake(self) -> None:
        c.set_guard(self._guard, True)

    def close(self) -> None:
        c.delete(self.handle)
        c.delete(self._guard)


def _create(create: Any, participant: Participant, topic: str, typename: str, qos: Qos) -> int:
    handle = c.create_qos()
    durations = {name: c.INFINITY if ns is None else ns for name, ns in _durations(qos).items()}
    c.QOS["writer_data_lifecycle"](handle, False)
    c.QOS["history"](handle, 1 if qos.depth is None else 0, -1 if qos.depth is None else qos.depth)
    c.QOS["reliability"](handle, int(qos.reliable), c.INFINITY if qos.reliable else 0)
    c.QOS["durability"](handle, int(qos.transient_local))
    if qos.transient_local:
        c.QOS["durability_service"](handle, 0, 1 if qos.depth is None else 0, qos.depth or -1, -1, -1, -1)
    c.QOS["deadline"](handle, durations["deadline"])
    c.QOS["liveliness"](handle, 2 if qos.manual_liveliness else 0, durations["lease"])
    if create is c.create_writer:
        c.QOS["lifespan"](handle, durations["lifespan"])
    if qos.ignore_local:
        c.QOS["ignorelocal"](handle, 1)
    c.QOS["userdata"](handle, qos.user_data, len(qos.user_data))
    try:
        return check(create(participant.handle, participant.topic(topic, typename), handle, None))
    finally:
        c.delete_qos(handle)


def _durations(qos: Qos) -> dict[str, int | None]:
    return {"deadline": qos.deadline_ns, "lifespan": qos.lifespan_ns, "lease": qos.lease_ns}
