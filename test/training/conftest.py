"""What tests of training share."""

from __future__ import annotations

import pytest

from mm_edge.model.tokenizer import Tokenizer
from mm_edge.training.trainer import new_tokenizer


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return new_tokenizer()
