// What the raw ops do, for ops that are composed of them: the same on memory that the caller allocates.
#pragma once
#include <torch/csrc/stable/tensor.h>

#include <optional>
#include <tuple>
#include <vector>

#include "focal.h"
#include "inputs.h"
#include "tensors.h"

namespace fastspec {

// Contiguous tensors, strengths and values (sets, channels, count), grid (sets, channels, *cells), of any rank.
void spread_to(const SortedPoints& p, const Tensor& strengths, int64_t channels, Tensor& grid);
void interpolate_to(const SortedPoints& p, const Tensor& grid, int64_t channels, Tensor* values,
                    Tensor* slopes = nullptr, const Tensor* strengths = nullptr, Tensor* gradient = nullptr);

// Direct sums of real strengths, (sets, channels, points) of any rank, to half the modes as weigh takes them,
// (sets * channels, K, *others), and from these to values as the strengths.
Tensor half_spectrum(const Tensor& x, const Tensor& strengths, int64_t channels, const std::vector<int64_t>& modes,
                     const std::vector<double>& period);
void values_of_half(const Tensor& x, const Tensor& spectrum, int64_t channels, const std::vector<int64_t>& modes,
                    const std::vector<double>& period, Tensor& values);

// What is said of them in fastspec/_ops.py.
Tensor grid_to_modes(const Tensor& grid, const Tensor& factors, std::vector<int64_t> modes,
                     std::vector<int64_t> negative, bool centered, int64_t sign);
Tensor modes_to_grid(const Tensor& modes, const Tensor& factors, std::vector<int64_t> cells,
                     std::vector<int64_t> negative, bool centered, int64_t sign);
Tensor hadamard(const Tensor& x, double scale);

void weigh_in_place(Tensor& spectrum, const Tensor& weight, double scale, double* sums);
void weigh_focal_in_place(Tensor& spectrum, const FocalBand& band, const Tensor& factors, double scale, double* sums);

std::tuple<Tensor, Tensor> loss_step(const Tensor& pred, const Tensor& target, std::optional<Tensor> quadrature,
                                     const Tensor& position, const Tensor& order, const Tensor& starts,
                                     const Tensor& polynomials, const Tensor& weight, std::vector<int64_t> cells,
                                     std::vector<int64_t> tile, double scale, bool reduce, bool slope,
                                     std::vector<int64_t> modes, double alpha);

std::tuple<Tensor, Tensor> direct_loss_step(const Tensor& pred, const Tensor& target, std::optional<Tensor> quadrature,
                                            const Tensor& x, const Tensor& weight, std::vector<int64_t> modes,
                                            std::vector<double> period, double scale, bool reduce, bool slope,
                                            std::optional<double> alpha);

}  // namespace fastspec
