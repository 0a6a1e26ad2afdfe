"""One training run: data-parallel steps over generated drives, a log, checkpoints to resume from, averaged weights.

On a processor several single-threaded processes share every step, which is faster on a few cores than several threads
in one; on a GPU one process trains, and others make its batches. Knows nothing about evaluation.
"""

from __future__ import annotations

import csv
import math
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from rich.progress import Progress, TextColumn
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from mm_edge.errors import UserError
from mm_edge.model.checkpoint import CheckpointError, load, save
from mm_edge.model.encoders import Sight
from mm_edge.model.events import EVENTS
from mm_edge.model.features import Features
from mm_edge.model.growth import grown, reworded
from mm_edge.model.network import RUNGS, Network, NetworkConfig, normalised
from mm_edge.model.schema import FACTS
from mm_edge.model.tokenizer import Tokenizer
from mm_edge.training.batches import Batch, Driven
from mm_edge.training.compactable import cut_losses
from mm_edge.training.cuts import CutLogs
from mm_edge.training.feed import Feed, Given, loader
from mm_edge.training.finds import Recall, Wording
from mm_edge.training.gradients import Gradients, moved
from mm_edge.training.losses import WEIGHTS, drive_losses, recall_losses, request_losses, signal_losses
from mm_edge.training.muon import Muon
from mm_edge.training.recipe import Recipe
from mm_edge.training.speech import Parts, speech_losses, wording_losses
from mm_edge.world.crowd import crowd
from mm_edge.world.grammar import TEMPLATES, sentences, vocabulary
from mm_edge.world.questions import WORDINGS
from mm_edge.world.recall import HISTORY
from mm_edge.world.sentences_told import REQUESTS
from mm_edge.world.template import WORDS

CLIP_NORM = 1.0
EYES = tuple(
    f"{part}."
    for part in (
        *(f"encoder.{name}" for name in ("camera", "narrow", "flat", "state", "sound", "sound_out", "heads", "gap")),
        *("encoder.summary.0", "motion.hidden", "motion.head"),
    )
)
"""What looks, and is of the same size in every rung."""
GUESS = ("encoder.course.", "course.")
"""What guesses the path, the present alone and the past with it: of the same size as well."""
ONLY = {"course": "course.", "compactable": "blocks."}
"""Where little learns, the beginning of its name."""
SPEAKING = ("steps.", "in_turn", "flow_time.", "asking", "claim_place", "answer_styles.", "answer_place")
"""What understanding and wording have for themselves."""
FASTER = 10
"""How much faster a head's sharpness and recency are learnt: single numbers, that have far to go."""
OFTEN = 5
"""A crowd's word is known when it occurs this often; others are spelled."""


def new_tokenizer() -> Tokenizer:
    """All words of the answers, of the drives' questions, and those that the crowd's requests hold often."""
    wordings = [wording for wordings in (WORDINGS | HISTORY | REQUESTS).values() for wording in wordings]
    stated = [value for template in TEMPLATES for value in template.facts.values()]
    stated += [value for values in FACTS.values() for value in values] + [*WORDS.values(), *EVENTS]
    asked = {word for text in (*wordings, *stated) for word in re.findall(r"[\w']+", text)}
    requests = (text for texts in crowd("train").values() for text in texts)
    often = Counter(word for text in requests for word in re.findall(r"[\w']+", text.lower()))
    heard = asked | {word for word, count in often.items() if count >= OFTEN}
    return Tokenizer(vocabulary(), sorted(heard - set(vocabulary())), sentences())


def config_of(tokenizer: Tokenizer, rung: str) -> NetworkConfig:
    return NetworkConfig(len(tokenizer), len(tokenizer.marks), len(tokenizer.topics), **RUNGS[rung])


class Trainer:
    """One process's part of a run. `process` 0 writes; the others only compute."""

    def __init__(self, recipe: Recipe, process: int) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(recipe.seed)
        self.recipe, self.process = recipe, process
        self.tokenizer = new_tokenizer()
        self.config = config_of(self.tokenizer, recipe.rung)
        if recipe.begin is None:
            self.network = Network(self.config)
            name_values(self.network, self.tokenizer)
        else:
            self.network = begin_with(recipe.begin, self.config, self.tokenizer)
        if recipe.eyes is not None:
            take_eyes(self.network, recipe.eyes)
        torch.set_float32_matmul_precision("highest" if recipe.device == "cpu" else "high")
        self.network.to(recipe.device)
        if recipe.learns == "path":
            keep_eyes(self.network)
        elif recipe.learns == "speech":
            only_speech(self.network, recipe.begin, self.tokenizer)
        elif recipe.learns in ONLY:
            self.network.requires_grad_(False).eval()
            for name, parameter in self.network.named_parameters():
                parameter.requires_grad_(name.startswith(ONLY[recipe.learns]))
        self.optimizers = optimizers(self.network, recipe)
        self.averaged = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
        self.masks = None if recipe.device == "cuda" else torch.Generator()
        self.step = 0
        if recipe.device == "cuda":
            for parameter in (each for each in self.network.parameters() if each.requires_grad):
                parameter.grad = torch.zeros_like(parameter)
        network = self.network
        of_drives: dict[str, Callable[[Any], Parts]] = {
            "course": lambda given: signal_losses(network, given),
            "speech": lambda given: request_losses(network, given),
        }
        of_log = cut_losses if recipe.learns == "compactable" else recall_losses
        of_words = speech_losses if recipe.learns in ("speech", "compactable") else wording_losses
        self.of_drives = self._gradients(
            of_drives.get(recipe.learns, lambda given: drive_losses(network, given, self.masks))
        )
        self.of_logs = self._gradients(lambda given: of_log(network, given))
        self.of_words = self._gradients(lambda given: of_words(network, given, self.masks))
        self._resume()

    def run(self) -> None:
        """Train to the end of the recipe, from the last checkpoint on."""
        recipe = self.recipe
        log = None if self.process else _Log(recipe.out / "log.csv", self.step, recipe.steps)
        began_s, passed = time.monotonic(), 0.0
        for given in self._given():
            if recipe.minutes is not None:
                passed = min(1.0, (time.monotonic() - began_s) / 60 / recipe.minutes)
            drives, logs, words = moved(given, recipe.device)
            parts = self.update(drives, logs, words, passed)
            self.step += 1
            if log is not None:
                log.add(self.step, parts)
                if self.step % recipe.save_every == 0:
                    self._save()
            if passed == 1.0:
                break
        if log is not None:
            self._save()
            log.close()

    def _given(self) -> DataLoader[Given]:
        """What is left to learn from, in order."""
        sense = None if self.recipe.learns == "all" else self._sense
        return loader(Feed(self.recipe, self.process, self.config, self.tokenizer, sense), self.step)

    @torch.no_grad()
    def _sense(self, seen: Features) -> Sight:
        return self.network.encoder.sense(seen)

    def update(
        self, drives: Batch | Driven | None, logs: Recall | CutLogs | None, words: Wording | None, passed: float = 0.0
    ) -> Tensor:
        """One step -> the parts of the loss [WEIGHTS], 0 where nothing was learnt. passed: as in `progress_factor`."""
        recipe, step = self.recipe, self.step
        if self.masks is not None:
            self.masks.manual_seed(step * recipe.processes + self.process + recipe.seed * 1_000_003)
        self.network.zero_grad(set_to_none=recipe.device == "cpu")
        with torch.device(recipe.device):
            every = ((self.of_drives, drives), (self.of_logs, logs), (self.of_words, words))
            parts = [of(given) for of, given in every if given is not None]
        _share_gradients(self.network)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), CLIP_NORM)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * progress_factor(recipe, step, passed)
            optimizer.step()
        keep = min(recipe.average, (step + 1) / (step + 10))
        now = self.network.state_dict()
        smooth = [name for name, tensor in now.items() if tensor.is_floating_point()]
        torch._foreach_lerp_([self.averaged[name] for name in smooth], [now[name] for name in smooth], 1 - keep)
        for name in now.keys() - smooth:
            self.averaged[name].copy_(now[name])
        return torch.stack(parts).sum(0)

    def _gradients(self, losses: Callable[[Any], Parts]) -> Gradients:
        return Gradients(lambda given: self._weighed(losses(given)))

    def _weighed(self, parts: dict[str, Tensor]) -> Tensor:
        """[WEIGHTS]; 0 where there is no such part."""
        nothing = next(iter(parts.values())) * 0
        return torch.stack([WEIGHTS[name] * parts.get(name, nothing) for name in WEIGHTS])

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
        state = load_file(path, self.recipe.device)
        self.network.load_state_dict(_stripped("network", state))
        self.averaged = _stripped("averaged", state)
        for index, (optimizer, parameter) in enumerate(self._optimized()):
            optimizer.state[parameter] = _stripped(f"optimizer.{index}", state)
        self.step = int(state["step"])

    def _optimized(self) -> Iterator[tuple[Optimizer, Tensor]]:
        return ((o, parameter) for o in self.optimizers for group in o.param_groups for parameter in group["params"])


def begin_with(path: Path, config: NetworkConfig, tokenizer: Tokenizer) -> Network:
    """The network of a file, grown if `config` is larger. Raises UserError when it does not fit."""
    try:
        other, words = load(path)
        if (words.spoken, words.heard) != (tokenizer.spoken, tokenizer.heard):
            other = reworded(other, words, tokenizer)
        network = other if other.config == config else grown(other, config)
    except (CheckpointError, ValueError) as error:
        raise UserError(f"cannot begin with {path}: {error}") from error
    return network.train().requires_grad_(True)


@torch.no_grad()
def take_eyes(network: Network, path: Path) -> None:
    """Take over what looks from the weights of a file; it is the same in every rung, but for how it is told to the
    trunk. Raises UserError when it does not fit."""
    try:
        other, _ = load(path)
    except CheckpointError as error:
        raise UserError(f"cannot take over the eyes of {path}: {error}") from error
    theirs = other.state_dict()
    for name, tensor in network.state_dict().items():
        if name.startswith((*EYES, *GUESS)):
            if theirs[name].shape != tensor.shape:
                raise UserError(f"cannot take over the eyes of {path}: {name} is of another size")
            tensor.copy_(theirs[name])


def keep_eyes(network: Network) -> None:
    """Leave what the sensors show and the guesses as they are: only how that is told to the trunk goes on learning."""
    for name, part in network.named_modules():
        if f"{name}.".startswith((*EYES, *GUESS)):
            part.requires_grad_(False).eval()
    network.motion.narrow.requires_grad_(False)
    network.encoder.summary.requires_grad_(False)


def only_speech(network: Network, begin: Path | None, tokenizer: Tokenizer) -> None:
    """Leave all as it is but what understanding and wording have for themselves, and words that `begin` never says."""
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name.startswith(SPEAKING))
    network.encoder.eval()
    known = Tokenizer(()) if begin is None else load(begin)[1]
    kept = {*known.tokens[: known.first_spoken], *known.spoken} - ({*known.heard} & {*tokenizer.spoken})
    is_new = torch.tensor([token not in kept for token in tokenizer.tokens])[: len(network.unsaid)]
    for words in (network.words.weight, network.unsaid):
        words.requires_grad_(True)
        new = is_new.view(-1, *(1 for _ in words.shape[1:])).to(words)
        words.register_hook(lambda gradient, new=new: gradient * new)


@torch.no_grad()
def name_values(network: Network, tokenizer: Tokenizer) -> None:
    """Let every fact's value begin as the words that say it, so that saying it is copying.

    Words go on changing while logs alone are read: after 850 steps of that a value was not near its word any more
    (cosine 0.2).
    """
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
    parts = (
        *list(camera)[1:],
        network.encoder.flat,
        network.before,
        network.topic,
        network.blocks,
        network.steps,
        network.policy.blocks,
    )
    hidden = [parameter for part in parts for parameter in part.parameters()]
    matrices = [p for p in hidden if p.ndim == 2]
    inside = {id(p) for p in matrices}
    others = [p for p in network.parameters() if id(p) not in inside]
    per_head = [p for block in network.blocks for p in (block.gain, block.recency)]  # type: ignore[union-attr]
    single = {id(p) for p in per_head}
    groups = [
        {"params": [p for p in others if p.ndim == 2], "weight_decay": recipe.decay},
        {"params": [p for p in others if p.ndim != 2 and id(p) not in single], "weight_decay": 0.0},
        {"params": per_head, "weight_decay": 0.0, "lr": FASTER * recipe.rate},
    ]
    made: list[Optimizer] = [
        torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.98), fused=recipe.device == "cuda"),
        Muon(matrices, lr=recipe.hidden_rate, weight_decay=recipe.decay),
    ]
    for optimizer in made:
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
    return made


def progress_factor(recipe: Recipe, step: int, passed: float = 0.0) -> float:
    """Of the highest learning rate: a linear rise, then a cosine down to nothing. passed: the share of the run's time;
    whichever of steps and time runs out first decides."""
    if step < recipe.warmup:
        return (step + 1) / recipe.warmup
    done = max(passed, (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup))
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
        self._last: tuple[int, Tensor] | None = None

    def add(self, step: int, parts: Tensor) -> None:
        """Written with the next one: to read it at once would wait for a GPU."""
        self._write()
        self._last = step, parts

    def _write(self) -> None:
        if self._last is None:
            return
        step, values = self._last[0], self._last[1].tolist()
        if self._file.tell() == 0:
            self._writer.writerow(["step", "seconds", *WEIGHTS])
        seconds = time.monotonic() - self._began_s
        self._writer.writerow([step, f"{seconds:.1f}", *(f"{value:.4f}" for value in values)])
        self._file.flush()
        self._progress.update(self._task, completed=step, loss=sum(values))

    def close(self) -> None:
        self._write()
        self._progress.stop()
        self._file.close()
