"""What can be set about speech and feedback. Parameters, YAML and the README's tables are made from these models.

`read_only` marks what takes effect only when the node is configured.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

READ_ONLY: dict[str, JsonValue] = {"read_only": True}


class SpeakerConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    piper_voice: str = Field(
        "",
        description="Path of a Piper voice (.onnx, with its .onnx.json beside it); empty: espeak-ng speaks.",
        json_schema_extra=READ_ONLY,
    )
    language: str = Field(
        "en",
        pattern=r"^[A-Za-z0-9_+-]{1,32}$",
        description='Voice of espeak-ng, e.g. "en" or "en-us".',
        json_schema_extra=READ_ONLY,
    )
    words_per_minute: int = Field(175, ge=80, le=450, description="Speed of espeak-ng.", json_schema_extra=READ_ONLY)
    volume: float = Field(1.0, ge=0.0, le=2.0, description="Loudness of espeak-ng.", json_schema_extra=READ_ONLY)
    sound_device: str = Field(
        "auto",
        description='Where speech is heard: "auto" (the default device, if there is one), "none", or a device\'s name.',
        json_schema_extra=READ_ONLY,
    )
    max_waiting: int = Field(16, ge=1, le=1000, description="Most sentences that may wait; the least urgent goes.")
    max_spoken_s: float = Field(30.0, ge=1.0, le=300.0, description="A sentence is cut off after this much speech.")

    barge_in: bool = Field(
        True,
        description="Whether speech stops for a voice on audio (without the speech itself in it); needs silero-vad.",
        json_schema_extra=READ_ONLY,
    )
    voice_probability: float = Field(0.5, ge=0.05, le=0.99, description="A sound is a voice from this probability up.")
    resume_after_s: float = Field(0.8, ge=0.1, le=10.0, description="Speech goes on after so long without a voice.")
    ducking_db: float = Field(
        -12.0, ge=-60.0, le=0.0, description="Gain that speech/ducking asks of other sounds during speech."
    )


class FeedbackConfig(BaseModel):
    """How much is said of a task, and when. The node's parameters `feedback.*` are made from it.

    The study that asks for adaptive feedback (Kirmayr et al., CHI 2026, arXiv 2602.15569) gives no numbers. Times are
    from guidance on response times: 0.25 s to show that something was heard (AAM/NHTSA), 1 s before a flow of thought
    breaks and 10 s before attention goes (Nielsen), 4 s from which waiting hurts a conversation (Maslych et al., CUI
    2025, arXiv 2507.22352). The levels of reliability are this project's own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ack_ms: float = Field(250.0, ge=20.0, le=5_000.0, description="A task is acknowledged within this time.")
    first_content_s: float = Field(
        1.5, ge=0.1, le=10.0, description="Within this time something is said about what is being done."
    )
    quiet_s: float = Field(
        4.0, ge=1.0, le=60.0, description="Longest silence while a task runs, at verbosity 2 and above."
    )
    remaining_s: float = Field(10.0, ge=1.0, le=600.0, description="Time before it is said which steps are left.")
    merge_s: float = Field(1.5, ge=0.0, le=10.0, description="Results that come within this time are told together.")
    clause_s: float = Field(2.5, ge=1.0, le=10.0, description="Most speech in one update, in seconds.")
    background_s: float = Field(
        30.0, ge=5.0, le=3_600.0, description="A task silent for longer goes on without remarks, and that is said once."
    )
    forget_s: float = Field(
        600.0, ge=10.0, le=86_400.0, description="A task silent for longer is given up, and counts as a failure."
    )
    expires_s: float = Field(5.0, ge=0.5, le=60.0, description="A remark not begun by then is not spoken.")
    words_per_minute: int = Field(
        175, ge=80, le=450, description="Speed of speech, where the speaker does not report its end."
    )

    first_runs: int = Field(3, ge=0, le=100, description="So many runs of a new kind of task are told in full.")
    after_failure_runs: int = Field(3, ge=0, le=100, description="And so many after a failure or a correction.")
    failure_weight: float = Field(4.0, ge=1.0, le=100.0, description="What a failure weighs against a success.")
    forgetting: float = Field(0.98, ge=0.5, le=1.0, description="What a run still counts after each later one.")
    quantile: float = Field(
        0.1, ge=0.01, le=0.5, description="Reliability is what it is at least, but for this probability."
    )
    results_from: float = Field(0.6, ge=0.0, le=1.0, description="From this reliability up: results, no plans.")
    milestones_from: float = Field(0.8, ge=0.0, le=1.0, description="From this reliability up: milestones and the end.")
    end_from: float = Field(0.95, ge=0.0, le=1.0, description="From this reliability up: a chime, and the end.")

    state_file: str = Field(
        "",
        description="File that the reliability of tasks is kept in; none: a restart forgets.",
        json_schema_extra=READ_ONLY,
    )

    @model_validator(mode="after")
    def _levels_in_order(self) -> FeedbackConfig:
        if not self.results_from <= self.milestones_from <= self.end_from:
            raise ValueError("results_from, milestones_from and end_from must not decrease")
        return self
