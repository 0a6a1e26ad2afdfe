"""What can be set about speech. The speaker's parameters, its YAML and the README's table are made from this model.

`read_only` marks what takes effect only when the node is configured.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, JsonValue

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
