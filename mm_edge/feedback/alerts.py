"""When an alert that the model raised is worth saying: not on a flicker, and not again and again while it lasts.

Knows nothing about how alerts are found or spoken; time comes in as an argument.
"""

from __future__ import annotations

from dataclasses import dataclass

from mm_edge.feedback.utterance import Priority

REARM_S = 3.0
"""An alert whose cause was absent for this long counts as new when it comes back."""


@dataclass(frozen=True)
class AlertRule:
    """confirm: evaluations in a row that must show it before it is said."""

    priority: Priority
    confirm: int


RULES = {
    "lead_braking": AlertRule(Priority.URGENT, confirm=1),
    "pedestrian": AlertRule(Priority.URGENT, confirm=2),
    "red_light": AlertRule(Priority.HIGH, confirm=2),
    "siren": AlertRule(Priority.HIGH, confirm=3),
    "over_limit": AlertRule(Priority.NORMAL, confirm=3),
}
UNKNOWN_RULE = AlertRule(Priority.NORMAL, confirm=2)
"""For alerts of other models."""


class AlertGate:
    """Turns a stream of evaluations into alerts worth saying."""

    def __init__(self, repeat_s: float) -> None:
        self.repeat_s = repeat_s
        self._streak: tuple[str, int] = ("", 0)
        self._seen_s: dict[str, float] = {}
        self._said_s: dict[str, float] = {}

    def __call__(self, alert: str, now_s: float) -> Priority | None:
        """The priority to say `alert` with now, or None to keep silent; `alert` is "" when there is none."""
        name, length = self._streak
        self._streak = (alert, length + 1 if alert == name else 1)
        if not alert:
            return None
        rule = RULES.get(alert, UNKNOWN_RULE)
        if now_s - self._seen_s.get(alert, -1e9) > REARM_S:
            self._said_s.pop(alert, None)
        self._seen_s[alert] = now_s
        repeated = now_s - self._said_s.get(alert, -1e9) < self.repeat_s
        if self._streak[1] < rule.confirm or repeated:
            return None
        self._said_s[alert] = now_s
        return rule.priority

    def clear(self) -> None:
        """Forget what was said: a new drive begins."""
        self.__init__(self.repeat_s)  # type: ignore[misc]
