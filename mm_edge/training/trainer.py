"""One training run: data-parallel steps over generated drives, a log, checkpoints to resume from, averaged weights.

Several single-threaded processes share every step, which is faster on a few cores than several threads in one. Knows
nothing about evaluation.
"""

from __future__ import annotations

import csv
import math
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.distributed as dist
from rich.progress import Progress, TextColumn
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer

from mm_edge.model.checkpoint import load, save
from mm_edge.model.events import EVENTS
from mm_edge.model.network import RUNGS, Network, NetworkConfig, normalised
from mm_edge.model.schema import FACTS
from mm_edge.model.tokenizer import LETTERS, SPECIAL, Tokenizer
from mm_edge.training.batches import BatchShape, batch, recall
from mm_edge.training.losses import losses
from mm_edge.training.recipe import Recipe
from mm_edge.world.crowd import crowd
from mm_edge.world.grammar import TEMPLATES, sentences, vocabulary
from mm_edge.world.questions import ASKED
from mm_edge.world.recall import HISTORY
from mm_edge.world.template import WORDS

CLIP_NORM = 1.0
OFTEN = 5
"""A crowd's word is known when it occurs this often; others are spelled."""


def new_tokenizer() -> Tokenizer:
    """All words of the answers, of the drives' questions, and those that the crowd's requests hold often."""
    wordings = [wording for wordings in (ASKED | HISTORY).values() for wording in wordings]
    stated = [value for template in TEMPLATES for value in template.facts.values()]
    stated += [value for values in FACTS.values() for value in values] + [*WORDS.values(), *EVENTS]
    asked = {word for text in (*wordings, *stated) for word in re.findall(r"[\w']+", text)}
    requests = (text for texts in crowd("train").values() for text in texts)
    often = Counter(word for text in requests for word in re.findall(r"[\w']+", text.lower()))
    heard = asked | {word for word, count in often.items() if count >= OFTEN}
    return Tokenizer(vocabulary(), sorted(heard - set(vocabulary())), sentences())


class Trainer:
    """One process's part of a run. `process` 0 writes; the others only compute."""

    def __init__(self, recipe: Recipe, process: int) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(recipe.seed)
        self.recipe, self.process = recipe, process
        self.tokenizer = new_tokenizer()
        self.config = NetworkConfig(len(self.tokenizer), len(self.tokenizer.marks), **RUNGS[recipe.rung])
        self.network = Network(self.config)
        name_values(self.network, self.tokenizer)
        if recipe.begin is not None:
            begin_with(self.network, self.tokenizer, recipe.begin)
        self.optimizers = optimizers(self.network, recipe)
        self.averaged = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
        self.masks = torch.Generator()
        self.step = 0
        self._resume()

    def run(self) -> None:
        """Train to the end of the recipe, from the last checkpoint on."""
        self.network.train()
        log = None if self.process else _Log(self.recipe.out / "log.csv", self.step, self.recipe.steps)
        for step in range(self.step, self.recipe.steps):
            parts = self._update(step)
            self.step = step + 1
            if log is not None:
                log.add(self.step, parts)
                if self.step % self.recipe.save_every == 0 or self.step == self.recipe.steps:
                    self._save()
        if log is not None:
            log.close()

    def _update(self, step: int) -> dict[str, float]:
        recipe = self.recipe
        first = recipe.first_seed(step, self.process)
        looks, log = step < recipe.look_steps, recipe.log_length(step)
        logs = None if looks else recall(first, recipe.recall, log, self.tokenizer)
        drives = None
        if looks or step >= recipe.look_steps + recipe.recall_steps:
            shape = BatchShape(
                drives=recipe.drives,
                turns=0 if looks else recipe.turns,
                bare=recipe.bare,
                log=min(log, recipe.drive_log),
            )
            drives = batch(first, shape, self.config, self.tokenizer)
        self.masks.manual_seed(first + recipe.seed * 1_000_003)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
            loss = losses(self.network, drives, logs, self.masks)
        self.network.zero_grad(set_to_none=True)
        loss.total.backward()
        _share_gradients(self.network)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), CLIP_NORM)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * progress_factor(recipe, step)
            optimizer.step()
        keep = min(recipe.average, (step + 1) / (step + 10))
        for name, tensor in self.network.state_dict().items():
            if tensor.is_floating_point():
                self.averaged[name].lerp_(tensor, 1 - keep)
            else:
                self.averaged[name].copy_(tensor)
        return loss.parts

    def _save(self) -> None:
        out = self.recipe.out
        save(out / "weights.safetensors", self.averaged, self.config, self.tokenizer)
        state = dict(_prefixed("averaged", self.averaged)) | dict(_prefixed("network", self.network.state_dict()))
        for index, (optimizer, parameter) in enumerate(self._optimized()):
            state |= dict(_prefixed(f"optimizer.{index}", optimizer.state[parameter]))
        state["step"] = torch.tensor(self.step)
        part = out / "resume.part"
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, part)
        part.replace(out / "resume.safetensors")

    def _resume(self) -> None:
        path = self.recipe.out / "resume.safetensors"
        if not path.exists():
            return
        state = load_file(path)
        self.network.load_state_dict(_stripped("network", state))
        self.averaged = _stripped("averaged", state)
        for index, (optimizer, parameter) in enumerate(self._optimized()):
            optimizer.state[parameter] = _stripped(f"optimizer.{index}", state)
        self.step = int(state["step"])

    def _optimized(self) -> Iterator[tuple[Optimizer, Tensor]]:
        return ((o, parameter) for o in self.optimizers for group in o.param_groups for parameter in group["params"])


@torch.no_grad()
def begin_with(network: Network, tokenizer: Tokenizer, path: Path) -> None:
    """Take over from a file what has the same name and shape here; words, where they are as wide, one by one.

    Another rung's eyes and ears are taken over in this way. Raises CheckpointError.
    """
    other, other_tokenizer = load(path)
    weights, found = network.state_dict(), other.state_dict()
    known = [(tokenizer.id(word), other_tokenizer.id(word)) for word in (*tokenizer.heard, *tokenizer.spoken)]
    marks = set(tokenizer.marks)
    pairs = [(ours, theirs) for ours, theirs in known if ours not in {None, *marks} and theirs is not None]
    pairs += [(index, index) for index in range(len(SPECIAL) + len(LETTERS))]
    ours, theirs = (torch.tensor(side) for side in zip(*pairs, strict=True))
    for name in ("words.weight", "unsaid"):
        if weights[name].shape[1:] == found[name].shape[1:]:
            weights[name][ours] = found[name][theirs]
    same = {name: tensor for name, tensor in found.items() if weights[name].shape == tensor.shape}
    network.load_state_dict(weights | {name: t for name, t in same.items() if name not in ("words.weight", "unsaid")})


@torch.no_grad()
def name_values(network: Network, tokenizer: Tokenizer) -> None:
    """Let every fact's value begin as the words that say it, so that saying it is copying."""
    spoken = [(name, FACTS[name], values) for name, values in network.encoder.values.items()]
    spoken.append(("lead_motion", FACTS["lead_motion"], network.motion.values))
    for name, values, embeddings in spoken:
        for value, embedding in zip(values, embeddings, strict=True):
            ids = [tokenizer.id(word) for word in WORDS.get((name, value), value).split()]
            if None not in ids:
                embedding.copy_(normalised(network.words.weight[ids].sum(0)))


def optimizers(network: Network, recipe: Recipe) -> list[Optimizer]:
    """Muon for the hidden layers' matrices, AdamW for what they begin and end with.

    Orthogonalised updates (Jordan et al. 2024, Muon) let the trunk find out earlier which fact answers which question,
    and the camera's convolutions learn several times faster.
    """
    camera = network.encoder.camera
    parts = (*list(camera)[1:], network.encoder.flat, network.before, network.blocks)
    hidden = [parameter for part in parts for parameter in part.parameters()]
    matrices = [p for p in hidden if p.ndim == 2]
    inside = {id(p) for p in matrices}
    others = [p for p in network.parameters() if id(p) not in inside]
    groups = [
        {"params": [p for p in others if p.ndim == 2], "weight_decay": recipe.decay},
        {"params": [p for p in others if p.ndim != 2], "weight_decay": 0.0},
    ]
    made: list[Optimizer] = [
        torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.98)),
        torch.optim.Muon(matrices, lr=recipe.hidden_rate, weight_decay=recipe.decay),
    ]
    for optimizer in made:
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
    return made


def progress_factor(recipe: Recipe, step: int) -> float:
    """Of the highest learning rate: a linear rise, then a cosine down to nothing."""
    if step < recipe.warmup:
        return (step + 1) / recipe.warmup
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done))


def _share_gradients(network: Network) -> None:
    if not dist.is_initialized():
        return
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    place = 0
    for gradient in gradients:
        gradient.copy_(flat[place : place + gradient.numel()].view_as(gradient))
        place += gradient.numel()


def _prefixed(prefix: str, tensors: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    return ((f"{prefix}.{name}", tensor) for name, tensor in tensors.items())


def _stripped(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name[len(prefix) + 1 :]: t for name, t in tensors.items() if name.startswith(f"{prefix}.")}


class _Log:
    """A CSV file, one row per step, and a progress bar."""

    def __init__(self, path: Path, step: int, steps: int) -> None:
        self._file = path.open("a" if step else "w", newline="")
        self._writer = csv.writer(self._file)
        self._began_s = time.monotonic()
        self._progress = Progress(*Progress.get_default_columns(), TextColumn("loss {task.fields[loss]:.3f}"))
        self._progress.start()
        self._task = self._progress.add_task("training", total=steps, completed=step, loss=math.nan)

    def add(self, step: int, parts: dict[str, float]) -> None:
        if self._file.tell() == 0:
            self._writer.writerow(["step", "seconds", *parts])
        seconds = time.monotonic() - self._began_s
        self._writer.writerow([step, f"{seconds:.1f}", *(f"{value:.4f}" for value in parts.values())])
        self._file.flush()
        total = sum(value for value in parts.values() if not math.isnan(value))
        self._progress.update(self._task, completed=step, loss=total)

    def close(self) -> None:
        self._progress.stop()
        self._file.close()
