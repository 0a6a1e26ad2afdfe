"""What each design choice of the policy is worth, in metres: VLANeXt's ladder in small, on generated drives.

All variants in one run, on the same frozen features of the shipped small rung's encoder, each from several random
beginnings, and beside them what needs no learning. They learn from drives that the encoder was not trained on, and are
measured on held-out ones. What differs between them, and how they are trained, is in `mm_edge.training.ladder`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np
import torch
from torch import Tensor

from mm_edge.bench.harness import Result
from mm_edge.engine import weights_path
from mm_edge.model.checkpoint import load
from mm_edge.model.network import Network
from mm_edge.model.policy import STEPS
from mm_edge.training.ladder import BATCH, SMALL, VARIANTS, VLANEXT, Moments, Words, ade_m, moments, trained

FIRST_TRAINING_SEED = 900_000
"""Far behind the last drive that the shipped weights were trained on, and below those that are held out."""
WHAT = {
    "constant_velocity": "straight on at the same speed",
    "measured_held": "the measured acceleration and bend, held",
    "true_first_held": "the true first half second, held",
    "bins_of_truth": "the truth, through the bins",
    "bins": "no head: the trunk writes words of bins",
    "loose_flow": "a head, flow matching; loose link",
    "tight_flow": "tight link",
    "soft_flow": "soft link",
    VLANEXT: "soft link, low frequencies: the design of VLANeXt",
    "soft_regression": "soft link, regression",
    "soft_regression_dct": "soft link, regression, low frequencies",
    "state_none": "that; state nowhere",
    "state_policy": "that; state into the policy",
    "state_both": "that; state into trunk and policy",
}


@dataclass(frozen=True)
class Size:
    """Drives to learn from and drives to measure on; steps of a training, and trainings of each variant."""

    drives: int
    held_out: int
    steps: int
    trainings: int


FULL, QUICK = Size(600, 150, 400, 3), Size(40, 20, 20, 2)


def measure(seed: int, quick: bool) -> Result:
    torch.set_num_threads(1)
    network, _ = load(weights_path("small"))
    return compare(network, seed, QUICK if quick else FULL)


def compare(network: Network, seed: int, size: Size) -> Result:
    """`network`: whose encoder gives the features."""
    known, held_out = moments(network, FIRST_TRAINING_SEED, size.drives), moments(network, seed, size.held_out)
    found = {name: [ade_m(chosen, held_out)] for name, chosen in unlearned(known, held_out).items()}
    for name, variant in VARIANTS.items():
        actors = (trained(variant, known, size.steps, start) for start in range(size.trainings))
        found[name] = [ade_m(actor.act(held_out), held_out) for actor in actors]
    means = {name: float(np.mean(each)) for name, each in found.items()}
    errors = {name: standard_error(each) for name, each in found.items()}
    table: list[dict[str, object]] = [
        {"variant": name, "what": WHAT[name], "ADE m": means[name], "SE m": errors[name]} for name in found
    ]
    headline = {f"ladder_{name}_ade_m": mean for name, mean in means.items()}
    headline |= {f"ladder_{name}_se_m": errors[name] for name in VARIANTS}
    headline |= {"n": float(len(held_out)), "n_trainings": float(size.trainings)}
    notes = [
        f"ADE: mean distance to the true path over 4 s; {len(held_out)} moments of {size.held_out} drives from {seed}; "
        "only where the speed is known",
        f"SE: of the mean of {size.trainings} trainings from different beginnings, on the same moments",
        f"each: {size.steps} steps of {BATCH} of the {len(known)} moments of {size.drives} other drives; "
        f"{SMALL.layers} layers of width {SMALL.d} on frozen features",
    ]
    return Result(headline, table, notes)


def unlearned(known: Moments, held_out: Moments) -> dict[str, Tensor]:
    """Actions [N, STEPS, 2] that need no training; the last two know the future."""
    words = Words(VARIANTS["bins"], known)
    return {
        "constant_velocity": torch.zeros_like(held_out.actions),
        "measured_held": held_out.measured[:, None].expand(-1, STEPS, -1),
        "true_first_held": held_out.actions[:, :1].expand(-1, STEPS, -1),
        "bins_of_truth": words.read(words.written(held_out.actions)),
    }


def standard_error(values: list[float]) -> float:
    """Of their mean; NaN for a single one."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else nan
