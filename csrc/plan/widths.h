// Widths of the window, in cells: those that kernels are compiled for, and so the planner's choice.
#pragma once
#include "grid.h"

#define FASTSPEC_SINGLE_WIDTHS(F) F(3) F(4) F(5) F(6) F(7) F(8) F(9)
#define FASTSPEC_DOUBLE_WIDTHS(F) F(4) F(6) F(8) F(10) F(12) F(14) F(16)

namespace fastspec {

constexpr int kMaxWidth = 16;

// Degree of the polynomial that stands for one tap of the window.
FASTSPEC_BOTH constexpr int window_degree(int width) { return width + 3; }

}  // namespace fastspec
