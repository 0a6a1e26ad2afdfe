"""The command line: what can be said, and nothing of how it is done.

Every command imports its room when it runs, so that `mm-edge --help` is quick and a missing part spoils only what needs
it. What a user can mend is told in one line, with exit code 2.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from mm_edge import __version__
from mm_edge.errors import UserError

FAILED, USER_ERROR = 1, 2
UNITS_MS = {"ms": 1.0, "s": 1e3, "": 1.0}
DEFAULT_BENCH_SEED = 1_500_000
DEMO_SEED = 1_500_072
"""A clear day in a city where a lot happens."""

app = typer.Typer(
    name="mm-edge",
    help="Timely, trustworthy speech from a vehicle's or robot's sensors.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Out = Annotated[Path, typer.Option(help="Folder for the results; made when it is not there.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the generated drive.")]
Seconds = Annotated[float, typer.Option("--seconds", min=1.0, max=3600.0, help="Length of the drive.")]
View = Annotated[bool, typer.Option("--view/--no-view", help="Whether to show what happens, live, in the terminal.")]
Json = Annotated[Path | None, typer.Option("--json", help="File for the figures.")]


def milliseconds(text: str) -> float:
    """ "500ms", "0.5s" or "500" -> 500.0; raises typer.BadParameter."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|)\s*", text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is no duration; write for example 500ms or 2s")
    return float(match[1]) * UNITS_MS[match[2]]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mm-edge {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which.")] = False,
) -> None:
    pass


@app.command()
def demo(out: Out = Path("out/demo"), seed: Seed = DEMO_SEED, seconds: Seconds = 60.0, view: View = True) -> None:
    """Play a generated drive in real time through the running nodes; leaves a bag, the speech and a report."""
    from mm_edge.demo import run

    run(out=out, seed=seed, duration_s=seconds, view=view)


@app.command()
def replay(
    bag: Annotated[Path, typer.Argument(help="An mcap or db3 file, or a rosbag2 folder.")],
    map_file: Annotated[Path | None, typer.Option("--map", help="Topic map; default: the bag's own names.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="By the bag's clock, as fast as it goes.")] = False,
    asked: Annotated[list[str] | None, typer.Option("--ask", help="Ask this on the way; may be repeated.")] = None,
    out: Out = Path("out/replay"),
    view: View = True,
) -> None:
    """Play a recording through the assistant; leaves a bag, the speech and a report."""
    from mm_edge.replay import run

    run(bag=bag, map_file=map_file, offline=offline, out=out, view=view, asked=asked or ())


@app.command()
def ask(
    text: Annotated[str, typer.Argument(help="The request in plain words.")],
    deadline_ms: Annotated[
        float, typer.Option("--deadline", parser=milliseconds, metavar="TIME", help="For example 500ms or 2s.")
    ] = "500ms",  # type: ignore[assignment]  # typer parses defaults too
    namespace: Annotated[str, typer.Option(help="Namespace of the nodes.")] = "",
) -> None:
    """Put a request to running nodes; prints what comes back, with its report."""
    from mm_edge.ask import run

    run(text=text, deadline_ms=deadline_ms, namespace=namespace)


@app.command()
def up(
    split: Annotated[bool, typer.Option("--split", help="Each node in a process of its own.")] = False,
    params_file: Annotated[Path | None, typer.Option("--params-file", help="YAML instead of the shipped one.")] = None,
    namespace: Annotated[str, typer.Option(help="Namespace of the nodes.")] = "",
) -> None:
    """Run the nodes until Ctrl-C, from the same YAML as the launch files."""
    from mm_edge.up import run

    run(split=split, params_file=params_file, namespace=namespace)


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False) -> None:
    """Say what this machine offers, and what to fix. Exit code 1 when something needed is missing."""
    from mm_edge.doctor import run

    if not run(as_json=as_json):
        raise typer.Exit(FAILED)


@app.command()
def bench(
    name: Annotated[str | None, typer.Argument(help="Which; none: name them all.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="First held-out drive.")] = DEFAULT_BENCH_SEED,
    quick: Annotated[bool, typer.Option("--quick", help="Done within 50 s, with fewer repetitions.")] = False,
    weights: Annotated[Path | None, typer.Option(help="Others beside the shipped ones; memory only.")] = None,
    json_path: Json = None,
) -> None:
    """Measure; every number in the README comes from here."""
    from mm_edge.bench import harness

    if name is None:
        typer.echo("\n".join(harness.names()))
    else:
        harness.run(name, seed=seed, quick=quick, json_path=json_path, weights=weights)


@app.command()
def train(
    recipe: Annotated[Path | None, typer.Argument(help="YAML of a recipe; none: the small rung in one go.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the results; none: the recipe's.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Updates of the weights.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Time that it may take, whatever its steps.")] = None,
    processes: Annotated[int | None, typer.Option(min=1, help="Single-threaded processes.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the initial weights.")] = None,
) -> None:
    """Train a rung on generated drives, or go on where it stopped."""
    from mm_edge.training.recipe import read
    from mm_edge.training.run import run

    given = {"out": out, "steps": steps, "minutes": minutes, "processes": processes, "seed": seed}
    typer.echo(run(read(recipe, {name: value for name, value in given.items() if value is not None})))


@app.command()
def export(
    backend: Annotated[str, typer.Option(help="onnxruntime or tensorrt.")] = "onnxruntime",
    precision: Annotated[list[str] | None, typer.Option(help="fp32, fp16, int8; none: all the engine has.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Where engines lie; none: the user's cache folder.")] = None,
) -> None:
    """Write the model's graphs for another engine, so that the nodes can use it; quick when nothing changed."""
    from mm_edge.engine import EngineError, weights_path
    from mm_edge.engine.export import PRECISIONS, default_cache
    from mm_edge.engine.export import export as write

    try:
        for each in precision or PRECISIONS[backend]:
            typer.echo(write(weights_path("small"), backend, each, cache or default_cache(), typer.echo))
    except (EngineError, KeyError) as error:
        raise UserError(f"no engine named {backend!r}" if isinstance(error, KeyError) else str(error)) from error


@app.command()
def plans(
    rung: Annotated[str, typer.Option(help="small or large.")] = "small",
    out: Annotated[Path | None, typer.Option(help="File for the table; none: beside the weights.")] = None,
) -> None:
    """Measure what every plan of the assistant is worth with the weights of a rung; takes some minutes. For the large
    one also which sentences the small one may word for it."""
    from mm_edge.engine import plans_path, relay_path, weights_path
    from mm_edge.training import relay
    from mm_edge.training.plans import fit

    weights, path, small = weights_path(rung), out or plans_path(rung), weights_path("small")
    if not weights.is_file():
        raise UserError(f"no rung named {rung!r}")
    try:
        if rung == "large":
            cues = path.with_name(relay_path().name)
            fit(weights, path, (small, relay.fit(small, weights, cues)))
            typer.echo(cues)
        else:
            fit(weights, path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error
    typer.echo(path)


@app.command()
def trust(
    rung: Annotated[str, typer.Option(help="small or large.")] = "small",
    precision: Annotated[str, typer.Option(help="fp32, fp16 or int8; all but fp32 after mm-edge export.")] = "fp32",
    out: Annotated[Path | None, typer.Option(help="File for the constants; none: beside the weights.")] = None,
) -> None:
    """Fit how far to believe the sentences of a rung at a precision; takes some minutes."""
    from mm_edge.engine import EngineError, trust_path, weights_path
    from mm_edge.training.trust import fit

    weights, path = weights_path(rung), out or trust_path(rung, precision)
    if not weights.is_file():
        raise UserError(f"no rung named {rung!r}")
    try:
        fit(weights, path, precision)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error
    except EngineError as error:
        raise UserError(str(error)) from error
    typer.echo(path)


@app.command()
def world(
    out: Annotated[Path, typer.Option(help="The bag to write.")] = Path("out/drive.mcap"),
    seed: Seed = DEMO_SEED,
    seconds: Seconds = 60.0,
) -> None:
    """Write a generated drive, with its truth, as a bag."""
    from mm_edge.world.export import run

    typer.echo(run(seed=seed, out=out, duration_s=seconds))


def main() -> None:
    """The entry point."""
    from mm_edge.ros import RosError

    try:
        app()
    except (UserError, RosError) as error:
        print(f"mm-edge: {error}", file=sys.stderr)
        sys.exit(USER_ERROR)


if __name__ == "__main__":
    main()
