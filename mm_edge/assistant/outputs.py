"""Everything that the core puts out: its relative topic and message type. Knows nothing about how it is published."""

from __future__ import annotations

from mm_edge.assistant.advice import PathAdvice
from mm_edge.assistant.narrator import Glance
from mm_edge.assistant.scene import SceneReport
from mm_edge.compute.device import ComputeState
from mm_edge.compute.latency import LatencyReport
from mm_edge.feedback.playback import Ducking, SpeechAudio, SpeechStatus
from mm_edge.feedback.utterance import Utterance
from mm_edge.memory.report import MemoryReport
from mm_edge.trust.report import TrustReport

OUTPUTS: dict[type, tuple[str, str]] = {
    Utterance: ("utterance", "mm_edge/msg/Utterance"),
    LatencyReport: ("latency", "mm_edge/msg/LatencyReport"),
    TrustReport: ("trust", "mm_edge/msg/TrustReport"),
    MemoryReport: ("memory", "mm_edge/msg/MemoryReport"),
    SceneReport: ("scene", "mm_edge/msg/SceneReport"),
    PathAdvice: ("advice/path", "nav_msgs/msg/Path"),
    Glance: ("glance", "std_msgs/msg/String"),
    SpeechAudio: ("speech/audio", "mm_edge/msg/SpeechAudio"),
    SpeechStatus: ("speech/status", "mm_edge/msg/SpeechStatus"),
    Ducking: ("speech/ducking", "std_msgs/msg/Float32"),
    ComputeState: ("compute_state", "mm_edge/msg/ComputeState"),
}
