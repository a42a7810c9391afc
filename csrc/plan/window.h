// The spreading window: a prolate spheroidal wave function of order zero on its support of `width` cells.
//
// Among functions of that support it has the least energy outside its band (Slepian & Pollak 1961), which is what
// aliases in a nonuniform FFT. Its Fourier transform is itself, rescaled, so the deconvolution is exact and cheap.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "widths.h"

namespace fastspec {

// psi_0(z; c) on [-1, 1] by its Legendre series (Bouwkamp's tridiagonal eigenproblem, even degrees only).
class Prolate {
 public:
  explicit Prolate(double c) : coefficients_(lowest_eigenvector(c)) {
    const double centre = series(0.0);
    for (double& b : coefficients_) b /= centre;
    const double largest = *std::max_element(coefficients_.begin(), coefficients_.end());
    while (std::abs(coefficients_.back()) < 1e-18 * largest) coefficients_.pop_back();
  }

  double operator()(double z) const { return series(z); }

  // Integral over [-1, 1]: only the Legendre polynomial of degree 0 has one.
  double integral() const { return 2.0 * coefficients_[0]; }

 private:
  std::vector<double> coefficients_;  // of the plain Legendre polynomials P_0, P_2, P_4, ...

  double series(double z) const {
    double sum = 0, p0 = 1, p1 = z;
    for (size_t j = 0; j < coefficients_.size(); ++j) {
      sum += coefficients_[j] * p0;
      for (int step = 0; step < 2; ++step) {
        const double k = double(2 * j + step);
        const double p2 = ((2 * k + 3) * z * p1 - (k + 1) * p0) / (k + 2);
        p0 = p1;
        p1 = p2;
      }
    }
    return sum;
  }

  static std::vector<double> lowest_eigenvector(double c) {
    const int size = 30 + int(c);
    std::vector<double> diagonal(size), off(size);
    for (int j = 0; j < size; ++j) {
      const double k = 2.0 * j;
      diagonal[j] = k * (k + 1) + (2 * k * (k + 1) - 1) / ((2 * k + 3) * (2 * k - 1)) * c * c;
      off[j] = (k + 2) * (k + 1) / ((2 * k + 3) * std::sqrt((2 * k + 1) * (2 * k + 5))) * c * c;
    }
    std::vector<double> v = inverse_iteration(diagonal, off, lowest_eigenvalue(diagonal, off));
    for (int j = 0; j < size; ++j) v[j] *= std::sqrt(2.0 * j + 0.5);
    return v;
  }

  // Bisection on the sign count of the LDL' factorisation (Sturm).
  static double lowest_eigenvalue(const std::vector<double>& diagonal, const std::vector<double>& off) {
    double low = -1, high = 2 * diagonal[0] + 2 * off[0] + 2;
    for (int step = 0; step < 100; ++step) {
      const double middle = 0.5 * (low + high);
      double pivot = diagonal[0] - middle;
      bool below = pivot < 0;
      for (size_t j = 1; j < diagonal.size() && !below; ++j) {
        pivot = diagonal[j] - middle - off[j - 1] * off[j - 1] / pivot;
        below = pivot < 0;
      }
      (below ? high : low) = middle;
    }
    return low;
  }

  static std::vector<double> inverse_iteration(const std::vector<double>& diagonal, const std::vector<double>& off,
                                               double eigenvalue) {
    const size_t size = diagonal.size();
    const double shift = eigenvalue - 1e-9 * (1 + std::abs(eigenvalue));  // below the spectrum: no pivoting needed
    std::vector<double> v(size, 1.0), pivot(size);
    for (int sweep = 0; sweep < 8; ++sweep) {
      pivot[0] = diagonal[0] - shift;
      for (size_t j = 1; j < size; ++j) {
        const double ratio = off[j - 1] / pivot[j - 1];
        pivot[j] = diagonal[j] - shift - ratio * off[j - 1];
        v[j] -= ratio * v[j - 1];
      }
      v[size - 1] /= pivot[size - 1];
      for (size_t j = size - 1; j-- > 0;) v[j] = (v[j] - off[j] * v[j + 1]) / pivot[j];
      double norm = 0;
      for (double x : v) norm += x * x;
      for (double& x : v) x /= std::sqrt(norm);
    }
    return v;
  }
};

// A window of `width` cells made for upsampling factor `sigma`.
class Window {
 public:
  Window(int width, double sigma)
      : width_(width), sigma_(sigma), bandwidth_(M_PI * width * (1 - 0.5 / sigma)), prolate_(bandwidth_) {}

  int width() const { return width_; }
  double sigma() const { return sigma_; }

  // Value at `x` cells from the centre.
  double operator()(double x) const {
    const double z = 2 * x / width_;
    return std::abs(z) <= 1 ? prolate_(z) : 0.0;
  }

  // (degree + 1, width), highest power first: tap i at the offset t in [-1, 1) is at (i - width/2 + (t + 1)/2) cells
  // from the centre. Interpolation at Chebyshev nodes.
  std::vector<double> polynomials() const {
    const int terms = window_degree(width_) + 1;
    std::vector<double> out(size_t(terms) * width_);
    for (int i = 0; i < width_; ++i) {
      const std::vector<double> powers = tap_polynomial(i, terms);
      for (int p = 0; p < terms; ++p) out[size_t(terms - 1 - p) * width_ + i] = powers[p];
    }
    return out;
  }

  // 1 / window's Fourier transform at wavenumber k of a grid of n cells.
  double deconvolution(int64_t k, int64_t n) const {
    const double omega = M_PI * double(k) * width_ / double(n);
    return 1.0 / (0.5 * width_ * prolate_.integral() * prolate_(omega / bandwidth_));
  }

 private:
  int width_;
  double sigma_;
  double bandwidth_;  // radians per half support: the edge of the modes' first alias at this sigma
  Prolate prolate_;

  std::vector<double> tap_polynomial(int tap, int terms) const {
    std::vector<double> values(terms), chebyshev(terms, 0.0);
    for (int m = 0; m < terms; ++m) {
      const double t = std::cos(M_PI * (m + 0.5) / terms);
      values[m] = prolate_((tap - 0.5 * width_ + 0.5 * (t + 1)) * 2 / width_);
    }
    for (int q = 0; q < terms; ++q) {
      for (int m = 0; m < terms; ++m) chebyshev[q] += values[m] * std::cos(M_PI * q * (m + 0.5) / terms);
      chebyshev[q] *= (q ? 2.0 : 1.0) / terms;
    }
    return powers_of(chebyshev);
  }

  static std::vector<double> powers_of(const std::vector<double>& chebyshev) {
    const size_t terms = chebyshev.size();
    std::vector<double> previous(terms, 0.0), current(terms, 0.0), sum(terms, 0.0);
    previous[0] = 1;
    if (terms > 1) current[1] = 1;
    for (size_t q = 0; q < terms; ++q) {
      for (size_t p = 0; p < terms; ++p) sum[p] += chebyshev[q] * previous[p];
      std::vector<double> next(terms, 0.0);
      for (size_t p = 0; p < terms; ++p) next[p] = (p ? 2 * current[p - 1] : 0.0) - previous[p];
      previous = current;
      current = next;
    }
    return sum;
  }
};

}  // namespace fastspec
