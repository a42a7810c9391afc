#define FASTSPEC_LEVEL generic
#define FASTSPEC_REGISTER 16
#include "table.inc"
