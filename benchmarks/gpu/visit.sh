#!/usr/bin/env bash
# Three short visits to a machine with a GPU, from the project's root: benchmarks/gpu/visit.sh 1, then 2, then 3.
#
#   1  what has never run on one: the loss's step as one op, interpolation by lanes, direct sums, filters and fwht anew
#   2  all tests marked gpu
#   3  the other benchmarks, beside cuFINUFFT where .rivals/activate makes it importable
#
# Each is reckoned at two to four minutes where the extension is built; the first builds it where it is not. Failures and
# rows are in $OUT (else benchmarks/results) as they come, so a visit that is cut short loses nothing.
set -uo pipefail
case ${1:-} in
  [123]) ;;
  *) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
python=${PYTHON:-python3}
export OUT=${OUT:-benchmarks/results} PYTHONUNBUFFERED=1
$python -c 'from fastspec import _C; assert _C.build_info()["cuda"] == "yes"' 2>/dev/null ||
  USE_CUDA=1 $python -m pip install -q --no-build-isolation --no-deps -e . || exit
workers=$($python -c 'import xdist' 2>/dev/null && echo "-n 8")
if [ -f .rivals/activate ]; then source .rivals/activate; fi

tests() { $python -m pytest -q -m gpu $workers "$@"; }
times() { $python -m benchmarks.gpu --seconds 0.3 "$@"; }

case $1 in
  1) tests tests/gpu tests/loss/test_step.py tests/core/test_triton.py
     times stages loss walsh direct filter ;;
  2) tests --ignore=tests/test_cli.py --ignore=tests/recipes --ignore=tests/benchmarks --ignore=tests/fuzz ;;
  3) times transforms few_modes fft channels planning training ;;
esac
