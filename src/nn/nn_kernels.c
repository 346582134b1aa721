/* The table of kernels: which functions an instruction set stands for. */
#include "priv/nn_session_priv.h"

static const nn_kernels portable = {
    .conv3x3 = nn_conv3x3_f32_4x16__portable,
    .linear_f32 = nn_linear_f32__portable,
    .linear_f16 = nn_linear_f16__portable,
    .linear_bf16 = nn_linear_bf16__portable,
};

#if defined(__x86_64__)
static const nn_kernels avx2 = {
    .conv3x3 = nn_conv3x3_f32_6x16__avx2,
    .linear_f32 = nn_linear_f32__avx2,
    .linear_f16 = nn_linear_f16__avx2,
    .linear_bf16 = nn_linear_bf16__avx2,
};
#endif

const nn_kernels *nn_kernels_of(nn_isa isa)
{
#if defined(__x86_64__)
    if (isa == NN_ISA_AVX2 || isa == NN_ISA_AVX512) {
        return &avx2;
    }
#endif
    (void)isa;
    return &portable;
}
