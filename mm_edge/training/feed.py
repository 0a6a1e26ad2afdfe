"""What every step of a run learns from, made by the process that trains or by others beside it. Knows nothing about
weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.context import BaseContext

import torch
from torch.utils.data import DataLoader, Dataset

from mm_edge.model.encoders import Sight
from mm_edge.model.features import Features
from mm_edge.model.network import NetworkConfig
from mm_edge.model.tokenizer import Tokenizer
from mm_edge.training.batches import Batch, BatchShape, Driven, Seen, batch, drive_on, joined, look, requested
from mm_edge.training.cuts import CutLogs, cut_logs
from mm_edge.training.finds import Recall, Wording, recall, wording
from mm_edge.training.recipe import Recipe

Sense = Callable[[Features], Sight]
Given = tuple[Batch | Driven | None, Recall | CutLogs | None, Wording | None]
"""What one process learns from in one step."""
OTHERS = 4
"""Where logs are compacted, one in so many steps has drives, and another one sentences: what else the trunk does is to
stay, and hardly changes."""


class Feed(Dataset[Given]):
    """step -> what `process` learns from in it. `sense`: turns what a drive shows into what is kept of it."""

    def __init__(self, recipe: Recipe, process: int, config: NetworkConfig, tokenizer: Tokenizer, sense: Sense | None):
        self.recipe, self.process, self.config, self.tokenizer, self.sense = recipe, process, config, tokenizer, sense
        self.seen: dict[int, Seen] = {}
        self.driven: dict[int, Driven] = {}

    def __getitem__(self, step: int) -> Given:
        recipe, visit = self.recipe, step * self.recipe.processes + self.process
        if recipe.learns == "compactable":
            return self._compactable(step, visit)
        if recipe.learns == "course":
            return joined([self._drive_on(seed) for seed in recipe.seeds(step, self.process)]), None, None
        looking = recipe.learns == "path" or step < recipe.look_steps
        drives = self._drives(step, visit, 0 if looking else recipe.drive_log_length(step))
        if recipe.learns == "speech":
            return drives, None, self._words(visit)
        if looking:
            return drives, None, None
        logs = recall(visit, recipe.recall, recipe.log_length(step), self.tokenizer)
        return drives, logs, self._words(visit)

    def _compactable(self, step: int, visit: int) -> Given:
        logs = cut_logs(visit, self.recipe.recall, self.recipe.log_length(step), self.tokenizer)
        drives = self._drives(step, visit, self.recipe.drive_log_length(step)) if step % OTHERS == 0 else None
        return drives, logs, self._words(visit) if step % OTHERS == OTHERS // 2 else None

    def _drives(self, step: int, visit: int, log: int) -> Batch:
        shape = BatchShape(requests=self.recipe.requests, finds=self.recipe.finds, log=log)
        make = requested if self.recipe.learns == "speech" else batch
        return make(self._look, self.recipe.seeds(step, self.process), visit, shape, self.config, self.tokenizer)

    def _words(self, visit: int) -> Wording:
        return wording(visit, self.recipe.wordings, self.config, self.tokenizer)

    def _look(self, seed: int) -> Seen:
        """What is seen on a drive, kept: to draw it takes longer than to learn from it."""
        if seed not in self.seen:
            seen = look(seed, BatchShape.moments, self.config.history_slots, self.tokenizer)
            if self.sense is not None and isinstance(seen.senses, Features):
                seen = replace(seen, senses=self.sense(seen.senses))
            self.seen[seed] = seen
        return self.seen[seed]

    def _drive_on(self, seed: int) -> Driven:
        if seed not in self.driven:
            self.driven[seed] = drive_on(seed, self.config.history_slots)
        return self.driven[seed]


def loader(feed: Feed, first_step: int) -> DataLoader[Given]:
    """All steps of the recipe from `first_step` on, in order."""
    workers = feed.recipe.workers
    return DataLoader(
        feed,
        batch_size=None,
        sampler=range(first_step, feed.recipe.steps),
        num_workers=workers,
        multiprocessing_context=_makers() if workers else None,
        worker_init_fn=_one_thread if workers else None,
        prefetch_factor=4 if workers else None,
    )


def _makers() -> BaseContext:
    """Processes that know this module from the start."""
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _one_thread(worker: int) -> None:
    torch.set_num_threads(1)
