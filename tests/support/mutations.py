"""Forty ways to break fastspec, a change of text each, and the tests that must notice: see mutants.py."""

from typing import NamedTuple

NUFFT, LOSS, AUTOGRAD = "tests/test_nufft.py", "tests/loss/test_loss.py", "tests/core/test_autograd.py"
PLANNING, DIRECT, ACCURACY = "tests/core/test_planning.py", "tests/core/test_direct.py", "tests/core/test_accuracy.py"
SPECTRAL, WEIGHTS, WALSH = "tests/precondition/test_spectral.py", "tests/test_weights.py", "tests/walsh/test_walsh.py"
STEP, FOCAL, GAUSSIAN = "tests/loss/test_step.py", "tests/loss/test_focal.py", "tests/core/test_gaussian.py"
SUMS, CHOICE = "tests/core/test_exponential_sums.py", "ops/gridding.cpp"
LEVEL = "LEVEL"  # the kernels of the instruction set in use


class Mutation(NamedTuple):
    file: str
    old: str  # found once
    new: str
    tests: str  # arguments of pytest
    rebuild: tuple[str, ...] = ()  # what to compile anew, in csrc/


PYTHON = (
    Mutation(
        "fastspec/loss/weighing.py",
        "folded.permute(list(range(grid.dim - 1, -1, -1)))",
        "folded",
        f"{LOSS} -k mixed_up",
    ),
    Mutation("fastspec/loss/weighing.py", "padded.flip(list(range(grid.dim)))", "padded", f"{LOSS} -k mixed_up"),
    Mutation("fastspec/loss/weighing.py", "for size in (0, m)]", "for size in (m, 0)]", f"{LOSS} -k mixed_up"),
    Mutation("fastspec/loss/weighing.py", "self.version == version_of(weight)", "True", "tests/loss/test_follows.py"),
    Mutation("fastspec/loss/reductions.py", "adds=True, divides=True", "adds=True, divides=False", LOSS),
    Mutation("fastspec/precondition/spectral.py", "max(count, 1) ** -0.5", "max(count, 1) ** -1.0", SPECTRAL),
    Mutation("fastspec/precondition/spectral.py", "1.0 / max(count, 1)", "1.0", SPECTRAL),
    Mutation("fastspec/precondition/spectral.py", "count * quadrature", "quadrature", SPECTRAL),
    Mutation("fastspec/plan.py", " and self.data.data_ptr() == x.data_ptr()", "", f"{NUFFT} -k sorts_them_anew"),
    Mutation(
        "fastspec/plan.py", "(self.slopes or not x.requires_grad)", "True", f"{NUFFT} -k come_to_require_a_gradient"
    ),
    Mutation("fastspec/plan.py", "self.version == x._version", "True", "tests/loss/test_follows.py"),
    Mutation("fastspec/_core/planning.py", "real, follows(x), ", "real, False, ", f"{AUTOGRAD} -k meets_eps"),
    Mutation(
        "fastspec/_core/planning.py",
        "if _is_wider(x, dtype) else None",
        "if False else None",
        "tests/core/test_direct.py tests/test_nufft.py",
    ),
    Mutation("fastspec/_core/gridding.py", "[*negative[:-1], 0] if real else negative", "negative", f"{NUFFT} -k half"),
    Mutation("fastspec/_core/gridding.py", "[n / p for n, p in", "[p / n for n, p in", f"{AUTOGRAD} -k accuracy"),
    Mutation("fastspec/_core/gridding.py", "*reversed(axes[:-1])]", "*axes[:-1]]", "tests/loss"),
    Mutation(
        "fastspec/_core/transform.py",
        "grad = grad / which.multiplicity(grad)",
        "grad = grad / 1",
        f"{AUTOGRAD} -k gradcheck",
    ),
    Mutation("fastspec/_core/transform.py", "sign = -1 if which.real else 1", "sign = 1", f"{AUTOGRAD} -k forward"),
    Mutation("fastspec/_core/modes.py", "        m[-1] = 1", "        m[-1] = 2", f"{AUTOGRAD} -k gradcheck"),
    Mutation(
        "fastspec/_core/modes.py", "(sign * 2 * math.pi / grid.period[a])", "sign", f"{AUTOGRAD} -k gradgradcheck"
    ),
    Mutation("fastspec/_core/ops.py", "torch.set_num_threads(1)", "pass", f"{NUFFT} -k deterministic"),
    Mutation("fastspec/_core/fallback.py", "period[a]) * sign", "period[a])", f"{DIRECT} -k plain"),
    Mutation("fastspec/reference.py", ".round() / 2**22", ".round() / 2**21", f"{ACCURACY} -k oracle"),
    Mutation(
        "fastspec/reference.py", "turns - turns.round()) + rest", "turns - turns.round())", f"{ACCURACY} -k oracle"
    ),
    Mutation("fastspec/weights.py", "torch.where(norm > 0, norm, 1)", "norm", f"{LOSS} {WEIGHTS} tests/nn"),
    Mutation("fastspec/walsh/regularizers.py", "fwht(values, normalized=True)", "fwht(values)", WALSH),
)

CPP = (
    Mutation("csrc/ops/gridding.cpp", "period[d])", "period[0])", f"{NUFFT} -k direct_sums", (CHOICE,)),
    Mutation(
        "csrc/plan/fold.h",
        "kTauLacks * high : 0",
        "0.0 * high : 0",
        f"{ACCURACY} -k type_1",
        (CHOICE, "ops/direct.cpp"),
    ),
    Mutation("csrc/ops/direct.cpp", "period == kTau ? 1 : kTau / period", "1", AUTOGRAD, ("ops/direct.cpp",)),
    Mutation(
        "csrc/ops/spectrum.cpp", "a.edge = 0.5", "a.edge = 0.25", f"{NUFFT} -k direct_sums", ("ops/spectrum.cpp",)
    ),
    Mutation("csrc/fft/long_line.cpp", "sign * 2 * M_PI", "2 * M_PI", f"{NUFFT} -k lines", ("fft/long_line.cpp",)),
    Mutation(
        "csrc/fft/pruned.h",
        "inner[size_t(l + r)] * factors",
        "inner[size_t(l)] * factors",
        f"{NUFFT} -k direct_sums",
        ("ops/spectrum.cpp", "ops/loss_step.cpp"),
    ),
    Mutation("csrc/plan/plan.h", "(slopes ? 10 : 1)", "1", f"{AUTOGRAD} -k meets_eps", ("module.cpp",)),
    Mutation(
        "csrc/plan/plan.h",
        "even = 2 * odd, power = 2;",
        "even = odd, power = 1;",
        f"{PLANNING} -k fits_the_kernels",
        ("module.cpp",),
    ),
    Mutation("csrc/plan/plan.h", "strips % 2 == 0", "true", f"{PLANNING} -k fits_the_kernels", ("module.cpp",)),
    Mutation("csrc/plan/plan.h", "0.04 * stages", "0.0 * stages", f"{PLANNING} -k rounding", ("module.cpp",)),
    Mutation("csrc/plan/window.h", "omega / bandwidth_", "0.9 * omega / bandwidth_", PLANNING, ("module.cpp",)),
    Mutation("csrc/ops/gaussian.cpp", "M_LOG2E / (2 *", "M_LOG2E / (1 *", GAUSSIAN, ("ops/gaussian.cpp",)),
    Mutation(
        "csrc/ops/loss_step.cpp",
        "total += weighing.times(k) *",
        "total +=",
        f"{LOSS} -k mixed_up",
        ("ops/loss_step.cpp",),
    ),
    Mutation("csrc/cpu/sort.h", "(cell.rest - half)", "(0.0 - half)", f"{ACCURACY} -k type_1", (LEVEL,)),
    Mutation("csrc/cpu/tile.h", "T(-2 * (kTerms - 1 - p))", "T(-1 * (kTerms - 1 - p))", AUTOGRAD, (LEVEL,)),
)

MUTATIONS = (*PYTHON, *CPP)
