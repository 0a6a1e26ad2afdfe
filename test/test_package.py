"""The rules of the house, read from its files: rooms and arrows, sizes, packaging, configuration against its models.

Nothing of the package runs here but the configuration models; no ROS, no network, no clock.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from pydantic import BaseModel

from mm_edge import __version__
from mm_edge.assistant.config import AssistantConfig
from mm_edge.feedback.config import FeedbackConfig, SpeakerConfig
from mm_edge.nodes.config import DiagnosticsConfig, MonitorConfig, NodeConfig

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "mm_edge"
SOURCES = sorted(PACKAGE.rglob("*.py"))
MESSAGES = sorted((ROOT / "msg").glob("*.msg"))
LONGEST_FUNCTION, LONGEST_FILE = 50, 400

ALL = {""}
PARTS = {"compute", "memory", "generation", "feedback", "trust"}
CORE = {"assistant", *PARTS, "engine", "model"}
OBSERVERS = {*CORE, "bags", "bench", "training", "world", "report", "share"}
MAY_USE: dict[str, set[str]] = {
    **{room: ALL for room in ("cli", "demo", "replay", "ask", "up", "doctor", "nodes")},
    "bench": {*OBSERVERS, "ros"},
    "training": OBSERVERS,
    "world": OBSERVERS,
    "report": {"bags", "assistant.sensors", "model", "feedback", "trust"},
    "assistant": {*PARTS, "engine", "model"},
    **{room: {"engine", "model"} for room in sorted(PARTS)},
    "engine": {"model"},
    "model": set(),
    "ros": {"share"},
    "bags": {"share"},
    "share": set(),
    "errors": set(),
}
"""What each room may import beside itself and `errors`: rooms, or single modules of them. Arrows run one way only."""

KNOW_ROS = {"nodes", "ros", "demo", "replay", "ask"}
"""Where rclpy and message packages may be imported; everything else runs without any ROS."""
ROS_MODULE = re.compile(r"(rclpy|rosidl_\w+|launch\w*|ament_\w+|\w+_msgs|\w+_interfaces|mm_edge\.(msg|srv))(\.|$)")

PICKLES = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
UNSAFE_CALLS = {"torch.load", "torch.save", "yaml.load", "yaml.unsafe_load", "pandas.read_pickle"}


# -- reading the sources ----------------------------------------------------------------------------------------------


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    """mm_edge/nodes/run.py -> nodes.run"""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def room_of(module: str) -> str:
    return module if module in MAY_USE else module.split(".")[0]


def imports(path: Path) -> Iterator[str]:
    """Every imported name in full, as in mm_edge.errors.UserError."""
    package = ["mm_edge", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *filter(None, [node.module])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def within(name: str, places: set[str]) -> bool:
    return any(not place or name == place or name.startswith(f"{place}.") for place in places)


# -- rooms and arrows -------------------------------------------------------------------------------------------------


def test_every_file_lies_in_a_room_that_has_rules() -> None:
    rooms = {room_of(module_of(path)) for path in SOURCES} - {"__init__"}

    assert rooms - MAY_USE.keys() == set()


@pytest.mark.parametrize("room", MAY_USE)
def test_a_room_imports_only_what_lies_below_it(room: str) -> None:
    allowed = {room, room.split(".")[0], "errors", *MAY_USE[room]}
    upward = [
        f"{shown(path)} imports {name}"
        for path in SOURCES
        if room_of(module_of(path)) == room
        for name in imports(path)
        if name.startswith("mm_edge.") and not ROS_MODULE.match(name) and name != "mm_edge.__version__"
        if not within(name.removeprefix("mm_edge."), allowed)
    ]

    assert upward == []


def test_nothing_below_the_nodes_knows_ros() -> None:
    knowing = [
        f"{shown(path)} imports {name}"
        for path in SOURCES
        if room_of(module_of(path)) not in KNOW_ROS
        for name in imports(path)
        if ROS_MODULE.match(name)
    ]

    assert knowing == []


def test_no_folder_hides_the_generated_messages() -> None:
    assert not (PACKAGE / "msg").exists()
    assert not (PACKAGE / "srv").exists()


# -- how the code reads -----------------------------------------------------------------------------------------------


def test_functions_and_files_need_no_scrolling() -> None:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    long = [
        f"{shown(path)}:{node.lineno} {node.name}"
        for path in SOURCES
        for node in ast.walk(tree(path))
        if isinstance(node, functions) and (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION
    ]
    long += [shown(path) for path in SOURCES if len(path.read_text().splitlines()) > LONGEST_FILE]

    assert long == []


def test_every_file_begins_with_its_purpose() -> None:
    silent = [shown(path) for path in SOURCES if tree(path).body and ast.get_docstring(tree(path)) is None]

    assert silent == []


def test_nothing_is_ever_unpickled() -> None:
    unsafe = []
    for path in SOURCES:
        unsafe += [f"{shown(path)} imports {name}" for name in imports(path) if name.split(".")[0] in PICKLES]
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in UNSAFE_CALLS:
                unsafe.append(f"{shown(path)}:{node.lineno} {ast.unparse(node)}")
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                unsafe.append(f"{shown(path)}:{node.value.lineno} allow_pickle")

    assert unsafe == []


# -- messages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_every_field_tells_its_unit_or_meaning(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    bare = [line for line in lines if not re.match(r"std_msgs/Header |.*=|.*# *\S", line)]

    assert bare == []


def test_cmake_generates_every_message_and_lays_the_package_over_them() -> None:
    cmake = (ROOT / "CMakeLists.txt").read_text()

    assert re.findall(r'"msg/(\w+)\.msg"', cmake) == [path.stem for path in MESSAGES]
    assert cmake.index("rosidl_generate_interfaces(") < cmake.index("install(DIRECTORY mm_edge/")


# -- package manifest -------------------------------------------------------------------------------------------------


@cache
def manifest() -> ElementTree.Element:
    return ElementTree.parse(ROOT / "package.xml").getroot()


def texts(tag: str) -> list[str]:
    return [element.text or "" for element in manifest().iter(tag)]


def test_the_manifest_says_what_rosdep_and_colcon_need() -> None:
    (licence,) = manifest().iter("license")

    assert manifest().get("format") == "3"
    assert texts("name") == ["mm_edge"]
    assert licence.text == "Apache-2.0"
    assert (ROOT / licence.get("file", "")).is_file()
    assert texts("member_of_group") == ["rosidl_interface_packages"]
    assert texts("build_type") == ["ament_cmake"]
    assert "rosidl_default_generators" in texts("buildtool_depend")
    assert "rosidl_default_runtime" in texts("exec_depend")
    assert all(
        re.fullmatch(r"[\w.+-]+@[\w-]+(\.[\w-]+)*\.[a-z]{2,}", m.get("email", ""))
        for m in manifest().iter("maintainer")
    )


def test_the_manifest_names_every_ros_package_that_is_imported() -> None:
    known = {*texts("depend"), *texts("exec_depend"), *texts("name")}
    importing = [*SOURCES, *(ROOT / "launch").glob("*.py")]
    used = {
        name.split(".")[0]
        for path in importing
        if PACKAGE / "ros" not in path.parents
        for name in (imports(path) if path in SOURCES else launch_imports(path))
        if ROS_MODULE.match(name)
    }

    assert used - known == set()


def launch_imports(path: Path) -> list[str]:
    return [node.module or "" for node in ast.walk(tree(path)) if isinstance(node, ast.ImportFrom)]


def test_the_version_is_one() -> None:
    headings = re.findall(r"^(Forthcoming|\d+\.\d+\.\d+) ?(?:\(\d{4}-\d\d-\d\d\))?\n-+$", changelog(), re.MULTILINE)
    released = [heading for heading in headings if heading != "Forthcoming"]

    assert texts("version") == [__version__]
    assert "version=VERSION" in (ROOT / "setup.py").read_text()
    assert headings, "CHANGELOG.rst has no section"
    assert released[:1] in ([], [__version__])


def changelog() -> str:
    return (ROOT / "CHANGELOG.rst").read_text()


def test_images_and_makefile_install_the_same_torch() -> None:
    (wanted,) = re.findall(r"^TORCH \?= (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    installed = {
        version
        for path in (ROOT / "docker").glob("Dockerfile*")
        for version in re.findall(r"^ARG TORCH=(.+)$", path.read_text(), re.MULTILINE)
    }

    assert installed == {wanted}


# -- executables and launch -------------------------------------------------------------------------------------------


def test_scripts_are_executable() -> None:
    scripts = sorted(path for path in (ROOT / "scripts").iterdir() if path.is_file())

    assert [path.name for path in scripts] == ["assistant", "mm-edge", "monitor", "speaker"]
    assert [path.name for path in scripts if not os.access(path, os.X_OK)] == []
    assert [path.name for path in scripts if not path.read_text().startswith("#!/usr/bin/env python3\n")] == []


def test_the_launch_file_starts_the_nodes_that_there_are() -> None:
    launched = literal(ROOT / "launch" / "assistant.launch.py", "NODES")

    assert set(launched) == set(literal(PACKAGE / "nodes" / "run.py", "NODES")) == set(MODELS)


def literal(path: Path, name: str) -> Any:
    """The value of a constant, without importing its file."""
    for node in tree(path).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == name:
            return ast.literal_eval(node.value)  # type: ignore[attr-defined]
    raise AssertionError(f"{shown(path)} has no {name}")


# -- parameters and topics --------------------------------------------------------------------------------------------

MODELS: dict[str, type[BaseModel]] = {"assistant": AssistantConfig, "speaker": SpeakerConfig, "monitor": MonitorConfig}
GROUPS: dict[str, dict[str, type[BaseModel]]] = {"assistant": {"feedback": FeedbackConfig}}
"""Parameters of a node that have a name of their own before theirs; `diagnostics` is every node's."""


def defaults(node: str) -> dict[str, Any]:
    """Every parameter of a node by its full name, with its default."""
    named = {name: field.default for model in (NodeConfig, MODELS[node]) for name, field in model.model_fields.items()}
    groups = {"diagnostics": DiagnosticsConfig, **GROUPS.get(node, {})}
    return named | {
        f"{group}.{name}": field.default
        for group, model in groups.items()
        for name, field in model.model_fields.items()
    }


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in values.items():
        result |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return result


def typed(values: dict[str, Any]) -> dict[str, tuple[str, Any]]:
    """With their types: to ROS, 1 and 1.0 are parameters of different types."""
    return {name: (type(value).__name__, value) for name, value in values.items()}


@pytest.mark.parametrize("node", MODELS)
def test_yaml_and_model_have_the_same_parameters_and_defaults(node: str) -> None:
    (parameters,) = yaml.safe_load((ROOT / "config" / f"{node}.yaml").read_text()).values()

    assert typed(flat(parameters["ros__parameters"])) == typed(defaults(node))


def readme_rows() -> str:
    path = ROOT / "README.md"
    if not path.exists():
        pytest.skip("README.md is not written yet")
    return "\n".join(line for line in path.read_text().splitlines() if line.lstrip().startswith("|"))


@pytest.mark.parametrize("node", MODELS)
def test_readme_tables_list_every_parameter(node: str) -> None:
    rows = readme_rows()

    assert [name for name in defaults(node) if f"`{name}`" not in rows] == []


def test_readme_tables_list_every_topic() -> None:
    rows = readme_rows()

    assert sorted(topic for topic in topics() if f"`{topic}`" not in rows) == []


def topics() -> set[str]:
    """What the assistant takes in, what the core puts out, and what a node names itself."""
    found = set(literal(PACKAGE / "assistant" / "intake.py", "TOPICS"))
    for path in (PACKAGE / "assistant" / "outputs.py", *(PACKAGE / "nodes").glob("*.py")):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
                ("create_subscription", "create_publisher")
            ):
                found |= {arg.value for arg in node.args[1:2] if isinstance(arg, ast.Constant)}
            if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "OUTPUTS":
                assert isinstance(node.value, ast.Dict)
                found |= {pair.elts[0].value for pair in node.value.values}  # type: ignore[attr-defined]
    return found


def test_topics_are_found_in_the_code() -> None:
    assert {"image", "request", "utterance", "latency", "speech/control", "compute_state", "/diagnostics"} <= topics()
