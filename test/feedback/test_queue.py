"""What is spoken next, and what is not spoken at all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mm_edge.feedback.queue import Control, SpeechQueue, State, interrupts
from mm_edge.feedback.utterance import Kind, Priority, Utterance

S = 1_000_000_000
PRIORITIES = st.sampled_from(list(Priority))


def sentence(name: str, priority: Priority = Priority.NORMAL, expires_s: float = 0.0) -> Utterance:
    return Utterance(0, name, f"This is {name}.", Kind.ANSWER, priority, expires_ns=round(expires_s * S))


def filled(*sentences: Utterance, max_waiting: int = 16) -> SpeechQueue:
    queue = SpeechQueue(max_waiting)
    for each in sentences:
        queue.add(each, now_ns=S, now_s=1.0)
    return queue


def spoken(queue: SpeechQueue, now_ns: int = S) -> list[str]:
    names = []
    while (item := queue.next(now_ns)[0]) is not None:
        names.append(item.utterance.id)
    return names


def test_the_most_urgent_first_then_the_oldest() -> None:
    queue = filled(sentence("a"), sentence("b", Priority.URGENT), sentence("c"), sentence("d", Priority.URGENT))
    assert spoken(queue) == ["b", "d", "a", "c"]


def test_a_stale_remark_is_dropped_and_reported() -> None:
    queue = filled(sentence("stale", expires_s=2.0), sentence("fresh", expires_s=9.0))
    item, events = queue.next(5 * S)
    assert item is not None
    assert item.utterance.id == "fresh"
    assert [(e.item.utterance.id, e.state) for e in events] == [("stale", State.EXPIRED)]
    assert "3.0 s" in events[0].detail


def test_a_clock_that_jumps_back_empties_the_queue() -> None:
    queue = filled(sentence("before"))
    queue.expire(100 * S)
    events = queue.expire(10 * S)
    assert [e.state for e in events] == [State.EXPIRED]
    assert "jumped back" in events[0].detail


def test_the_least_urgent_goes_when_too_many_wait() -> None:
    queue = filled(sentence("a"), sentence("b", Priority.LOW), sentence("c", Priority.HIGH), max_waiting=2)
    assert spoken(queue) == ["c", "a"]


def test_mute_lets_only_urgent_sentences_through() -> None:
    queue = filled(sentence("quiet"), sentence("loud", Priority.URGENT))
    assert [e.state for e in queue.control(Control.MUTE)] == [State.MUTED]
    _, events = queue.add(sentence("late"), S, 1.0)
    assert [e.state for e in events] == [State.MUTED]
    assert spoken(queue) == ["loud"]


def test_pause_holds_back_what_is_not_urgent() -> None:
    queue = filled(sentence("a"), sentence("b", Priority.URGENT))
    queue.control(Control.PAUSE)
    assert spoken(queue) == ["b"]
    queue.control(Control.RESUME)
    assert spoken(queue) == ["a"]


def test_of_progress_that_has_to_wait_only_the_newest_is_kept() -> None:
    def progress(name: str, priority: Priority = Priority.LOW) -> Utterance:
        return Utterance(0, name, f"This is {name}.", Kind.PROGRESS, priority)

    queue = filled(progress("before"))
    queue.listening = True
    _, events = queue.add(progress("newer"), S, 1.0)
    assert [(e.item.utterance.id, e.state) for e in events] == [("before", State.EXPIRED), ("newer", State.QUEUED)]
    queue.add(progress("end", Priority.NORMAL), S, 1.0)
    queue.add(sentence("answer"), S, 1.0)
    assert spoken(queue) == []
    queue.listening = False
    assert spoken(queue) == ["end", "answer"]


def test_what_does_not_have_to_wait_is_all_kept() -> None:
    queue = filled(*(Utterance(0, name, name, Kind.PROGRESS, Priority.LOW) for name in "ab"))
    assert spoken(queue) == ["a", "b"]


def test_stop_interrupts_all_that_waits() -> None:
    events = filled(sentence("a"), sentence("b")).control(Control.STOP)
    assert [e.state for e in events] == [State.INTERRUPTED] * 2


@given(new=PRIORITIES, current=PRIORITIES)
def test_only_what_is_urgent_or_clearly_more_important_interrupts(new: Priority, current: Priority) -> None:
    cuts_off = interrupts(sentence("new", new), sentence("current", current))
    assert cuts_off == (new == Priority.URGENT or (new == Priority.HIGH and current < Priority.HIGH))


@given(st.lists(st.tuples(PRIORITIES, st.integers(0, 20)), max_size=40), st.integers(1, 8))
def test_every_sentence_ends_exactly_once(arrivals: list[tuple[Priority, int]], max_waiting: int) -> None:
    queue, ended = SpeechQueue(max_waiting), []
    for number, (priority, expires_s) in enumerate(arrivals):
        _, events = queue.add(sentence(str(number), priority, expires_s), number * S, float(number))
        ended += [e.item.utterance.id for e in events if e.state > State.STARTED]
        if number % 3 == 2:
            item, events = queue.next(number * S)
            ended += [e.item.utterance.id for e in events] + ([item.utterance.id] if item else [])
    ended += [e.item.utterance.id for e in queue.control(Control.STOP)]
    assert sorted(ended, key=int) == [str(number) for number in range(len(arrivals))]
