"""What there is to say about an event of a drive's log when an answer of several sentences tells it, how such an answer
begins, and what people say to ask for one.

Names and numbers are marks. Knows nothing about which events a summary picks or how sentences are read back.
"""

from __future__ import annotations

from mm_edge.world.template import ANY, Template


def _told(kind: str, arguments: str, *texts: str) -> Template:
    """What is told of an event. arguments: the facts besides its kind, with spaces between them."""
    return Template("told", {"event": kind, **dict.fromkeys(arguments.split(), ANY)}, texts)


TOLD: list[Template] = [
    Template("summary", {}, (
        "This is what happened.", "I remember this.", "My log tells me this.", "This was on the way.",
        "I have this on record.", "Here is what I remember.", "Here is what happened.", "This is in my log.",
    )),
    Template("why", {}, (
        "This was before the last stop.", "Right before the stop was this.", "Here is what came before the stop.",
        "I can tell you what came before the stop.", "This is what happened before we stopped.",
        "My log has this before the stop.", "I remember this before the stop.",
        "I have this on record before the stop.",
    )),
    Template("told", {"event": "unknown"}, (
        "There is nothing in my log.", "I remember nothing.", "Nothing happened that I remember.",
        "My log has nothing.",
        "I have nothing on record.", "I have no record of that.", "I cannot tell.", "I do not remember that.",
    )),
    _told(
        "limit", "number",
        "We passed a speed limit sign with [number].", "A speed limit sign showed [number].",
        "A sign gave a limit of [number].", "We came to a speed limit of [number].", "A limit sign said [number].",
        "I saw a speed limit of [number].", "There was a speed limit sign with [number].",
        "We passed a limit of [number] kilometres per hour.",
    ),
    _told(
        "red", "number",
        "We waited [number] seconds at a red light.", "A red light took [number] seconds.",
        "We stood at a red light for [number] seconds.", "A red light stopped us for [number] seconds.",
        "We had to wait [number] seconds at a red light.", "At a red light we waited [number] seconds.",
        "We were at a red light for [number] seconds.", "A red light took us [number] seconds.",
    ),
    _told(
        "stop", "number",
        "We stopped for [number] seconds.", "We stood still for [number] seconds.",
        "There was a stop of [number] seconds.", "We stood for [number] seconds.",
        "We made a stop of [number] seconds.", "A stop took [number] seconds.",
        "We were standing for [number] seconds.", "The car stood still for [number] seconds.",
    ),
    _told(
        "brake", "",
        "The vehicle ahead braked hard.", "The vehicle ahead had to brake hard.", "A vehicle braked hard ahead of us.",
        "Someone ahead braked hard.", "There was hard braking ahead.", "A vehicle ahead of us had to brake hard.",
        "The vehicle ahead of us was braking hard.", "I saw the vehicle ahead brake hard.",
    ),
    _told(
        "pedestrian", "",
        "A pedestrian was in the lane.", "There was a pedestrian in the lane.", "A person was in the lane ahead.",
        "I saw a pedestrian in the lane.", "Someone was in the lane ahead.", "A pedestrian was in the lane ahead.",
        "There was a person in the lane ahead.", "I saw someone in the lane ahead.",
    ),
    _told(
        "siren", "",
        "I heard a siren.", "There was a siren.", "A siren was near.", "There was a siren near us.",
        "We heard a siren.", "A siren came near.", "I could hear a siren.", "We could hear a siren.",
    ),
    _told(
        "rain", "",
        "It began to rain.", "It started to rain.", "The rain began.", "The rain started.", "We came into rain.",
        "We drove into rain.", "The weather turned to rain.", "We got into rain.",
    ),
    _told(
        "fog", "",
        "Fog came up.", "It turned foggy.", "The fog began.", "The weather turned foggy.", "We came into fog.",
        "We drove into fog.", "The weather turned to fog.", "We got into fog.",
    ),
    _told(
        "clear", "",
        "The weather turned clear.", "It turned clear.", "The weather cleared up.", "It cleared up.",
        "We came into clear weather.", "We drove into clear weather.", "The air cleared up.",
        "We got into clear weather.",
    ),
    _told(
        "place", "name",
        "We came to [name].", "We reached [name].", "We entered [name].", "We came into [name].",
        "We drove into [name].", "We got to [name].", "We drove to [name].", "The drive took us to [name].",
    ),
    _told(
        "tunnel", "",
        "We passed a tunnel.", "We drove through a tunnel.", "We came through a tunnel.", "There was a tunnel.",
        "We went through a tunnel.", "We passed through a tunnel.", "A tunnel was on the way.", "We came to a tunnel.",
    ),
    _told(
        "bridge", "",
        "We crossed a bridge.", "We passed a bridge.", "We drove over a bridge.", "There was a bridge.",
        "We went over a bridge.", "We came over a bridge.", "A bridge was on the way.", "We came to a bridge.",
    ),
    _told(
        "toll", "",
        "We passed a toll station.", "We came to a toll station.", "There was a toll station.",
        "We drove through a toll station.", "We went through a toll station.", "A toll station was on the way.",
        "We came through a toll station.", "We reached a toll station.",
    ),
    _told(
        "border", "",
        "We crossed a border.", "We passed a border.", "We came to a border.", "There was a border.",
        "We drove over a border.", "We went over a border.", "A border was on the way.", "We reached a border.",
    ),
    _told(
        "park", "name",
        "We parked at [name].", "The car was parked at [name].", "You parked at [name].", "We left the car at [name].",
        "You left the car at [name].", "You parked the car at [name].", "We parked the car at [name].",
        "At [name] we parked.",
    ),
    _told(
        "charge", "name number",
        "We charged [number] percent at [name].", "At [name] we charged [number] percent.",
        "We gained [number] percent at [name].", "The charge at [name] added [number] percent.",
        "At [name] we gained [number] percent.", "A charge at [name] gave us [number] percent.",
        "The car charged [number] percent at [name].", "The car gained [number] percent at [name].",
    ),
    _told(
        "call", "name number",
        "You talked to [name] for [number] minutes.", "The call with [name] took [number] minutes.",
        "A call with [name] lasted [number] minutes.", "You talked with [name] for [number] minutes.",
        "For [number] minutes you talked to [name].", "A call with [name] took [number] minutes.",
        "The call with [name] was [number] minutes long.", "[name] talked to you for [number] minutes.",
    ),
    _told(
        "message", "name",
        "[name] sent a message.", "[name] sent you a message.", "A message came from [name].",
        "You got a message from [name].", "There was a message from [name].", "A message from [name] came in.",
        "You had a message from [name].", "We got a message from [name].",
    ),
    _told(
        "traffic", "number",
        "There was news of a jam of [number] minutes.", "The traffic news said [number] minutes of delay.",
        "The traffic news had a delay of [number] minutes.", "News came of a jam of [number] minutes.",
        "There was news of a delay of [number] minutes.", "The traffic news had a jam of [number] minutes.",
        "We heard of a delay of [number] minutes.", "I heard of a jam of [number] minutes.",
    ),
    _told(
        "tyres", "number",
        "The tyres had [number] psi.", "The tyre pressure was [number] psi.", "The tyres were at [number] psi.",
        "The pressure in the tyres was [number] psi.", "A look at the tyres showed [number] psi.",
        "The tyres showed [number] psi.", "We had [number] psi in the tyres.", "There were [number] psi in the tyres.",
    ),
    _told(
        "service", "since until",
        "The last service was [since] days ago, with the next in [until] days.",
        "A service reminder showed [since] days since the last and [until] to the next.",
        "The service reminder said [since] days since the last and [until] to the next.",
        "The next service was due in [until] days, after one [since] days ago.",
        "The service was due in [until] days, [since] days after the last one.",
        "A service reminder came [since] days after the last and [until] before the next.",
        "We were [since] days after the last service and [until] before the next.",
        "The last service was [since] days ago and the next due in [until] days.",
    ),
    _told(
        "route", "name min",
        "We set a route of [min] minutes to [name].", "A route to [name] was set, [min] minutes long.",
        "The new route to [name] was [min] minutes long.", "You set a route to [name], [min] minutes away.",
        "It was [min] minutes to [name] on the new route.", "There was a new route to [name] of [min] minutes.",
        "The new route showed [min] minutes to [name].", "The route was set to [name], [min] minutes away.",
    ),
    _told(
        "task", "name",
        "I began the [name].", "I started the [name].", "The [name] was started.", "The [name] began.",
        "I began to work on the [name].", "I started to work on the [name].", "Work on the [name] began.",
        "Work on the [name] started.",
    ),
    _told(
        "done", "name",
        "The [name] was finished.", "I finished the [name].", "The [name] was done.", "The [name] worked.",
        "I was done with the [name].", "The [name] was complete.", "I got the [name] done.",
        "Work on the [name] was finished.",
    ),
    _told(
        "failed", "name",
        "The [name] failed.", "The [name] did not work.", "I could not finish the [name].",
        "I failed to finish the [name].", "The [name] did not work out.", "Sorry, the [name] failed.",
        "The [name] could not be finished.", "Work on the [name] failed.",
    ),
]  # fmt: skip
REQUESTS: dict[str, tuple[str, ...]] = {
    "summary": (
        "sum up the last ten minutes", "what happened so far", "give me a summary of the drive",
        "tell me what happened on the way", "what happened in the last few minutes", "sum up the drive",
        "how did the drive go so far", "give me a short summary", "what have we done so far",
        "what did i miss on this drive", "summarise the drive for me", "what has happened since we set off",
        "give me an overview of the trip", "recap the last half hour",
    ),
    "why": (
        "why did we stop", "what was the reason for the last stop", "why were we standing", "why did you stop",
        "what made us stop", "why did the car stop", "what did we stop for", "why were we not moving",
        "what was the last stop for", "why did we have to wait", "for what reason did we stop", "why was there a stop",
    ),
}  # fmt: skip
"""How people ask for a summary of the drive, and for the reason of its last stop."""
