"""What can be set about the assistant. The node's parameters, its YAML and the README's table are made from this model.

`read_only` marks what takes effect only when the node is configured.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

MOST_RESERVED = 0.25
"""Share of a short deadline that is reserved at most."""
READ_ONLY: dict[str, JsonValue] = {"read_only": True}


class AssistantConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    rung: Literal["small", "large"] = Field(
        "small", description="Which size of the model answers.", json_schema_extra=READ_ONLY
    )
    relay: bool = Field(
        False,
        description="Whether the large rung lets the small one word what is easy.",
        json_schema_extra=READ_ONLY,
    )
    engine: Literal["auto", "tensorrt", "onnxruntime", "torch"] = Field(
        "auto",
        description="What runs the model; the next one is used when it cannot. auto: the first that was exported.",
        json_schema_extra=READ_ONLY,
    )
    precision: Literal["fp32", "fp16", "int8"] = Field(
        "fp32",
        description="Precision of an exported engine: fp16 of tensorrt, int8 of onnxruntime.",
        json_schema_extra=READ_ONLY,
    )
    threads: int = Field(1, ge=1, le=64, description="Processor threads of the model.", json_schema_extra=READ_ONLY)
    realtime_priority: int = Field(
        10,
        ge=0,
        le=48,  # the kernel's own threads begin at 50
        description="Real-time priority of the thread that answers, where that is permitted; 0: ordinary.",
        json_schema_extra=READ_ONLY,
    )
    style: int = Field(0, ge=0, le=8, description="Wording of the sentences, 1 to 8; 0 varies it.")
    seed: int = Field(
        0, ge=0, description="Seed of everything random, such as the wording.", json_schema_extra=READ_ONLY
    )

    default_deadline_ms: float = Field(
        500.0, ge=10.0, le=60_000.0, description="Deadline of a request that names none, in milliseconds."
    )
    reserve_ms: float = Field(
        20.0,
        ge=1.0,
        le=1_000.0,
        description="Time before the deadline at which the best answer so far goes out; at most a quarter of it.",
    )
    decoder: Literal[
        "planned", "autoregressive", "speculative", "fast", "speedy", "quality", "verified", "voting", "flow", "refined"
    ] = Field(
        "planned",
        description="How a sentence is made of what was found (mm_edge/generation); planned: as the deadline allows.",
    )
    max_passes: int = Field(24, ge=1, le=100, description="Most passes over one sentence.")
    max_waiting: int = Field(1000, ge=1, le=100_000, description="Most requests that may wait; more are refused.")
    follow_up: bool = Field(True, description="Whether a better answer may follow after an unsure final one.")

    watchdog_s: float = Field(
        10.0, ge=0.1, le=600.0, description="A stage of a turn that takes longer hangs: the worker is restarted."
    )
    max_restarts: int = Field(
        3, ge=0, le=10, description="Most restarts of the worker within ten minutes; then it gives up, an error."
    )

    watch: bool = Field(True, description="Whether to report unasked what needs attention.")
    watch_rate_hz: float = Field(5.0, ge=0.1, le=30.0, description="How often the newest input is looked at, at most.")
    watch_deadline_ms: float = Field(
        200.0, ge=5.0, le=10_000.0, description="A frame older than this only updates the history."
    )
    alert_repeat_s: float = Field(10.0, ge=0.0, le=600.0, description="Time before an alert that lasts is given again.")

    advise: bool = Field(True, description="Whether to publish where the vehicle will go, on advice/path.")
    vehicle_frame: str = Field(
        "base_link", description="Frame of the path: x forward, y left, the vehicle at its origin."
    )
    utc_offset_h: float = Field(
        0.0, ge=-14.0, le=14.0, description="Local time less UTC, in hours, for times of day in the log and in answers."
    )

    image_timeout_s: float = Field(1.0, ge=0.05, le=60.0, description="A camera silent for longer counts as lost.")
    state_timeout_s: float = Field(1.0, ge=0.05, le=60.0, description="Vehicle signals older than this are unknown.")
    audio_timeout_s: float = Field(1.0, ge=0.05, le=60.0, description="A microphone silent for longer counts as lost.")

    compute_timeout_s: float = Field(
        5.0, ge=0.1, le=60.0, description="A compute_state older than this is not believed any more."
    )

    accept_probability: float = Field(
        0.0, ge=0.0, le=1.0, description="From this probability up, say it plainly; 0: as fitted with the weights."
    )
    hedge_probability: float = Field(
        0.0, ge=0.0, le=1.0, description="From this probability up, say it with doubt; 0: as fitted with the weights."
    )
    answer_expires_s: float = Field(8.0, ge=0.1, le=600.0, description="An answer not begun by then is not spoken.")
    alert_expires_s: float = Field(2.0, ge=0.1, le=600.0, description="An alert not begun by then is not spoken.")

    memory_file: str = Field(
        "",
        description="File that the memory of a drive is kept in; none: a restart forgets.",
        json_schema_extra=READ_ONLY,
    )
    memory_save_s: float = Field(
        10.0, ge=0.5, le=3600.0, description="How often that file is written, if anything is new."
    )
    memory_resume_s: float = Field(
        3600.0,
        ge=0.0,
        le=604_800.0,
        description="A file older than this is of another drive.",
        json_schema_extra=READ_ONLY,
    )

    @property
    def guard_priority(self) -> int:
        """One step above the thread that answers, since it must be able to interrupt that one."""
        return self.realtime_priority and self.realtime_priority + 1

    def reserve_s(self, deadline_ms: float) -> float:
        """How long before a deadline the best answer so far goes out, in seconds."""
        return min(self.reserve_ms, MOST_RESERVED * deadline_ms) / 1e3

    @model_validator(mode="after")
    def _thresholds_in_order(self) -> AssistantConfig:
        if self.hedge_probability > self.accept_probability > 0:
            raise ValueError("hedge_probability must not be above accept_probability")
        return self
