"""What people ask about the past of a drive, in many wordings, and the facts that a right answer states.

Names stand in the questions as people type them, in the facts as marks. Knows nothing about how answers are worded or
who gives them.
"""

from __future__ import annotations

import re
from itertools import islice

import numpy as np

from mm_edge.model.events import LANDMARKS, MARKS, line
from mm_edge.world.journey import PEOPLE, PLACES, SPOTS, TASKS, Journey
from mm_edge.world.questions import Question, pick, worded

HISTORY: dict[str, tuple[str, ...]] = {
    "last_limit": (
        "what was the last speed limit sign", "what did the last limit sign say", "what did the last speed sign say",
        "which speed limit sign did we pass last", "what was the last limit we passed", "which limit did we pass last",
        "which limit was on the last sign", "what number was on the last speed sign", "what was the last limit sign",
        "which speed sign did we pass most recently", "what was the most recent limit sign",
        "do you remember the last limit sign", "what was the last sign with a speed limit",
    ),
    "red_wait": (
        "how long was the last red light", "how long did we wait at the last red light",
        "how long did we stand at the last red light", "how many seconds was the last red light",
        "how long did the last red light take", "how long were we stuck at the last red light",
        "how much time did the last red light cost us", "how many seconds did we wait at the last red light",
        "how long did it take until the last red light turned green", "for how long was the last light red",
        "what was our waiting time at the last red light", "how long did the last red phase last",
    ),
    "last_caller": (
        "who called last", "who was the last caller", "who called me last", "who did i talk to last",
        "who was on the phone last", "who phoned most recently", "who was the last person to call",
        "with whom was the last call", "whose call was the last one", "who rang last", "who did i last speak with",
        "who was the most recent caller", "from whom was the last phone call",
    ),
    "call_before": (
        "who called before {place}", "who called me before {place}", "who was on the phone before {place}",
        "which call came before {place}", "who phoned before we got to {place}", "who did i talk to before {place}",
        "who rang before we reached {place}", "who was the last caller before {place}", "before {place} who called",
        "whose call came before {place}", "who had called just before {place}",
        "with whom was the last call before {place}",
    ),
    "call_length": (
        "how long did i talk to {person}", "how long was the call with {person}", "how long was {person} on the phone",
        "how many minutes did i talk to {person}", "how long did i speak with {person}",
        "how long did the call with {person} take", "how many minutes was the call with {person}",
        "what was the length of the call with {person}", "how long was my conversation with {person}",
        "for how long did {person} and i talk", "how long did {person} keep me on the phone",
        "how many minutes did {person} talk to me",
    ),
    "parked": (
        "where did we park", "where did i park", "where did we leave the car", "where was the car parked",
        "where did we park last", "what was our last parking place", "in which place did we park",
        "where did i park the car last time", "do you remember where we parked", "where was our last parking spot",
        "which parking place did we use", "where had we parked",
    ),
    "after": (
        "what came right after {place}", "what happened right after {place}", "what came after {place}",
        "what was the next thing after {place}", "what happened after {place}", "after {place} what came next",
        "what did we meet first after {place}", "what followed {place}", "what was next after {place}",
        "what happened just after we passed {place}", "what was the first thing after {place}",
        "what did you note right after {place}",
    ),
    "stops_since": (
        "how many stops since {place}", "how often did we stop since {place}", "count the stops since {place}",
        "how many times did we stop after {place}", "how many times have we stopped since {place}",
        "how often have we stopped since {place}", "how many stops were there after {place}",
        "what is the number of stops since {place}", "how many stops have we made since {place}",
        "how many stops did we make after {place}", "since {place} how often did we stop",
        "how many times did the car stop since {place}",
    ),
    "when": (
        "when did we pass {place}", "at what time did we pass {place}", "when did we get to {place}",
        "when did we reach {place}", "when were we at {place}", "what time was it at {place}",
        "when did we come through {place}", "when did {person} call", "when did i talk to {person}",
        "at what time did {person} call", "what time was the call with {person}", "when did {person} phone me",
        "when was the last call with {person}",
    ),
    "charged": (
        "how much did we charge at {spot}", "how many percent did we charge at {spot}",
        "how much charge did we get at {spot}", "how many percent did we gain at {spot}",
        "what did the stop at {spot} add to the battery", "how much power did we take on at {spot}",
        "how much did we charge last time", "how many percent did the last charging stop give",
        "how much did the last charge add", "how much did we get at the last charger",
        "how many percent did we charge last time", "what did we gain at the last charging stop",
    ),
    "doing": (
        "which task is running now", "what are you working on", "which task are you doing", "what task is running",
        "what are you busy with", "is there a task running", "which task is still open", "what are you doing for me",
        "which task did you begin last", "what task is in progress", "which task is under way",
        "what is the current task",
    ),
    "task_state": (
        "is the {task} done", "did the {task} work", "is the {task} finished", "has the {task} failed",
        "what about the {task}", "how is the {task} going", "what is the state of the {task}",
        "is the {task} still running", "did you finish the {task}", "did the {task} fail",
        "are you done with the {task}", "is the {task} complete", "what happened to the {task}",
    ),
    "location": (
        "where are we now", "where am i", "what is our location", "which place are we in", "what place is this",
        "what town is this", "what is the name of this place", "in which town are we", "where exactly are we",
        "which place did we enter last", "which town are we in", "what is my current location", "tell me where we are",
    ),
    "traffic": (
        "how is the traffic", "is there a traffic jam", "how much time do we lose in traffic", "is there a jam",
        "what is the traffic like", "are there delays on the way", "how long is the delay",
        "is there traffic on our way", "how bad is the traffic", "any traffic jams", "what does the traffic news say",
        "how many minutes do we lose in the jam",
    ),
    "tyres": (
        "what is the tyre pressure", "how much air is in the tyres", "are the tyres okay", "how are the tyres",
        "is the tyre pressure too low", "do the tyres need air", "what pressure do the tyres have", "tyre pressure",
        "what is the pressure in my tires", "how is the tire pressure", "tell me the tyre pressure",
        "check the tire pressure",
    ),
    "service": (
        "when was the last service", "when is the next service", "when is the oil change due",
        "how long since the last service", "when was the oil changed", "when do we need service again",
        "how many days until the next service", "when was the car serviced last", "is the car due for service",
        "when does the car need maintenance", "when was the last maintenance", "when is the next oil change",
    ),
    "arrival": (
        "when do we arrive", "how far is it to our destination", "how long until we arrive", "where are we going",
        "how many kilometres is it to the destination", "how far do we still have to go", "what is our destination",
        "how long will it take to get there", "how many minutes until we are there", "are we there yet",
        "how much longer is the trip", "how far away is our destination",
    ),
}  # fmt: skip
"""Family -> its wordings. What a slot stands for: {place} a named place or a landmark, {person} a caller, {spot} where
the car was charged, {task} what was begun for the driver; always the latest such event."""
HISTORY_FAMILIES = tuple(HISTORY)
UNKNOWN = "unknown"
"""Value of a family's first fact when the log does not hold the answer; it is then the only fact."""
STATED: dict[str, tuple[str, ...]] = {
    "last_limit": ("number",), "red_wait": ("number",), "last_caller": ("name",), "call_before": ("name",),
    "call_length": ("number",), "parked": ("name",), "after": ("event",), "stops_since": ("number",),
    "when": ("hour", "minute"), "charged": ("number",), "doing": ("name",), "task_state": ("state", "name"),
    "location": ("name",), "traffic": ("number",), "tyres": ("number",), "service": ("since", "until"),
    "arrival": ("name", "km", "min"),
}  # fmt: skip
"""Family -> the facts of an answer, in the order of an event's arguments."""
MOST_STOPS = 9
"""Nobody asks for more than these to be counted."""
UNKNOWN_SHARE = 0.12
_ENDINGS = ("", "", "", "", " please", "?")
_PHRASES = {
    "tunnel": ("the tunnel",),
    "bridge": ("the bridge",),
    "toll": ("the toll", "the toll station", "the toll booth"),
    "border": ("the border",),
}
ABOUT_KIND = {
    "last_limit": "limit", "red_wait": "red", "last_caller": "call", "parked": "park", "charged": "charge",
    "location": "place", "traffic": "traffic", "tyres": "tyres", "service": "service", "arrival": "route",
    "doing": "task",
}  # fmt: skip
"""Families that are about a kind of event, mostly the latest one."""
_SLOTS = {
    "place": (("place", *LANDMARKS), PLACES),
    "person": (("call",), PEOPLE),
    "spot": (("charge",), SPOTS),
    "task": (("task",), TASKS),
}
_SLOT = re.compile(r"\{(\w+)\}")


def ask_history(journey: Journey, rng: np.random.Generator, family: str = "") -> Question:
    """A question about the journey's past, of a random family unless one is given. Where the log allows it,
    UNKNOWN_SHARE of them have no answer."""
    known = rng.random() >= UNKNOWN_SHARE
    families = [family] if family else rng.permutation(HISTORY_FAMILIES).tolist()
    if not known and rng.random() < 0.5:  # first the families whose answer is rarely unknown
        families.sort(key=lambda each: _SLOT.search(HISTORY[each][0]) is not None)
    for each in families:
        question = _asked(journey, rng, each, known)
        if (UNKNOWN not in question.facts.values()) == known:
            break
    return question


def answer_history(journey: Journey, family: str, about: tuple[str, str] | None = None) -> dict[str, str]:
    """The facts that a right answer states. `about`: what the question's slot stands for, as in `Journey.latest`."""
    values = _stated(journey, family, about)
    return dict(zip(STATED[family], values, strict=True)) if values else {STATED[family][0]: UNKNOWN}


def question_about(journey: Journey, family: str, text: str, about: tuple[str, str] | None = None) -> Question:
    """A question in somebody's own words; `about`: as in `answer_history`."""
    kind, name = about or (ABOUT_KIND[family], "")
    mark = journey.names.marked(name) if name else kind
    facts = answer_history(journey, family, about)
    return Question(family, text, family, facts, mark if mark in MARKS or not name else "")


def _asked(journey: Journey, rng: np.random.Generator, family: str, known: bool) -> Question:
    text = worded(rng, HISTORY[family], _ENDINGS)
    slot = _SLOT.search(text)
    if slot is None:
        return question_about(journey, family, text)
    about = _about(journey, rng, family, slot[1], known)
    phrases = _PHRASES.get(about[0], (about[1], about[1].lower()))
    return question_about(journey, family, text.replace(slot[0], pick(rng, phrases)), about)


def _about(journey: Journey, rng: np.random.Generator, family: str, slot: str, known: bool) -> tuple[str, str]:
    """Something to ask about, whose answer the log holds; otherwise something that it does not hold."""
    kinds, names = _SLOTS[slot]
    present = [key for key in journey.latest if key[0] in kinds and (key[1] or key[0] in LANDMARKS)]
    for index in rng.permutation(len(present)) if known else ():
        values = _stated(journey, family, present[index])
        if values and not (family == "stops_since" and int(values[0][1:]) > MOST_STOPS):
            return present[index]
    missing = [(kinds[0], name) for name in names] + [(kind, "") for kind in kinds[1:]]
    missing = [key for key in missing if key not in journey.latest]
    heard = {name for _, name in journey.latest}
    other = [key for key in missing if key[1] in heard]  # landmarks, and names that the log holds for other reasons
    chosen = other if other and rng.random() < 0.5 else missing
    return chosen[int(rng.integers(len(chosen)))]


def _stated(journey: Journey, family: str, about: tuple[str, str] | None) -> tuple[str, ...]:
    """The values of the facts STATED by the family, none when the log does not hold them."""
    if family == "doing":
        return _running(journey)
    index = journey.latest.get(about or (ABOUT_KIND[family], ""))
    if index is None:
        return ()
    event, later = journey.events[index], journey.events[index + 1 :]
    if family == "after":
        return tuple(each.kind for each in later[:1])
    if family == "stops_since":
        return (f"={sum(each.kind == 'stop' for each in later)}",)
    if family == "task_state":
        ends = [each.kind for each in later if each.name == event.name and each.kind in ("done", "failed")]
        return (ends[0] if ends else "running", journey.names.mark(event.name))
    if family == "call_before":
        calls = (each for each in reversed(journey.events[:index]) if each.kind == "call")
        return tuple(journey.names.mark(each.name) for each in islice(calls, 1))
    _, *arguments, hour, minute = line(event, journey.names)
    if family == "when":
        return hour, minute
    return tuple(arguments[:1] if STATED[family] == ("name",) else arguments[-len(STATED[family]) :])


def _running(journey: Journey) -> tuple[str, ...]:
    """The task last begun among those that have neither worked nor failed."""
    ended = set()
    for event in reversed(journey.events):
        if event.kind in ("done", "failed"):
            ended.add(event.name)
        elif event.kind == "task" and event.name not in ended:
            return (journey.names.mark(event.name),)
    return ()
