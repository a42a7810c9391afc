#define FASTSPEC_LEVEL v3
#define FASTSPEC_REGISTER 32
#include "table.inc"
