"""The C functions of Cyclone DDS that this layer calls, by ctypes: other Python threads run on during a call.

Works with the library of the `cyclonedds` wheel, and with one named by DDSC_LIB. Knows nothing about ROS.
"""

from __future__ import annotations

import ctypes as ct
import importlib.util
import os
from pathlib import Path

ANY_STATE = 0x7F
INFINITY = 0x7FFF_FFFF_FFFF_FFFF
DATA = 2
"""SDK_DATA: what a serialised sample is."""


class KeyDescriptor(ct.Structure):
    _fields_ = [("name", ct.c_char_p), ("offset", ct.c_uint32), ("index", ct.c_uint32)]


class MetaData(ct.Structure):
    _fields_ = [("data", ct.c_void_p), ("size", ct.c_uint32)]


class TopicDescriptor(ct.Structure):
    _fields_ = [
        ("size", ct.c_uint32),
        ("align", ct.c_uint32),
        ("flags", ct.c_uint32),
        ("nkeys", ct.c_uint32),
        ("typename", ct.c_char_p),
        ("keys", ct.POINTER(KeyDescriptor)),
        ("nops", ct.c_uint32),
        ("ops", ct.POINTER(ct.c_uint32)),
        ("meta", ct.c_char_p),
        ("type_information", MetaData),
        ("type_mapping", MetaData),
        ("restrict_data_representation", ct.c_uint32),
    ]


class Iovec(ct.Structure):
    _fields_ = [("base", ct.c_void_p), ("length", ct.c_size_t)]


class SampleInfo(ct.Structure):
    _fields_ = [
        ("sample_state", ct.c_uint),
        ("view_state", ct.c_uint),
        ("instance_state", ct.c_uint),
        ("valid_data", ct.c_bool),
        ("source_timestamp", ct.c_int64),
        ("instance_handle", ct.c_uint64),
        ("publication_handle", ct.c_uint64),
        ("disposed_generation", ct.c_uint32),
        ("no_writers_generation", ct.c_uint32),
        ("sample_rank", ct.c_uint32),
        ("generation_rank", ct.c_uint32),
        ("absolute_generation_rank", ct.c_uint32),
    ]


class BuiltinEndpoint(ct.Structure):
    """The start of dds_builtintopic_endpoint_t."""

    _fields_ = [
        ("key", ct.c_ubyte * 16),
        ("participant_key", ct.c_ubyte * 16),
        ("participant_instance", ct.c_uint64),
        ("topic_name", ct.c_char_p),
        ("type_name", ct.c_char_p),
    ]


class CountStatus(ct.Structure):
    """dds_*_deadline_missed_status_t, dds_sample_lost_status_t and dds_*_incompatible_qos_status_t begin like this."""

    _fields_ = [("total_count", ct.c_uint32), ("total_count_change", ct.c_int32), ("last", ct.c_uint64)]


class LivelinessStatus(ct.Structure):
    _fields_ = [
        ("alive_count", ct.c_uint32),
        ("not_alive_count", ct.c_uint32),
        ("alive_count_change", ct.c_int32),
        ("not_alive_count_change", ct.c_int32),
        ("last", ct.c_uint64),
    ]


class MatchedStatus(ct.Structure):
    _fields_ = [
        ("total_count", ct.c_uint32),
        ("total_count_change", ct.c_int32),
        ("current_count", ct.c_uint32),
        ("current_count_change", ct.c_int32),
        ("last", ct.c_uint64),
    ]


def _library() -> str:
    if "DDSC_LIB" in os.environ:
        return os.environ["DDSC_LIB"]
    spec = importlib.util.find_spec("cyclonedds")
    if spec is None or spec.origin is None:
        raise ImportError("the package cyclonedds is not installed: pip install 'mm_edge[dds]'")
    site = Path(spec.origin).parent.parent
    found = sorted([*site.glob("cyclonedds.libs/libddsc*"), *site.glob("cyclonedds/.libs/libddsc*")])
    found += sorted(site.glob("cyclonedds/**/*ddsc*.dylib"))
    if not found:
        raise ImportError(f"no libddsc beside {spec.origin}; name one by DDSC_LIB")
    return str(found[0])


_FREE = ct.CDLL(_library(), mode=ct.RTLD_GLOBAL)
_QUICK = ct.PyDLL(_FREE._name)
"""For calls that never wait: cheaper, because they keep the interpreter."""
_ENTITY, _PTR = ct.c_int32, ct.c_void_p


def _function(library: ct.CDLL, name: str, result: object, *arguments: object) -> ct._CFuncPtr:  # type: ignore[name-defined]
    function = getattr(library, name)
    function.restype, function.argtypes = result, list(arguments)
    return function


create_domain = _function(_FREE, "dds_create_domain", _ENTITY, ct.c_uint32, ct.c_char_p)
create_participant = _function(_FREE, "dds_create_participant", _ENTITY, ct.c_uint32, _PTR, _PTR)
create_topic = _function(
    _FREE, "dds_create_topic", _ENTITY, _ENTITY, ct.POINTER(TopicDescriptor), ct.c_char_p, _PTR, _PTR
)
create_writer = _function(_FREE, "dds_create_writer", _ENTITY, _ENTITY, _ENTITY, _PTR, _PTR)
create_reader = _function(_FREE, "dds_create_reader", _ENTITY, _ENTITY, _ENTITY, _PTR, _PTR)
create_waitset = _function(_FREE, "dds_create_waitset", _ENTITY, _ENTITY)
create_guard = _function(_FREE, "dds_create_guardcondition", _ENTITY, _ENTITY)
set_guard = _function(_QUICK, "dds_set_guardcondition", _ENTITY, _ENTITY, ct.c_bool)
take_guard = _function(_QUICK, "dds_take_guardcondition", _ENTITY, _ENTITY, ct.POINTER(ct.c_bool))
create_readcondition = _function(_FREE, "dds_create_readcondition", _ENTITY, _ENTITY, ct.c_uint32)
waitset_attach = _function(_FREE, "dds_waitset_attach", _ENTITY, _ENTITY, _ENTITY, ct.c_ssize_t)
waitset_detach = _function(_FREE, "dds_waitset_detach", _ENTITY, _ENTITY, _ENTITY)
waitset_wait = _function(_FREE, "dds_waitset_wait", _ENTITY, _ENTITY, ct.POINTER(ct.c_ssize_t), ct.c_size_t, ct.c_int64)
set_status_mask = _function(_FREE, "dds_set_status_mask", _ENTITY, _ENTITY, ct.c_uint32)
delete = _function(_FREE, "dds_delete", _ENTITY, _ENTITY)
get_guid = _function(_FREE, "dds_get_guid", _ENTITY, _ENTITY, ct.c_char * 16)
get_instance_handle = _function(_FREE, "dds_get_instance_handle", _ENTITY, _ENTITY, ct.POINTER(ct.c_uint64))
get_sertype = _function(_FREE, "dds_get_entity_sertype", _ENTITY, _ENTITY, ct.POINTER(_PTR))
matched_publications = _function(
    _FREE, "dds_get_matched_publications", _ENTITY, _ENTITY, ct.POINTER(ct.c_uint64), ct.c_size_t
)
matched_subscriptions = _function(
    _FREE, "dds_get_matched_subscriptions", _ENTITY, _ENTITY, ct.POINTER(ct.c_uint64), ct.c_size_t
)
wait_for_acks = _function(_FREE, "dds_wait_for_acks", _ENTITY, _ENTITY, ct.c_int64)
assert_liveliness = _function(_FREE, "dds_assert_liveliness", _ENTITY, _ENTITY)
from_iovec = _function(
    _FREE, "ddsi_serdata_from_ser_iov", _PTR, _PTR, ct.c_int, ct.c_size_t, ct.POINTER(Iovec), ct.c_size_t
)
write_cdr = _function(_FREE, "dds_writecdr", _ENTITY, _ENTITY, _PTR)
take_cdr = _function(
    _FREE, "dds_takecdr", _ENTITY, _ENTITY, ct.POINTER(_PTR), ct.c_uint32, ct.POINTER(SampleInfo), ct.c_uint32
)
serdata_size = _function(_QUICK, "ddsi_serdata_size", ct.c_uint32, _PTR)
serdata_ref = _function(_QUICK, "ddsi_serdata_to_ser_ref", _PTR, _PTR, ct.c_size_t, ct.c_size_t, ct.POINTER(Iovec))
serdata_unref_bytes = _function(_QUICK, "ddsi_serdata_to_ser_unref", None, _PTR, ct.POINTER(Iovec))
serdata_unref = _function(_QUICK, "ddsi_serdata_unref", None, _PTR)
read = _function(
    _FREE, "dds_read", _ENTITY, _ENTITY, ct.POINTER(_PTR), ct.POINTER(SampleInfo), ct.c_size_t, ct.c_uint32
)
return_loan = _function(_FREE, "dds_return_loan", _ENTITY, _ENTITY, ct.POINTER(_PTR), ct.c_int32)
create_qos = _function(_QUICK, "dds_create_qos", _PTR)
delete_qos = _function(_QUICK, "dds_delete_qos", None, _PTR)
error_text = _function(_QUICK, "dds_strretcode", ct.c_char_p, ct.c_int32)
QOS = {
    name: _function(_QUICK, f"dds_qset_{name}", None, _PTR, *arguments)
    for name, arguments in {
        "reliability": (ct.c_int, ct.c_int64),
        "durability": (ct.c_int,),
        "durability_service": (ct.c_int64, ct.c_int, ct.c_int32, ct.c_int32, ct.c_int32, ct.c_int32),
        "history": (ct.c_int, ct.c_int32),
        "deadline": (ct.c_int64,),
        "lifespan": (ct.c_int64,),
        "liveliness": (ct.c_int, ct.c_int64),
        "writer_data_lifecycle": (ct.c_bool,),
        "userdata": (ct.c_char_p, ct.c_size_t),
        "ignorelocal": (ct.c_int,),
    }.items()
}
STATUS = {
    name: (number, structure, _function(_FREE, f"dds_get_{name}_status", _ENTITY, _ENTITY, ct.POINTER(structure)))
    for name, number, structure in (
        ("offered_deadline_missed", 1, CountStatus),
        ("requested_deadline_missed", 2, CountStatus),
        ("offered_incompatible_qos", 3, CountStatus),
        ("requested_incompatible_qos", 4, CountStatus),
        ("sample_lost", 5, CountStatus),
        ("liveliness_lost", 9, CountStatus),
        ("liveliness_changed", 10, LivelinessStatus),
        ("publication_matched", 11, MatchedStatus),
        ("subscription_matched", 12, MatchedStatus),
    )
}
"""name -> (bit of the status mask, its structure, the function that reads and resets it)."""
