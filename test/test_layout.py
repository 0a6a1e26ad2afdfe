"""The layout for Foxglove and the tree of the aggregator: every topic, field and status that they name exists."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from mm_edge.assistant.intake import TOPICS
from mm_edge.assistant.outputs import OUTPUTS

ROOT = Path(__file__).resolve().parents[1]
LAYOUT = json.loads((ROOT / "config" / "foxglove_layout.json").read_text())
TYPES = {topic: msgtype for topic, msgtype in (*TOPICS.items(), *OUTPUTS.values())}


def panels(part: Any) -> list[str]:
    return [part] if isinstance(part, str) else [*panels(part["first"]), *panels(part["second"])]


def named(config: Any) -> list[str]:
    """Topics and message paths in a panel's configuration."""
    if isinstance(config, dict):
        return [path for value in config.values() for path in named(value)]
    if isinstance(config, list):
        return [path for value in config for path in named(value)]
    return [config] if isinstance(config, str) and config.startswith("/") else []


def test_every_panel_is_laid_out_once() -> None:
    assert sorted(panels(LAYOUT["layout"])) == sorted(LAYOUT["configById"])


@pytest.mark.parametrize("panel", LAYOUT["configById"])
def test_every_topic_and_field_exists(panel: str) -> None:
    for path in named(LAYOUT["configById"][panel]):
        topic, _, field = path.removeprefix("/").partition(".")
        if topic == "diagnostics":
            continue
        kind = TYPES[topic].rpartition("/")[2]
        message = ROOT / "msg" / f"{kind}.msg"
        if field:
            assert re.search(rf"^\S+ +{field}\b", message.read_text(), re.MULTILINE), path


def leaves(analyzers: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for each in analyzers.values():
        found += leaves(each["analyzers"]) if "analyzers" in each else [each]
    return found


def statuses() -> set[str]:
    """The names of statuses in the nodes' code."""
    found = set()
    for path in (ROOT / "mm_edge" / "nodes").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) == "Status"
                and isinstance(node.args[0], ast.Constant)
            ):
                found.add(node.args[0].value)
    return found


def test_the_tree_expects_only_what_is_reported() -> None:
    (tree,) = yaml.safe_load((ROOT / "config" / "diagnostics.yaml").read_text()).values()
    expected = [name for leaf in leaves(tree["ros__parameters"]["analyzers"]) for name in leaf.get("expected", [])]

    assert {"monitor: latency", "monitor: trust"} <= {*expected}
    assert {name.partition(": ")[2] for name in expected} <= statuses()
