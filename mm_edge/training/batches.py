"""Drives cut into batches: moments of a drive in a row, what is asked about them, and what right answers state.

A batch follows from its seeds alone, so that training can resume anywhere. Knows nothing about losses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mm_edge.model.encoders import SEEN_FACTS, Sight
from mm_edge.model.features import Features, features
from mm_edge.model.network import ASKED, STATED, NetworkConfig
from mm_edge.model.observation import Observation
from mm_edge.model.policy import actions
from mm_edge.model.schema import SCENE_FACTS, hidden_facts
from mm_edge.model.tokenizer import EOS, Tokenizer
from mm_edge.training.finds import FOLLOWING, Find, Finds, find_past, finds_of, id_rows, log_rows, stated_by
from mm_edge.training.recipe import TRAINING_SEEDS
from mm_edge.world.crowd import REFUSED, crowd
from mm_edge.world.drive import Drive
from mm_edge.world.journey import Journey
from mm_edge.world.questions import ENDINGS, WORDINGS, answer, pick, request, topic_unasked, worded
from mm_edge.world.recall import ABOUT_KIND, ask_history
from mm_edge.world.sentences_told import REQUESTS

DURATION_S, SPACING_S = 14.0, 0.5
HEIGHTS = (96, 96, 96, 96, 96, 144, 192, 240)
"""Of the pictures of a drive: one of these."""
SHAKEN_PX = 2, 4
"""How far a drive's pictures are moved on a visit, at most: rows, columns."""
DRIVEN = 22
"""Moments of a drive of which nothing is drawn: all that fit in."""
IGNORE = -100
UNASKED, CROWD, PAST, TELLING = 0.12, 0.25, 0.3, 0.06
"""Shares of the requests that are none, that are in people's own words, that are about the past of the drive, and that
ask for several sentences."""
CROWD_REFUSED = 0.4
"""Share of the crowd's requests that are refused."""
SHORT_LOGS = 0.2
"""Share of the drives whose log is of any length up to the longest."""
FRAGMENTS = 0.2
"""Share of the refused ones that are cut short or make no sense."""
CARELESS, LEFT_OUT = 0.4, 0.12
"""Share of the crowd's requests in which words are left out, and the share of their words that are."""
PRESENT = tuple(family for family in WORDINGS if family != REFUSED)
"""What there is to find in every scene."""
WHOLE = frozenset(wording for wordings in WORDINGS.values() for wording in wordings)
MOTIONS = SCENE_FACTS["lead_motion"]


@dataclass(frozen=True)
class BatchShape:
    moments: int = 10
    requests: int = 6
    """Per moment: what they ask is understood."""
    finds: int = 4
    """Per moment, besides all that there is to find in its scene: about the past."""
    log: int = 256
    """Words of the longest log; 0: nothing is asked."""


@dataclass(frozen=True)
class Seen:
    """The moments of drives, N in a row. facts: name -> [N], IGNORE where the sensor is lost; gap: [N] log metres, NaN
    without a lead; recalled: [N] how many summaries before it are remembered; motion: [N] what the lead vehicle does,
    IGNORE where that cannot be known; speed: [N] m/s, and actions: [N, STEPS, 2], NaN where it is unknown; stated: [N,
    PRESENT, STATED] what there is to find; unasked: [N] the topic of a turn without a request."""

    senses: Features | Sight
    facts: dict[str, Tensor]
    gap: Tensor
    recalled: Tensor
    motion: Tensor
    speed: Tensor
    actions: Tensor
    stated: Tensor
    unasked: Tensor


@dataclass(frozen=True)
class Driven:
    """As Seen, of drives of which nothing but the vehicle's signals is known. state: [N, STATE_SIZE]."""

    state: Tensor
    recalled: Tensor
    speed: Tensor
    actions: Tensor


@dataclass(frozen=True)
class Requests:
    """of: [Q] the moment, Q / moments in a row of one; ids [Q, t] and hidden [Q, t], True where it is only filling;
    asked [Q, ASKED]."""

    of: Tensor
    ids: Tensor
    hidden: Tensor
    asked: Tensor


@dataclass(frozen=True)
class Batch:
    """log: [drives, WINDOW + n], filled up in front; log_bias [drives, n]; requests and finds: none while only what
    looks or the path learns."""

    seen: Seen
    log: Tensor
    log_bias: Tensor
    requests: tuple[Requests, ...]
    finds: Finds | None


def look(seed: int, moments: int, history_slots: int, tokenizer: Tokenizer) -> Seen:
    """What is seen on one drive."""
    rng = np.random.default_rng([seed, 7])
    drive, times_s = Drive(seed, DURATION_S), _times_s(seed, moments)
    height = int(rng.choice(HEIGHTS))
    observations = [drive.observation(t_s, height) for t_s in times_s]
    targets = [_facts(drive, t_s) for t_s in times_s]
    known = _known(rng, moments)
    speed = torch.tensor([o.state.speed_mps for o in observations])
    stated = [[stated_by(answer(drive, t_s, family)) for family in PRESENT] for t_s in times_s]
    return Seen(
        senses=features(observations),
        facts={name: torch.tensor([target[name] for target in targets]) for name in SEEN_FACTS},
        gap=torch.tensor([_gap(drive, t_s) for t_s in times_s], dtype=torch.float32),
        recalled=torch.tensor([min(past, history_slots) for past in known]),
        motion=torch.tensor([_motion(drive, t_s, past) for t_s, past in zip(times_s, known, strict=True)]),
        speed=speed,
        actions=_actions(drive, times_s, speed),
        stated=torch.stack([id_rows(tokenizer.claims(each, STATED) for each in row) for row in stated]),
        unasked=id_rows(tokenizer.claims(f"<{topic_unasked(drive, t_s)}>", 1) for t_s in times_s)[:, 0],
    )


def drive_on(seed: int, history_slots: int) -> Driven:
    """To draw nothing takes a fiftieth of the time: of drives like this there can be many."""
    rng = np.random.default_rng([seed, 61])
    drive, times_s = Drive(seed, DURATION_S), _times_s(seed, DRIVEN)
    states = [drive.state(t_s) for t_s in times_s]
    speed = torch.tensor([state.speed_mps for state in states])
    return Driven(
        state=features([Observation(0, state=state) for state in states]).state,
        recalled=torch.tensor([min(past, history_slots) for past in _known(rng, DRIVEN)]),
        speed=speed,
        actions=_actions(drive, times_s, speed),
    )


def joined(parts: Sequence[Driven]) -> Driven:
    """Several drives, one after the other."""
    return Driven(*map(torch.cat, zip(*(vars(part).values() for part in parts), strict=True)))


def _known(rng: np.random.Generator, moments: int) -> list[int]:
    """How many moments before each of them are remembered: mostly all."""
    return [past if rng.random() < 0.75 else int(rng.integers(past + 1)) for past in range(moments)]


def _actions(drive: Drive, times_s: Sequence[float], speed: Tensor) -> Tensor:
    return actions(torch.from_numpy(np.stack([drive.path(t_s) for t_s in times_s])), speed)


def _moved(seen: Seen, rng: np.random.Generator) -> Seen:
    """Its pictures, if there are any, a few pixels aside, as if the camera were mounted a little differently."""
    if isinstance(seen.senses, Sight):
        return seen
    aside = tuple(int(rng.integers(-most, most + 1)) for most in SHAKEN_PX)
    return replace(seen, senses=replace(seen.senses, image=seen.senses.image.roll(aside, (2, 3))))


def _joined(parts: Sequence[Seen]) -> Seen:
    """Several drives, one after the other."""
    names = ("gap", "recalled", "motion", "speed", "actions", "stated", "unasked")
    kind = type(parts[0].senses)
    return Seen(
        senses=kind(*map(torch.cat, zip(*(vars(part.senses).values() for part in parts), strict=True))),
        facts={name: torch.cat([part.facts[name] for part in parts]) for name in SEEN_FACTS},
        **{name: torch.cat([getattr(part, name) for part in parts]) for name in names},
    )


def batch(
    seen: Callable[[int], Seen],
    seeds: Sequence[int],
    visit: int,
    shape: BatchShape,
    config: NetworkConfig,
    tokenizer: Tokenizer,
) -> Batch:
    """The drives of `seeds` with other logs and requests on every visit. `seen`: `look` of a seed."""
    rng = np.random.default_rng([*seeds, visit, 8])
    whole = _joined([_moved(seen(seed), rng) for seed in seeds])
    if not shape.log:
        return Batch(whole, *log_rows([], 0), (), None)
    longest = [int(rng.integers(shape.log)) if rng.random() < SHORT_LOGS else shape.log for _ in seeds]
    journeys = [Journey(int(rng.integers(TRAINING_SEEDS)), words) for words in longest]
    log, bias = log_rows([tokenizer.log(journey.words) for journey in journeys], shape.log)
    moments = [journey for journey in journeys for _ in range(shape.moments)]
    past = [[find_past(journey, rng, FOLLOWING) for _ in range(shape.finds)] for journey in moments]
    return Batch(
        whole,
        log,
        bias,
        _requests(moments, whole, shape.requests, rng, config, tokenizer),
        _all_finds(whole, past, tokenizer),
    )


def requested(
    seen: Callable[[int], Seen],
    seeds: Sequence[int],
    visit: int,
    shape: BatchShape,
    config: NetworkConfig,
    tokenizer: Tokenizer,
) -> Batch:
    """As `batch`, of requests alone."""
    rng = np.random.default_rng([*seeds, visit, 53])
    whole = _joined([_moved(seen(seed), rng) for seed in seeds])
    journeys = [Journey(int(rng.integers(TRAINING_SEEDS)), shape.log) for _ in seeds for _ in range(shape.moments)]
    return Batch(whole, *log_rows([], 0), _requests(journeys, whole, shape.requests, rng, config, tokenizer), None)


def _times_s(seed: int, moments: int) -> list[float]:
    rng = np.random.default_rng([seed, 9])
    start_s = rng.uniform(0.5, DURATION_S - 1.0 - moments * SPACING_S)
    return [start_s + SPACING_S * step + rng.uniform(-0.06, 0.06) for step in range(moments)]


def _all_finds(seen: Seen, past: Sequence[Sequence[Find]], tokenizer: Tokenizer) -> Finds:
    """All that there is to find in every scene, nothing for what is refused or unasked, and what of the past goes with
    it."""
    count = len(past)
    topics = id_rows(tokenizer.claims(f"<{family}>", ASKED) for family in (*PRESENT, REFUSED))
    unasked = F.pad(seen.unasked[:, None, None], (0, ASKED - 1), value=EOS)
    nothing = torch.full((count, 2, STATED), EOS)
    asked, stated = [topics.expand(count, -1, -1), unasked], [seen.stated, nothing]
    if past[0]:
        found = finds_of(torch.arange(count), [find for row in past for find in row], tokenizer)
        asked.append(found.asked.unflatten(0, (count, -1)))
        stated.append(found.stated.unflatten(0, (count, -1)))
    each = sum(part.shape[1] for part in asked)
    of = torch.arange(count).repeat_interleave(each)
    return Finds(of, torch.cat(asked, 1).flatten(0, 1), torch.cat(stated, 1).flatten(0, 1))


def _requests(
    moments: Sequence[Journey],
    seen: Seen,
    count: int,
    rng: np.random.Generator,
    config: NetworkConfig,
    tokenizer: Tokenizer,
) -> tuple[Requests, ...]:
    """`count` about each moment of `seen`, cut in two: the shorter ones of each and the longer ones, since filling
    costs as much as words."""
    parts: tuple[list[tuple[int, list[int], list[int]]], ...] = ([], [])
    for of, journey in enumerate(moments):
        made = []
        for _ in range(count):
            text, topic, about = ("", "", "") if rng.random() < UNASKED else _request(journey, rng)
            topics = tokenizer.claims(topic, 1) if topic else [int(seen.unasked[of])]
            ids = tokenizer.request(text, config.request_length)
            made.append((of, ids, [*topics, *tokenizer.claims(about, 1)]))
        made.sort(key=lambda each: len(each[1]))
        parts[0].extend(made[: count // 2])
        parts[1].extend(made[count // 2 :])
    limit = config.request_length
    return tuple(_stacked(part, 2 * limit // 3, limit) for part in parts if part)


def _stacked(made: list[tuple[int, list[int], list[int]]], short: int, limit: int) -> Requests:
    """All filled up to one of two lengths, so that there are few shapes."""
    longest = max(len(ids) for _, ids, _ in made)
    longest = short if longest <= short else limit
    return Requests(
        of=torch.tensor([of for of, *_ in made]),
        ids=id_rows(ids + [EOS] * (longest - len(ids)) for _, ids, _ in made),
        hidden=torch.tensor([[place >= len(ids) for place in range(longest)] for _, ids, _ in made]),
        asked=id_rows(asked for *_, asked in made),
    )


def _request(journey: Journey, rng: np.random.Generator) -> tuple[str, str, str]:
    """A request with names marked, its topic, and the word of the log that it is about."""
    if rng.random() < CROWD:
        text, topic, about = _crowd(rng)
        return journey.names.marked(text), topic, about
    return own_request(journey, rng)


def own_request(journey: Journey, rng: np.random.Generator) -> tuple[str, str, str]:
    """The same, in the drives' own words."""
    chance = rng.random() * (1 - CROWD)
    if chance < PAST:
        question = ask_history(journey, rng)
        return journey.names.marked(question.text), f"<{question.topic}>", question.about
    if chance < PAST + TELLING:
        family = pick(rng, [*REQUESTS])
        return worded(rng, REQUESTS[family], ENDINGS), f"<{family}>", ""
    family = pick(rng, [*WORDINGS])
    return journey.names.marked(request(family, rng)), f"<{family}>", ""


def _crowd(rng: np.random.Generator) -> tuple[str, str, str]:
    requests = crowd("train")
    family = REFUSED if rng.random() < CROWD_REFUSED else str(rng.choice(sorted(requests.keys() - {REFUSED})))
    text = requests[family][rng.integers(len(requests[family]))]
    if family == REFUSED and rng.random() < FRAGMENTS:
        text = fragment(text, rng)
    elif rng.random() < CARELESS:
        text = " ".join(word for word in text.split() if rng.random() >= LEFT_OUT)
    return text, f"<{family}>", ABOUT_KIND.get(family, "")


def fragment(text: str, rng: np.random.Generator) -> str:
    """The beginning of a request, or letters that mean nothing."""
    if rng.random() < 0.5:
        begun = " ".join(text.split()[: rng.integers(1, 4)])
        return "?" if begun in WHOLE else begun
    return "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz?"), rng.integers(1, 10)))


def _facts(drive: Drive, t_s: float) -> dict[str, int]:
    truth = drive.truth(t_s) | {"limit": drive.sensed_limit(t_s), "alert": drive.alert(t_s)}
    hidden = hidden_facts(drive.sees(t_s), drive.hears(t_s))
    known = {name: truth.get(name) or answer(drive, t_s, name)[name] for name in SEEN_FACTS if name not in hidden}
    return {name: values.index(known[name]) if name in known else IGNORE for name, values in SEEN_FACTS.items()}


def _motion(drive: Drive, t_s: float, recalled: int) -> int:
    return MOTIONS.index(drive.truth(t_s)["lead_motion"]) if drive.sees(t_s) and recalled >= 2 else IGNORE


def _gap(drive: Drive, t_s: float) -> float:
    lead = drive.sees(t_s) and drive.truth(t_s)["lead"] != "none"
    return float(np.log(drive.gap_m(t_s))) if lead else np.nan
