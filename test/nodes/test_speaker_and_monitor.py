"""Sentences become sound and a status each; the computer and the assistant's reports become diagnostics."""

from __future__ import annotations

import pytest


def test_a_sentence_is_spoken_and_answered_for(start, probe, until) -> None:
    pytest.importorskip("espeakng_loader")
    import mm_edge.msg as msg

    from mm_edge.nodes.speaker import SpeakerNode

    audio, states = [], []
    probe.node.create_subscription(msg.SpeechAudio, "speech/audio", audio.append, 100)
    probe.node.create_subscription(msg.SpeechStatus, "speech/status", lambda m: states.append(m.state), 100)
    publisher = probe.node.create_publisher(msg.Utterance, "utterance", 10)
    node = start(SpeakerNode, "-p", "sound_device:=none", connected=False)
    until(lambda: node._active and publisher.get_subscription_count() > 1, node, probe.node)
    until(lambda: probe.node.count_publishers("speech/audio") > 0, node, probe.node)
    publisher.publish(msg.Utterance(id="u1", text="Yes.", priority=1))
    until(lambda: msg.SpeechStatus.FINISHED in states, node, probe.node)
    assert states == [msg.SpeechStatus.QUEUED, msg.SpeechStatus.STARTED, msg.SpeechStatus.FINISHED]
    assert audio[-1].last
    assert sum(len(piece.samples) for piece in audio) > 0.1 * audio[0].sample_rate_hz


def test_a_voice_on_audio_stops_speech_and_other_sounds_may_come_back(start, probe, until) -> None:
    pytest.importorskip("espeakng_loader")
    from mm_edge.feedback.config import SpeakerConfig
    from mm_edge.feedback.hearing import open_detector
    from mm_edge.feedback.voice import open_voice

    if open_detector()[0] is None:
        pytest.skip(open_detector()[1])
    import mm_edge.msg as msg
    from std_msgs.msg import Float32

    from mm_edge.nodes.speaker import SpeakerNode

    voice, said = open_voice(SpeakerConfig()), []
    voice.speak("Wait, please stop talking for a moment, will you?", lambda x: said.append(x) or True)
    gains, states = [], []
    probe.node.create_subscription(Float32, "speech/ducking", lambda m: gains.append(m.data), 10)
    probe.node.create_subscription(msg.SpeechStatus, "speech/status", lambda m: states.append(m.state), 100)
    publisher = probe.node.create_publisher(msg.Utterance, "utterance", 10)
    node = start(SpeakerNode, "-p", "sound_device:=none", connected=False)
    until(lambda: node._active and publisher.get_subscription_count() > 1, node, probe.node)
    until(lambda: probe.node.count_publishers("speech/ducking") > 0, node, probe.node)
    publisher.publish(msg.Utterance(id="u1", text="This is a long sentence about nothing at all. " * 5, priority=1))
    until(lambda: msg.SpeechStatus.STARTED in states, node, probe.node)
    for samples in said:
        probe.publish("audio", msg.AudioChunk(sample_rate_hz=voice.sample_rate_hz, channels=1, samples=samples))
    until(lambda: msg.SpeechStatus.INTERRUPTED in states and len(gains) == 2, node, probe.node)
    assert gains == [-12.0, 0.0]


def test_a_missing_voice_is_named(start, probe, until) -> None:
    from mm_edge.nodes.speaker import SpeakerNode

    node = start(SpeakerNode, "-p", "piper_voice:=/nowhere/voice.onnx", connected=False)
    until(lambda: "/nowhere/voice.onnx" in probe.message("speaker: configuration"), node, probe.node)
    assert probe.level("speaker: configuration") == 2


def test_the_computers_state_is_published(start, probe, until) -> None:
    import mm_edge.msg as msg

    from mm_edge.nodes.monitor import MonitorNode

    states: list = []
    probe.node.create_subscription(msg.ComputeState, "compute_state", states.append, 10)
    node = start(MonitorNode, "-p", "rate_hz:=10.0", connected=False)
    until(lambda: states, node, probe.node)
    assert states[0].device
    assert 0.0 <= states[0].memory_used <= 1.0


def test_missed_deadlines_are_a_warning(start, probe, until) -> None:
    import mm_edge.msg as msg

    from mm_edge.nodes.monitor import MonitorNode

    node = start(MonitorNode, connected=False)
    publisher = probe.node.create_publisher(msg.LatencyReport, "latency", 10)
    until(lambda: node._active and publisher.get_subscription_count() > 1, node, probe.node)
    publisher.publish(msg.LatencyReport(request_id="q", deadline_ms=100.0, total_ms=150.0, slack_ms=-50.0))
    until(lambda: probe.level("monitor: latency") == 1, node, probe.node)
    assert "late" in probe.message("monitor: latency")


def test_answers_that_cannot_be_believed_are_a_warning(start, probe, until) -> None:
    import mm_edge.msg as msg

    from mm_edge.nodes.monitor import MonitorNode

    node = start(MonitorNode, connected=False)
    publisher = probe.node.create_publisher(msg.TrustReport, "trust", 10)
    until(lambda: node._active and publisher.get_subscription_count() > 0, node, probe.node)
    publisher.publish(msg.TrustReport(request_id="q", confidence=0.3, novelty=0.9, verdict=msg.TrustReport.ABSTAINED))
    until(lambda: probe.level("monitor: trust") == 1, node, probe.node)
    assert "unlike the training data" in probe.message("monitor: trust")
    assert "not answered plainly" in probe.message("monitor: trust")
