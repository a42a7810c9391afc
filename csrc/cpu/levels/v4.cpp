#define FASTSPEC_LEVEL v4
#define FASTSPEC_REGISTER 64
#include "table.inc"
