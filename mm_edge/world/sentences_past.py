"""What there is to say about the past of a drive, and what its log tells about the present.

Names and numbers are marks. Knows nothing about how sentences are read back.
"""

from __future__ import annotations

from mm_edge.world.template import ANY, Template

_FORGOTTEN = (
    "I do not remember that.",
    "I have no record of that.",
    "My log does not tell me that.",
    "I cannot recall that.",
    "There is nothing about that in my log.",
    "Sorry, I do not remember that.",
    "I do not know that.",
)


def _unknown(topic: str, fact: str, *texts: str) -> Template:
    return Template(topic, {fact: "unknown"}, (texts + _FORGOTTEN)[:8])


PAST = [
    _unknown("last_limit", "number", "I remember no speed limit sign."),
    Template("last_limit", {"number": ANY}, (
        "The last speed limit sign said [number].", "It said [number].",
        "The last sign showed [number] kilometres per hour.", "We passed a sign with [number].",
        "[number] was on the last sign.", "The last limit sign showed [number].", "It showed [number].",
        "The last sign said [number].",
    )),
    _unknown("red_wait", "number", "I remember no red light."),
    Template("red_wait", {"number": ANY}, (
        "We waited [number] seconds at the last red light.", "It took [number] seconds.",
        "The last red light took [number] seconds.", "[number] seconds.", "We stood there for [number] seconds.",
        "We waited there for [number] seconds.", "We had to wait [number] seconds there.",
        "The last red light took us [number] seconds.",
    )),
    _unknown("last_caller", "name", "I remember no call."),
    Template("last_caller", {"name": ANY}, (
        "The last call was with [name].", "It was [name].", "[name] called last.", "You last talked to [name].",
        "The last caller was [name].", "You talked to [name] last.", "The last person to call was [name].",
        "That was [name].",
    )),
    _unknown("call_before", "name", "I remember no call before that."),
    Template("call_before", {"name": ANY}, (
        "Before that, [name] called.", "It was [name].", "The last call before that was with [name].",
        "[name] called before that.", "Before that you talked to [name].", "Before that you had a call with [name].",
        "The last caller before that was [name].", "You talked to [name] before that.",
    )),
    _unknown("call_length", "number", "I remember no such call."),
    Template("call_length", {"number": ANY}, (
        "The call took [number] minutes.", "You talked for [number] minutes.", "It was [number] minutes long.",
        "[number] minutes.", "That call lasted [number] minutes.", "It took [number] minutes.",
        "The call lasted [number] minutes.", "The call was [number] minutes long.",
    )),
    _unknown("parked", "name", "I do not remember that we parked."),
    Template("parked", {"name": ANY}, (
        "We parked at [name].", "The car was parked at [name].", "It was at [name].", "[name] is where we parked.",
        "You left the car at [name].", "We left the car at [name].", "You parked at [name].",
        "It was parked at [name].",
    )),
    _unknown("after", "event", "I remember nothing after that."),
    Template("after", {"event": ANY}, (
        "After that came [event].", "Next was [event].", "It was [event].", "[event] came next.",
        "The next thing was [event].", "Right after that there was [event].", "Then came [event].",
        "Then there was [event].",
    )),
    _unknown("stops_since", "number", "I do not remember that place."),
    Template("stops_since", {"number": ANY}, (
        "The number of stops since then is [number].", "I have counted [number] since then.", "[number] since then.",
        "Since then the count of stops is [number].", "My count is [number].", "Since then I have counted [number].",
        "The count since then is [number].", "My count of stops since then is [number].",
    )),
    _unknown("when", "hour", "I do not know when that was."),
    Template("when", {"hour": ANY, "minute": ANY}, (
        "That was at [hour] [minute].", "It was [hour] [minute].", "At [hour] [minute].",
        "The time was [hour] [minute].", "It was at [hour] [minute] today.", "It was at [hour] [minute].",
        "That was at [hour] [minute] today.", "My log has it at [hour] [minute].",
    )),
    _unknown("charged", "number", "I remember no such charge."),
    Template("charged", {"number": ANY}, (
        "We charged [number] percent.", "It gave us [number] percent.", "The charge added [number] percent.",
        "[number] percent.", "We gained [number] percent there.", "We gained [number] percent.",
        "It added [number] percent.", "The charge gave us [number] percent.",
    )),
    Template("doing", {"name": "unknown"}, (
        "No task is running.", "I am not working on anything.", "There is no open task.", "Nothing is running.",
        "I have no open task.", "There is no task running.", "Right now no task is running.",
        "I am not working on a task.",
    )),
    Template("doing", {"name": ANY}, (
        "I am working on the [name].", "The [name] is running.", "It is the [name].",
        "Right now the [name] is running.", "The [name] is still open.", "The open task is the [name].",
        "Right now I am working on the [name].", "The task that is running is the [name].",
    )),
    _unknown("task_state", "state", "I know of no such task."),
    Template("task_state", {"state": "running", "name": ANY}, (
        "The [name] is still running.", "I am still working on the [name].", "No, the [name] is not finished.",
        "The [name] is not done yet.", "The [name] is still open.", "The [name] is not finished yet.",
        "I have not finished the [name] yet.", "I am not done with the [name] yet.",
    )),
    Template("task_state", {"state": "done", "name": ANY}, (
        "The [name] is done.", "I have finished the [name].", "The [name] worked.", "The [name] is complete.",
        "The [name] is finished.", "I am done with the [name].", "The [name] is done now.", "The [name] has worked.",
    )),
    Template("task_state", {"state": "failed", "name": ANY}, (
        "The [name] failed.", "The [name] did not work.", "I could not finish the [name].", "Sorry, the [name] failed.",
        "The [name] has failed.", "Sorry, the [name] did not work.", "Sorry, I could not finish the [name].",
        "The [name] did not work out.",
    )),
    _unknown("location", "name", "I do not know where we are."),
    Template("location", {"name": ANY}, (
        "We are in [name].", "This is [name].", "The last place was [name].", "You are in [name].",
        "[name] is where we are.", "Right now we are in [name].", "We are now in [name].", "This place is [name].",
    )),
    _unknown("traffic", "number", "I have no traffic news.", "I know of no jam."),
    Template("traffic", {"number": ANY}, (
        "The traffic costs us [number] minutes.", "There is a jam of [number] minutes.",
        "We lose [number] minutes in traffic.", "The delay is [number] minutes.", "Expect [number] minutes of delay.",
        "There is a delay of [number] minutes.", "The jam costs us [number] minutes.",
        "We lose [number] minutes in a jam.",
    )),
    _unknown("tyres", "number", "I do not know the tyre pressure."),
    Template("tyres", {"number": ANY}, (
        "The tyre pressure is [number] psi.", "The tyres have [number] psi.", "It is [number] psi.", "[number] psi.",
        "The pressure in the tyres is [number] psi.", "The tyres are at [number] psi.", "The pressure is [number] psi.",
        "We have [number] psi in the tyres.",
    )),
    _unknown("service", "since", "I have no service data."),
    Template("service", {"since": ANY, "until": ANY}, (
        "The last service was [since] days ago, the next is in [until] days.",
        "The next service is in [until] days, the last was [since] days ago.",
        "It was [since] days ago, and is due again in [until] days.",
        "The service is due in [until] days, after the last one [since] days ago.",
        "The last was [since] days ago, the next is due in [until] days.",
        "The next service is due in [until] days, the last was [since] days ago.",
        "It is due in [until] days, the last was [since] days ago.",
        "We had a service [since] days ago, the next is in [until] days.",
    )),
    _unknown("arrival", "name", "I know of no route.", "No route is set."),
    Template("arrival", {"name": ANY, "km": ANY, "min": ANY}, (
        "It is [km] kilometres to [name], about [min] minutes.",
        "We will be in [name] in [min] minutes, it is [km] kilometres away.",
        "[name] is [km] kilometres and [min] minutes away.",
        "It takes [min] minutes to [name], for [km] kilometres.",
        "To [name] it is [km] kilometres, about [min] minutes.",
        "[name] is [min] minutes and [km] kilometres away.",
        "We have [km] kilometres left to [name], about [min] minutes.",
        "We will be in [name] in [min] minutes, after [km] kilometres.",
    )),
]  # fmt: skip
