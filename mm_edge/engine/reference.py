"""The start-up check: an engine must put out what torch put out when the weights were shipped.

What is compared is what a turn uses: the probability of every word at every place of an answer, over a few turns with
and without sensors. Knows nothing about what the answers mean.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from mm_edge.engine.base import Context, Engine, EngineError
from mm_edge.model.network import BEGIN
from mm_edge.model.observation import AUDIO_RATE_HZ, Observation, VehicleState
from mm_edge.model.tokenizer import MASK

TOLERANCE = {"fp32": 1e-3, "fp16": 0.03, "int8": 0.15}
"""Largest difference of a probability, by precision."""
KEY = "probabilities"
ROAD, SKY = 120, 200
"""Shades of a picture that leaves no doubt about what to say: where two sentences are as likely, rounding decides."""


def reference_path(weights: Path) -> Path:
    """Beside the weights."""
    return weights.with_suffix(".reference.safetensors")


def write_reference(engine: Engine, path: Path) -> None:
    save_file({KEY: probabilities(engine)}, path)


def check(engine: Engine, path: Path, precision: str) -> None:
    """Raises EngineError when the engine does not reproduce the reference within TOLERANCE."""
    try:
        expected = load_file(path)[KEY]
    except (OSError, SafetensorError, KeyError) as error:
        raise EngineError(f"the reference {path} cannot be read: {error}") from error
    found = probabilities(engine)
    if found.shape != expected.shape:
        raise EngineError(f"the reference {path} is of other weights")
    worst = float((found - expected).abs().max())
    if not worst <= TOLERANCE[precision]:
        raise EngineError(f"{engine.name}: off the reference by {worst:.2g}, at most {TOLERANCE[precision]:g}")


def probabilities(engine: Engine) -> Tensor:
    """[passes, L, S]: of a first pass, and of a second one in which every other word is given, and the last of all,
    which no short answer has; at first also of a sentence checked, and followed word by word. Requests and logs are
    short and long ones."""
    rng = np.random.default_rng(0)
    picture = np.full((96, 160, 3), ROAD, np.uint8)
    picture[:48] = SKY
    sound = (0.1 * rng.standard_normal(AUDIO_RATE_HZ)).astype(np.float32)
    sensed = Observation(0, picture, VehicleState(speed_mps=14.0, energy_percent=50.0, gear=4), sound)
    blind = Observation(0, state=VehicleState(speed_limit_mps=13.9))
    rows: list[Tensor] = []
    line = ["call", "@3", "=4", "=14", "=5", "tunnel", "=14", "=9"]
    log, longer = (engine.read(line * lines) for lines in (12, engine.log_length // len(line)))
    turns = (
        (sensed, "what is ahead", 0, None),
        (sensed, "", 3, None),
        (blind, "how fast are we", 1, log),
        (sensed, "can you please tell me again who it was that called before the tunnel", 2, longer),
    )
    for observation, text, remembered, past in turns:
        percept = engine.encode(observation)
        history = percept.summary.repeat(remembered, 1) if remembered else None
        cache = engine.prefill(engine.look(history, percept), text, 1, past)
        masked = torch.full((engine.answer_length,), MASK)
        first = engine.decode(masked[None], [cache])[0]
        words = torch.from_numpy(engine.tokenizer.sayable)[first.argmax(-1)]
        half = torch.where(torch.arange(engine.answer_length) % 2 == 0, words, masked)
        half[-1] = half[0]
        if not rows:
            rows += [engine.verify(words, cache), _followed(engine, words, cache)]
        rows += [first, engine.decode(half[None], [cache])[0]]
    return torch.stack(rows).softmax(-1)


def _followed(engine: Engine, ids: Tensor, context: Context) -> Tensor:
    """[L, S]: what follows each word, said one after the other."""
    rows: list[Tensor] = []
    last, said = torch.tensor([BEGIN]), None
    for word in ids:
        logits, said = engine.follow(last, [context], said)
        rows.append(logits[0])
        last = word[None]
    return torch.stack(rows)
