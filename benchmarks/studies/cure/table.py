"""The table in words: by task and group, with what was reached and what was not, and which targets were met."""

import math
from collections.abc import Callable

from .findings import FINDINGS
from .paces import Paces
from .problem import Side, Task
from .records import Records
from .summary import Spread, Summary, Verdict, summaries, verdicts

GROUPS = {
    "baseline": "baseline",
    "ours": "fastspec",
    "rival": "rivals",
    "none": "no network",
}

HEAD = """\
# Cures of spectral bias, beside what others would use

{seeds}; medians with the range. One thread; seconds are the processor's, set-up included (finding lines, measuring
rates, quadrature), judging left out. The machine was shared, so seconds wander by a factor of up to two; the sides
took turns seed by seed. What a step costs beside the baseline's was measured apart, in turns of 20 steps.

**How each side was tuned.** The learning rate is one of {rates}, chosen on a seed that is not among the others, over as
many steps as the side then has, or the share of them that each task tells. What is swept besides (ω₀ of SIREN, σ of
random features, IGA's count of eigenvalues, the interpolant's exponent) is chosen with it, and stands behind the name.
Chosen is what reaches the task's threshold first and is below it at its end too, else what errs least on held-out data
of that seed; of equations always the latter. L-BFGS and Levenberg-Marquardt have a line search and a damping of their
own in place of a rate. All rates are constant and fall to nothing over the last 30 % of the side's steps or seconds,
whichever comes first. Thresholds were fixed before any figure was known. `kernel` is `fs.precondition.Kernel` with a
damping of 2e-3 in all tasks, found beforehand on the sines and the photograph, by all of the sines' 600 points and by
200 or 300 inducing points elsewhere; `energy norm` is `fs.precondition.residual` as it comes.

**What each side was given.** The baseline has its steps, however long they take. All others stop at their own number of
steps or at the task's seconds: "not in 6 s" means that it was stopped there. *Unchanged* says that the network is the
plain one: tanh, two hidden layers. *Told* says that a side was told how many lines the data have, and where to stop
looking for them.

Best of each group in bold, by steps (of those that reach the threshold) and by held-out error. Seconds in brackets are
of the whole run, where the threshold was not reached.
"""

TASK = """\
## {title}

`{name}`: {reached}. {given}A side other than the baseline has {seconds:g} s. {tuned}
{words}
"""


def markdown(tasks: list[Task], records: Records, paces: Paces) -> str:
    found = {task.name: summaries(task, records) for task in tasks}
    counts = sorted({s.runs for rows in found.values() for s in rows.values()})
    rates = ", ".join(f"{rate:g}" for rate in sorted(Side("", None, "").rates))
    parts = [
        HEAD.format(seeds=_seeds(counts), rates=rates),
        _targets(verdicts({t.name: t for t in tasks}, records, paces)),
    ]
    if counts:
        parts.append(FINDINGS)
    for task in tasks:
        if found[task.name]:
            parts.append(_section(task, found[task.name], paces))
        else:
            parts.append(f"## {task.title[0].upper() + task.title[1:]}\n\n`{task.name}`: not run yet.\n")
    return "\n".join(parts)


def _seeds(counts: list[int]) -> str:
    if not counts:
        return "No runs yet"
    names = {1: "One seed", 3: "Three seeds", 5: "Five seeds"}
    if len(counts) == 1:
        return names.get(counts[0], f"{counts[0]} seeds")
    return f"{counts[0]} to {counts[-1]} seeds, as the last column says (rows of fewer than five are a first look)"


def _targets(found: list[Verdict]) -> str:
    if not found:
        return ""
    lines = ["## Targets", "", "| task | target, network unchanged | found | met |", "|---|---|---|---|"]
    lines += [f"| {v.task} | {v.target} | {v.found} | {'yes' if v.met else '**no**'} |" for v in found]
    return "\n".join(lines) + "\n"


def _section(task: Task, found: dict[str, Summary], paces: Paces) -> str:
    steps = max((s.side.steps for s in found.values() if s.side.group == "baseline"), default=0)
    text = TASK.format(
        title=task.title[0].upper() + task.title[1:],
        name=task.name,
        reached=f"reached is {task.reached}",
        given=f"The baseline has {steps:,} steps. " if steps else "",
        seconds=task.seconds,
        tuned=f"Tuned over {'all' if task.tuning == 1 else '1/' + format(1 / task.tuning, 'g')} of that.",
        words=_words(found) + _paces(task, paces),
    )
    lines = [
        "| group | method | unchanged | told | rate | steps | seconds | held-out error | reached |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for group, called in GROUPS.items():
        rows = [s for s in found.values() if s.side.group == group]
        best = _best(rows) if len(rows) > 1 else (None, None)
        lines += [f"| {called} | {_row(row, best)} |" for row in rows]
    missing = [side.name for side in task.sides if side.name not in found]
    rest = f"\nNot run yet: {', '.join(missing)}.\n" if missing else ""
    return text + "\n" + "\n".join(lines) + "\n" + rest


def _best(rows: list[Summary]) -> tuple[str | None, str]:
    there = [row for row in rows if row.steps is not None and row.side.group != "none"]
    fewest = min(there, key=lambda row: row.steps.median).side.name if there else None
    return fewest, min(rows, key=lambda row: row.held_out.median).side.name


def _row(row: Summary, best: tuple[str | None, str]) -> str:
    side = row.side
    steps, held = _steps(row), _spread(row.held_out, _figures)
    rate = "-" if math.isnan(row.rate) else f"{row.rate:g}"
    cells = [
        side.name + (f", {row.swept:g}" if len(side.sweep) > 1 else ""),
        "yes" if side.unchanged else "no" if side.group != "none" else "-",
        side.told,
        rate,
        f"**{steps}**" if side.name == best[0] else steps,
        _seconds(row),
        f"**{held}**" if side.name == best[1] else held,
        f"{row.reached}/{row.runs}",
    ]
    return " | ".join(cells)


def _steps(row: Summary) -> str:
    if row.side.group == "none":
        return "-"
    if row.steps is not None:
        return _spread(row.steps, "{:.0f}".format)
    ran = f"{row.ran.median:.0f} steps"
    return f"not in {ran}" if row.ran.median >= row.side.steps else f"not in {row.took.median:.0f} s, {ran}"


def _seconds(row: Summary) -> str:
    return _spread(row.seconds, "{:.2f}".format) if row.seconds else f"[{row.took.median:.1f}]"


def _spread(spread: Spread, form: Callable[[float], str]) -> str:
    least, median, most = (form(value) for value in (spread.least, spread.median, spread.most))
    return median if least == most else f"{median} ({least} to {most})"


def _figures(value: float) -> str:
    if math.isinf(value):
        return "diverged"
    if value < 1e-6:
        return "below 1e-6"
    return f"{value:.3f}" if value >= 0.02 else f"{value:.4f}" if value >= 0.002 else f"{value:.1e}"


def _words(found: dict[str, Summary]) -> str:
    """Whether a network was needed, and who came first with the network as it was."""
    rows = list(found.values())
    without = [row for row in rows if row.side.group == "none"]
    networks = [row for row in rows if row.side.group != "none"]
    out = []
    if without and networks:
        alone = min(without, key=lambda row: row.held_out.median)
        best = min(networks, key=lambda row: row.held_out.median)
        if alone.held_out.median <= 1.05 * best.held_out.median:
            out.append(
                f"No network was needed: {alone.side.name} errs by {_figures(alone.held_out.median)} in"
                f" {alone.took.median:.2f} s, the best network ({best.side.name}) by"
                f" {_figures(best.held_out.median)}."
            )
        else:
            out.append(
                f"A network gains: {best.side.name} errs by {_figures(best.held_out.median)}, the best without one"
                f" ({alone.side.name}) by {_figures(alone.held_out.median)}."
            )
    plain = [row for row in networks if row.side.unchanged]
    there = [row for row in plain if row.seconds is not None]
    if there:
        first = min(there, key=lambda row: row.seconds.median)
        out.append(f"Of the unchanged networks {first.side.name} is there first, after {first.seconds.median:.2f} s.")
    elif plain:
        out.append("No unchanged network is there.")
    return " ".join(out)


def _paces(task: Task, paces: Paces) -> str:
    """What a step of ours costs, in turns with the baseline's."""
    told = [f"{name} {ratio:.2f}" for (of, name), ratio in paces.items() if of == task.name]
    return f" A step over the baseline's: {', '.join(told)}." if told else ""
