"""What can be set about every node, and about the monitor. The YAML files and the README's tables are tested against
these models."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, JsonValue

READ_ONLY: dict[str, JsonValue] = {"read_only": True}


class NodeConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    autostart: bool = Field(
        True, description="Whether the node configures and activates itself.", json_schema_extra=READ_ONLY
    )


class DiagnosticsConfig(BaseModel):
    """Under `diagnostics.` in the parameters of every node."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    period_s: float = Field(
        1.0, ge=0.1, le=5.0, description="Time between two reports on /diagnostics.", json_schema_extra=READ_ONLY
    )
    max_allowed_processing_time_ms: float = Field(
        200.0, ge=1.0, le=60_000.0, description="A turn that takes longer is a warning."
    )
    max_acceptable_consecutive_delay_ms: float = Field(
        2_000.0, ge=1.0, le=600_000.0, description="Slow turns for longer than this, with none in time, are an error."
    )


class MonitorConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    rate_hz: float = Field(
        1.0, ge=0.1, le=10.0, description="How often the computer is looked at.", json_schema_extra=READ_ONLY
    )
    window_s: float = Field(60.0, ge=1.0, le=3_600.0, description="The time over which reports are summed up.")
    max_missed_share: float = Field(
        0.01, ge=0.0, le=1.0, description="A larger share of requests answered after their deadline is a warning."
    )
    max_novel_share: float = Field(
        0.5, ge=0.0, le=1.0, description="A larger share of pictures unlike the training data is a warning."
    )
    max_doubted_share: float = Field(
        0.5, ge=0.0, le=1.0, description="A larger share of requests that are not answered plainly is a warning."
    )
    max_temperature_c: float = Field(95.0, ge=0.0, le=150.0, description="A hotter computer is a warning.")
