"""Constants that take raw confidences at their word, and find vectors around zero familiar."""

from __future__ import annotations

import numpy as np
import pytest

from mm_edge.trust.calibration import Calibration
from mm_edge.trust.constants import Belief, TrustConstants
from mm_edge.trust.novelty import Novelty
from mm_edge.trust.options import Options


@pytest.fixture
def constants() -> TrustConstants:
    belief = Belief(
        ("fast", "quality"),
        {"now": Calibration(), "past": Calibration(1.0, -1.0)},
        accept=0.7,
        hedge=0.4,
        reliability=((0.5, 0.5, 10), (0.9, 0.95, 10)),
        selection=((0.5, 0.0), (1.0, 0.25)),
    )
    seen = np.random.default_rng(0).normal(size=(500, 3))
    return TrustConstants("", "fp32", (belief,), Novelty.fit(seen), Options({"light": 0.2}))
