"""The ``fastspec`` command."""

import platform
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import torch

from . import _C
from ._checkout import BENCHMARKS, load_benchmarks
from ._version import __version__
from .recipes import RECIPES, readable, run_every, run_recipe
from .reporting.of_file import write_report

ALL = "all"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="fastspec")
def main() -> None:
    """Measure and cure the spectral bias of neural networks."""


@main.command("list")
def list_recipes() -> None:
    """List the recipes that ``run`` knows."""
    width = max(map(len, RECIPES))
    for recipe in RECIPES.values():
        click.echo(f"{recipe.name:{width}}  {recipe.summary}")


@main.command()
@click.argument("name", type=click.Choice([*RECIPES, ALL]), metavar="NAME")
@click.option("--quick", is_flag=True, help="A smaller variant, for a first look.")
@click.option("--full", is_flag=True, help="The paper's own size, where that is larger; for a GPU.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Where to write.  [default: results/NAME]"
)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--seed", type=int, help="Seed of every random number.  [the recipe's own]")
@click.pass_context
def run(
    ctx: click.Context, name: str, quick: bool, full: bool, out: Path | None, device: str, seed: int | None
) -> None:
    """Run a recipe: train, write figures and result.json, check its claim. An interrupted run goes on.

    Exits with 1 where the claim does not hold. ``fastspec list`` shows the names. "all" runs each of them into a folder
    of its own, writes index.html and index.md over them, and exits with 1 only where one breaks down: a claim that does
    not hold is a result.
    """
    out = out or Path("results") / name
    if quick and full:
        raise click.UsageError("--quick and --full exclude each other")
    if device == "cuda" and not torch.cuda.is_available():
        raise click.ClickException("torch finds no CUDA device")
    try:
        if name == ALL:
            results = run_every(list(RECIPES.values()), out, quick=quick, full=full, device=device, seed=seed)
        else:
            results = [run_recipe(RECIPES[name], out, quick=quick, full=full, device=device, seed=seed)]
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"{error}; recipes need the demo extra: pip install 'fastspec-torch[demo]'"
        ) from error
    for result in results:
        summarise(result, out / result["recipe"] if name == ALL else out)
    if name == ALL:
        click.echo(f"\n{sum(r['holds'] for r in results)} of {len(results)} claims hold; see {out / 'index.html'}")
    ctx.exit(0 if name == ALL or results[0]["holds"] else 1)


def summarise(result: dict[str, Any], out: Path) -> None:
    click.echo(f"\n{result['recipe']}: {result['claim']}")
    click.echo(f"  {'holds' if result['holds'] else 'DOES NOT HOLD'}, in {result['seconds']:.0f} s")
    for name, value in [*result["checks"].items(), *result["headline"].items()]:
        click.echo(f"  {name.replace('_', ' ')}: {readable(value)}")
    click.echo(f"  wrote to {out}: {', '.join(['result.json', *result['figures']])}")


@main.command()
@click.argument("names", nargs=-1, metavar="[ROW]...")
@click.option("--quick", is_flag=True, help="The smallest case of each row, for a first look.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to write.  [default: benchmarks/results; with --quick results/bench]",
)
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="To spend on each case.  [default: 2]")
def bench(names: tuple[str, ...], quick: bool, out: Path | None, seconds: float | None) -> None:
    """Time fastspec beside its rivals: a table of ratios, with each one's target.

    All rows, or those named. Needs a source checkout, where benchmarks/ is, and the bench extra.
    """
    if not (BENCHMARKS / "suite.py").exists():
        raise click.ClickException(f"no benchmarks in {BENCHMARKS}: they come with the source, not with the package")
    try:
        claims = load_benchmarks("suite").CLAIMS
        check_rows(names, claims.names())
        claims.run(names, quick, seconds, out or (Path("results") / "bench" if quick else BENCHMARKS / "results"))
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"{error}; benchmarks need the bench extra: pip install 'fastspec-torch[bench]'"
        ) from error


def check_rows(names: tuple[str, ...], known: list[str]) -> None:
    for name in names:
        if name not in known:
            raise click.BadParameter(f"{name!r}: must be one of {', '.join(known)}", param_hint="ROW")


@main.command()
@click.argument("data", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--x", "x_names", multiple=True, help="Column of the points; give it again for each dimension.")
@click.option("--y", "y_names", multiple=True, help="Column of the values; give it again for each channel.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The page.  [default: DATA.html]")
@click.option("--steps", type=click.IntRange(min=0), default=300, show_default=True, help="Of training a PhaseMLP.")
@click.option("--max-frequency", type=click.FloatRange(min=0, min_open=True), help="How far to look for lines.")
def report(
    data: Path,
    x_names: tuple[str, ...],
    y_names: tuple[str, ...],
    out: Path | None,
    steps: int,
    max_frequency: float | None,
) -> None:
    """Write a page about the columns of a CSV file: data, spectrum, a fit, and what it has of each line.

    Without --x and --y the first column is x and the second y. Times in ISO 8601 are days. With --steps 0 nothing is
    fitted.
    """
    out = out or data.with_suffix(".html")
    try:
        written = write_report(data, x_names, y_names, out, steps, max_frequency)
    except ModuleNotFoundError as error:
        raise click.ClickException(f"{error}; pages need the demo extra: pip install 'fastspec-torch[demo]'") from error
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    for said in (written.found, written.diagnosis):
        if said is not None:
            click.echo(f"{said}\n")
    left_out = f"; {written.left_out} rows lacked a value and were left out" if written.left_out else ""
    click.echo(f"wrote {out}{left_out}")


@main.command()
def info() -> None:
    """Print versions, the processor's capabilities, and how fastspec was built."""
    facts = {
        "fastspec": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "cpu capability": torch.backends.cpu.get_cpu_capability(),
        "kernels in use": _C.instruction_set(),
        "threads": torch.get_num_threads(),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else "no device",
        "triton": version("triton") if find_spec("triton") else "not installed",
        **{f"build: {name}": value for name, value in _C.build_info().items()},
    }
    width = max(map(len, facts))
    for name, value in facts.items():
        click.echo(f"{name:{width}}  {value}")
