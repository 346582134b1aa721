/* Instruction sets that kernels are written for, and which of them this machine can run. */
#ifndef NN_ISA_H
#define NN_ISA_H

#include <stdbool.h>
#include "base_error.h"

/* name, value, text as in CISTERN_ISA */
#define NN_ISA_MAP(X)                                                                                        \
    X(AUTO, 0, "auto")                                                                                       \
    X(PORTABLE, 1, "portable")                                                                               \
    X(AVX2, 2, "avx2")     /* AVX2, FMA, F16C */                                                             \
    X(AVX512, 3, "avx512") /* AVX-512 F, BW, DQ, VL */                                                       \
    X(AMX, 4, "amx")       /* those, and AMX with int8, for the multiplications of convolutions */

typedef enum nn_isa {
#define NN_ISA_ENUM(name, value, text) NN_ISA_##name = value,
    NN_ISA_MAP(NN_ISA_ENUM)
#undef NN_ISA_ENUM
} nn_isa;

/** "portable" …; never NULL. */
const char *nn_isa_text(nn_isa isa);
/** @retval USAGE  no such name; the message lists those that exist. */
cistern_status nn_isa_parse(const char *text, nn_isa *out, cistern_error *err) CISTERN_MUST_CHECK;
/** Whether this build has the kernels and CPU and operating system can run them. AUTO: always. */
bool nn_isa_available(nn_isa isa);
/** Whether this machine could run AMX if Linux granted it to this process (see base_tiles.h). */
bool nn_isa_withheld(void);
/**
 * AUTO becomes the best that is available; anything else itself.
 * @retval USAGE  not available here; the message says what is.
 */
cistern_status nn_isa_resolve(nn_isa isa, nn_isa *out, cistern_error *err) CISTERN_MUST_CHECK;

#endif
