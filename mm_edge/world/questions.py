"""What people ask on a drive, in many wordings, and the facts that a right answer states.

Knows nothing about how answers are worded or who gives them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mm_edge.world.drive import Drive
from mm_edge.world.grammar import facts_of, parse
from mm_edge.world.template import UNHEARD, UNSEEN

WATCH = "watch"
"""The family of turns that nobody asked for: its text is empty."""

WORDINGS: dict[str, tuple[str, ...]] = {
    "light": (
        "what colour is the light", "is the light red", "is the light green", "is the traffic light green",
        "what does the traffic light show", "can i go", "which colour is the traffic light", "what about the light",
        "do i have to stop at the light", "what is the traffic light doing", "is there a traffic light", "light colour",
        "what color is the signal", "is the signal red", "tell me the colour of the light",
        "do you see a traffic light",
    ),
    "limit": (
        "what is the speed limit", "how fast may i drive", "what is the limit here", "how fast can i go here",
        "which speed limit applies", "speed limit", "what does the sign say", "what is the maximum speed here",
        "how fast am i allowed to drive", "tell me the speed limit", "what speed is allowed", "is there a speed limit",
        "what's the limit", "what's the speed limit here", "do you see a speed limit sign", "what is the allowed speed",
    ),
    "lead": (
        "is there a car ahead", "what is in front of us", "who is driving ahead", "is there a vehicle in front",
        "how far is the car ahead", "what vehicle is ahead", "is a truck ahead of us",
        "which vehicle is in front of me",
        "what is driving in front", "do you see a car in front", "how far away is the vehicle ahead",
        "tell me about the vehicle ahead", "is anyone driving ahead of us", "is somebody in front of us",
    ),
    "motion": (
        "is the car ahead braking", "are we getting closer to the car ahead", "is the gap getting smaller",
        "is the vehicle ahead slowing down", "is it braking", "what is the vehicle ahead doing",
        "does the gap change", "is the car in front pulling away", "is the gap growing", "how does the gap change",
        "is the distance to the car ahead changing", "are we catching up", "is the truck ahead slowing down",
    ),
    "pedestrian": (
        "do you see a pedestrian", "is there a pedestrian", "is somebody walking there", "any pedestrians",
        "is a person on the road", "is someone crossing", "are there people on the road", "is anybody on foot here",
        "where is the pedestrian", "is there a person near the road", "watch for pedestrians do you see any",
        "is someone walking in front of us", "are there any people around", "do you see people",
    ),
    "weather": (
        "how is the weather", "what is the weather like", "is it raining", "is it foggy", "is there fog", "weather",
        "what's the weather", "does it rain", "how is the visibility", "is the weather good", "is it wet outside",
        "tell me about the weather", "do we have fog", "is the road wet",
    ),
    "daylight": (
        "is it day or night", "is it dark", "is it dark outside", "is it night", "is it light outside", "is it day",
        "is it daytime", "is it night time", "do i need the headlights", "is it still light outside",
    ),
    "road": (
        "what kind of road is this", "what road are we on", "are we on a highway", "where are we driving",
        "is this a city street", "are we in a city", "is this a highway", "what type of road is it",
        "on what kind of road are we", "are we on a country road", "which road is this",
    ),
    "siren": (
        "do you hear a siren", "is there a siren", "is an ambulance coming", "do you hear anything", "any sirens",
        "is there an emergency vehicle", "can you hear a siren", "is the police coming", "what do you hear",
        "was that a siren", "is that an ambulance", "do you hear an ambulance",
    ),
    "ahead": (
        "what is ahead", "what do you see", "what is ahead of us", "is the road ahead free", "what do you see ahead",
        "is anything ahead", "describe what is ahead", "is the way free", "what should i watch out for",
        "is there anything on the road", "what is coming up", "anything ahead",
    ),
    "over": (
        "am i too fast", "am i speeding", "are we too fast", "am i driving too fast", "is my speed okay",
        "am i over the limit", "am i above the speed limit", "are we speeding", "do i drive too fast",
        "is this too fast", "am i within the limit", "should i slow down",
    ),
    "speed": (
        "how fast are we", "what is my speed", "how fast am i driving", "what is the speed", "current speed",
        "how fast am i", "tell me my speed", "what speed are we doing", "how fast are we driving", "what's my speed",
        "what is our speed", "how fast are we going",
    ),
    "energy": (
        "how much charge is left", "what is the battery level", "how full is the battery", "battery",
        "how much energy is left", "how much fuel is left", "how full is the tank", "what is the charge",
        "state of charge", "how much battery do we have", "is the battery low", "tell me the battery level",
    ),
    "range": (
        "how far can we drive", "what is the range", "how far can i go", "range", "how many kilometres are left",
        "how far will it last", "what is the remaining range", "how far does the charge last",
        "how many kilometres can we drive", "how long is the range", "tell me the range",
    ),
    "gear": (
        "what gear are we in", "which gear is it", "is it in park", "what gear is engaged", "are we in drive", "gear",
        "is the gear in reverse", "which gear are we in", "is the car in neutral", "tell me the gear",
    ),
    "indicator": (
        "is the indicator on", "are we indicating", "which indicator is on", "is the left indicator on",
        "is the right indicator on", "are the hazard lights on", "is the turn signal on", "did i set the indicator",
        "what about the indicators", "is my blinker on", "am i indicating",
    ),
    "refuse": (
        "what is the capital of france", "tell me a joke", "who won the football game", "what time is it",
        "play some music", "call my mother", "what is two plus two", "how old are you", "open the window",
        "what is the meaning of life", "who are you", "book a table for two", "write a poem", "sing a song",
        "what is the price of gold", "where can i buy shoes", "send a message to my boss", "turn on the radio",
        "translate hello into spanish", "who is the president", "what should i eat", "do you like me",
        "is there life on mars", "how tall is the tower", "when is my next meeting", "order a pizza",
        "find me a hotel", "what is the best film", "tell me the news", "how do i bake bread",
        "hi", "hello", "good morning", "good evening", "ok", "yes", "no", "thanks", "thank you", "help", "test", "stop",
        "can you hear me", "are you there", "turn left", "turn right", "what", "why", "really", "never mind", "lol",
    ),
}  # fmt: skip
FAMILIES = (*WORDINGS, WATCH)
_OPENINGS = ("", "", "", "", "please ", "hey ", "tell me ", "quick question ", "so ", "okay ")
ENDINGS = ("", "", "", "", " please", " now", " right now", " at the moment", "?")
_GEARS = {0: "unknown", 1: "park", 2: "reverse", 3: "neutral", 4: "drive"}


@dataclass(frozen=True)
class Question:
    """`topic`: what a right answer begins with; `facts`: what it states; `about`: the word of the log, a mark or a kind
    of event, that it is found by, "" for the present and for what no log can hold."""

    family: str
    text: str
    topic: str
    facts: dict[str, str]
    about: str = ""


def ask(drive: Drive, t_s: float, rng: np.random.Generator, family: str = "") -> Question:
    """A question at `t_s`, of a random family unless one is given; a quarter of the random ones are watch turns."""
    family = family or (WATCH if rng.random() < 1 / 4 else str(rng.choice(list(WORDINGS))))
    if family == WATCH:
        return Question(family, "", topic_unasked(drive, t_s), {})
    return Question(family, request(family, rng), family, answer(drive, t_s, family))


def request(family: str, rng: np.random.Generator) -> str:
    """A question of a family as somebody types it."""
    return worded(rng, WORDINGS[family], ENDINGS)


def topic_unasked(drive: Drive, t_s: float) -> str:
    """What a turn that nobody asked for is about."""
    alert = drive.alert(t_s)
    return "silent" if alert == "none" else f"alert:{alert}"


def answer(drive: Drive, t_s: float, family: str) -> dict[str, str]:
    """The facts that a right answer to a question of `family` states at `t_s`, by what the sensors show."""
    truth, state, sees = drive.truth(t_s), drive.state(t_s), drive.sees(t_s)
    if family == "refuse":
        return {}
    if family == "limit" and not sees:
        limit = drive.sensed_limit(t_s)
        return {"limit": UNSEEN if limit == "none" else limit}
    if family == "siren":
        return {"siren": truth["siren"] if drive.hears(t_s) else UNHEARD}
    if family == "over":
        over = drive.over_limit(t_s)
        return {"over": over} if over == "unknown" else {"over": over, "limit": drive.sensed_limit(t_s)}
    if family in ("speed", "energy", "range"):
        value = {"speed": state.speed_mps, "energy": state.energy_percent, "range": state.range_m}[family]
        return {family: "unknown" if np.isnan(value) else "known"}
    if family == "gear":
        return {"gear": _GEARS[state.gear]}
    if family == "indicator":
        sides = (state.left_indicator, state.right_indicator)
        return {"indicator": {(True, True): "both", (True, False): "left", (False, True): "right"}.get(sides, "off")}
    if not sees:
        return {"lead_motion" if family == "motion" else family: UNSEEN}
    return _visible(truth, family)


def right(sentence: str, question: Question) -> bool:
    """Whether a sentence, with its topic in front and its slots unfilled, is a right answer."""
    return parse(sentence) == facts_of(question.topic, question.facts)


def worded(rng: np.random.Generator, wordings: Sequence[str], endings: Sequence[str]) -> str:
    """One of the wordings as somebody types it. A letter may be missing, though never in or beside a "{slot}"."""
    text = "".join(pick(rng, parts) for parts in (_OPENINGS, wordings, endings))
    if rng.random() < 0.06 and len(text) > 8:
        place = int(rng.integers(1, len(text) - 1))
        if not any(slot.start() - 1 <= place <= slot.end() for slot in re.finditer(r"\{\w+\}", text)):
            text = text[:place] + text[place + 1 :]
    return text


def pick(rng: np.random.Generator, options: Sequence[str]) -> str:
    """Any of the options, drawn as `rng.choice` draws but without making an array of them."""
    return options[int(rng.integers(len(options)))]


def _visible(truth: dict[str, str], family: str) -> dict[str, str]:
    if family == "lead" and truth["lead"] != "none":
        return {"lead": truth["lead"], "lead_distance": truth["lead_distance"]}
    if family == "motion":
        return {"lead_motion": truth["lead_motion"]}
    if family != "ahead":
        return {family: truth[family]}
    if truth["pedestrian"] == "ahead":
        return {"ahead": "pedestrian"}
    if truth["light"] != "none":
        return {"ahead": f"{truth['light']} light"}
    return {"ahead": "nothing" if truth["lead"] == "none" else truth["lead"]}
