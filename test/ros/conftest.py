"""Every test here runs with rclpy initialised."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _initialised(ros: None) -> None:
    pass
