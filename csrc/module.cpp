// The extension module: planning objects, instruction sets and build information for Python. Loading it also registers
// the ops of ops/.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <map>
#include <string>
#include <utility>

#include "cpu/levels.h"
#include "cpu/parallel.h"
#include "plan/plan.h"
#include "plan/window.h"

namespace py = pybind11;

namespace fastspec {

// Row p, column i: the coefficient of t^(degree - p) of tap i.
static std::vector<std::vector<double>> polynomial_table(const Window& w) {
  const std::vector<double> flat = w.polynomials();
  std::vector<std::vector<double>> rows;
  for (size_t i = 0; i < flat.size(); i += size_t(w.width()))
    rows.emplace_back(flat.begin() + i, flat.begin() + i + w.width());
  return rows;
}

// By symmetry only the non-negative wavenumbers 0 ... last are computed. float64 numbers as bytes: a list of many takes
// its time.
static py::bytearray deconvolution_table(const Window& w, int64_t last, int64_t cells) {
  py::bytearray table(nullptr, size_t(last + 1) * sizeof(double));
  double* const factors = reinterpret_cast<double*>(PyByteArray_AsString(table.ptr()));
  for (int64_t k = 0; k <= last; ++k) {
    factors[k] = w.deconvolution(k, cells);
    if (k % (1 << 16) == 0 && PyErr_CheckSignals()) throw py::error_already_set();
  }
  return table;
}

// An exception of a signal's handler, as Ctrl-C's KeyboardInterrupt, met while an op ran.
static PyObject* interruption = nullptr;

static int raise_interruption(void*) {
  if (!interruption) return 0;
  PyObject* const error = std::exchange(interruption, nullptr);
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error)), error);
  Py_DECREF(error);
  return -1;
}

// Whether an op is to stop, for the handler of a signal that came raised an exception. That one is raised as soon as
// the interpreter goes on, in place of the op's own: no exception of Python's may pass through torch's stable
// interface.
static bool interrupted() {
  if (!Py_IsInitialized()) return false;
  const PyGILState_STATE state = PyGILState_Ensure();
  const bool stop = PyErr_CheckSignals() != 0;  // in the main thread alone handlers run
  if (stop) {
    PyObject *type, *error, *trace;
    PyErr_Fetch(&type, &error, &trace);
    PyErr_NormalizeException(&type, &error, &trace);
    if (trace) PyException_SetTraceback(error, trace);
    Py_XDECREF(type);
    Py_XDECREF(trace);
    Py_XSETREF(interruption, error);
    Py_AddPendingCall(raise_interruption, nullptr);
  }
  PyGILState_Release(state);
  return stop;
}

static std::map<std::string, std::string> build_info() {
  std::map<std::string, std::string> info{{"compiler", __VERSION__}, {"c++ standard", std::to_string(__cplusplus)}};
#ifdef USE_CUDA
  info["cuda"] = "yes";
#else
  info["cuda"] = "no";
#endif
  return info;
}

}  // namespace fastspec

PYBIND11_MODULE(_C, m) {
  using namespace fastspec;
  poll_by(interrupted);
  m.doc() = "Planning objects and build information; the ops are in torch.ops.fastspec.";

  py::class_<Window>(m, "Window", "The spreading window: a prolate function on `width` cells, made for `sigma`.")
      .def(py::init<int, double>(), py::arg("width"), py::arg("sigma"))
      .def_property_readonly("width", &Window::width)
      .def_property_readonly("sigma", &Window::sigma)
      .def("__call__", &Window::operator(), py::arg("x"), "Value at x cells from the centre.")
      .def("polynomials", &polynomial_table, "(degree + 1, width): each tap's polynomial, highest power first.")
      .def("deconvolution", &deconvolution_table, py::arg("last"), py::arg("cells"),
           "1 / Fourier transform at wavenumbers 0 ... last of a grid of `cells`, float64, as bytes.");

  py::class_<Costs>(m, "Costs",
                    "Nanoseconds by one algorithm: of transforms, and of the loss's step less what all share.")
      .def_readonly("real", &Costs::real)
      .def_readonly("complex", &Costs::complex)
      .def_readonly("step", &Costs::step);

  py::class_<PlanChoice>(m, "PlanChoice", "What the planner chose, and what it expects of it.")
      .def_readonly("cells", &PlanChoice::cells)
      .def_readonly("tile", &PlanChoice::tile)
      .def_readonly("width", &PlanChoice::width)
      .def_readonly("sigma", &PlanChoice::sigma)
      .def_readonly("error", &PlanChoice::error)
      .def_readonly("rounding", &PlanChoice::rounding)
      .def_readonly("nanoseconds", &PlanChoice::nanoseconds)
      .def_readonly("gridding", &PlanChoice::gridding)
      .def_readonly("direct", &PlanChoice::direct);

  m.def("choose_plan",
        [](std::vector<int64_t> modes, int64_t points, double eps, bool single, bool complex, bool slopes, bool cuda,
           int64_t sets) { return choose_plan({std::move(modes), points, eps, single, complex, slopes, cuda, sets}); },
        py::arg("modes"), py::arg("points"), py::arg("eps"), py::kw_only(), py::arg("single"), py::arg("complex"),
        py::arg("slopes") = false, py::arg("cuda") = false, py::arg("sets") = 1);
  m.def("build_info", &build_info);
  m.def("instruction_set", [] { return std::string(level().name); }, "The level of the CPU kernels in use.");
  m.def("instruction_sets", &supported_levels, "Levels this processor has, best first.");
  m.def("select_instruction_set", [](const std::string& name) { select_level(name.c_str()); }, py::arg("name"),
        "Use the kernels of this level: generic, v3 (AVX2) or v4 (AVX-512).");
}
