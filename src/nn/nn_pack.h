/* Packed weights: convolution weights rearranged for the kernels, batch norm folded in, as one buffer.
 *
 * Invariants
 *  1. The bytes depend on the weights and the layout alone, never on threads, input size or the machine's
 * state. Those of ROWS24 are made by one kernel on machines with AMX, by its plain twin on others, which round
 * differently: the last digit of a number may be another.
 *  2. This room never touches a file: it says the size, and packs into memory that it is given.
 *  3. Linear weights are not packed where they lie row by row in the source: they are streamed from there.
 * Those that do not (strided, 64-bit) are packed as 32-bit rows.
 */
#ifndef NN_PACK_H
#define NN_PACK_H

#include "base_pool.h"
#include "nn_isa.h"
#include "nn_net.h"

#define NN_PACK_VERSION 1  /* of what nn_pack writes; part of the name of a derived file */
#define NN_PACK_ALIGN   64 /* bytes: packed memory must begin at a multiple */

/* name, value, text in the name of a derived file */
#define NN_LAYOUT_MAP(X)                                                                                     \
    X(DIRECT16, 1, "direct16") /* [Cout/16][Cin][3][3][16], f32 */                                           \
    X(ROWS24, 2, "rows24")     /* transformed, in 24-bit fixed point: priv/nn_rows.h; the first as DIRECT16 */

typedef enum nn_layout {
#define NN_LAYOUT_ENUM(name, value, text) NN_LAYOUT_##name = value,
    NN_LAYOUT_MAP(NN_LAYOUT_ENUM)
#undef NN_LAYOUT_ENUM
} nn_layout;

const char *nn_layout_text(nn_layout layout);
/** The layout that the kernels of an instruction set want (AUTO: of the best available). */
nn_layout nn_layout_for(nn_isa isa);

/** Bytes that nn_pack writes. @retval NO_MEMORY  more than can be addressed. */
cistern_status nn_pack_size(const nn_net *net, nn_layout layout, size_t *out,
                            cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Pack all layers.
 * @param pool  shares the work; NULL: this thread alone.
 * @param mem   size bytes, aligned to NN_PACK_ALIGN; every byte is written.
 * @param size  exactly what nn_pack_size said (asserted).
 * @retval CANCELLED
 * @retval NO_MEMORY  scratch of each thread, for ROWS24 only.
 */
cistern_status nn_pack(const nn_net *net, nn_layout layout, base_pool *pool, void *mem, size_t size,
                       const base_cancel *cancel, cistern_error *err) CISTERN_MUST_CHECK;

#endif
