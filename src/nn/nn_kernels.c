/* The table of kernels: which functions an instruction set stands for. */
#include "priv/nn_session_priv.h"

static const nn_kernels portable = {
    .conv3x3 = nn_conv3x3_f32_4x16__portable,
    .linear_f32 = nn_linear_f32__portable,
    .linear_f16 = nn_linear_f16__portable,
    .linear_bf16 = nn_linear_bf16__portable,
    .winograd = {nn_winograd_weights_f32_16__portable, nn_winograd_input_f32_16__portable,
                 nn_winograd_multiply_f32_32__portable, nn_winograd_output_f32_16__portable},
};

#if defined(__x86_64__)
static const nn_kernels avx2 = {
    .conv3x3 = nn_conv3x3_f32_6x16__avx2,
    .linear_f32 = nn_linear_f32__avx2,
    .linear_f16 = nn_linear_f16__avx2,
    .linear_bf16 = nn_linear_bf16__avx2,
    .linear_lines_f32 = nn_linear_lines_f32__avx2,
    .winograd = {nn_winograd_weights_f32_16__avx2, nn_winograd_input_f32_16__avx2,
                 nn_winograd_multiply_f32_32__avx2, nn_winograd_output_f32_16__avx2},
};

/* AMX has them, too: its rows are beside them. */
#define AVX512_KERNELS                                                                                       \
    .conv3x3 = nn_conv3x3_f32_28x16__avx512, .linear_f32 = nn_linear_f32__avx512,                            \
    .linear_f16 = nn_linear_f16__avx512, .linear_bf16 = nn_linear_bf16__avx512,                              \
    .linear_lines_f32 = nn_linear_lines_f32__avx512,                                                         \
    .winograd = {nn_winograd_weights_f32_16__avx512, nn_winograd_input_f32_16__avx512,                       \
                 nn_winograd_multiply_f32_32__avx512, nn_winograd_output_f32_16__avx512}

static const nn_kernels avx512 = {AVX512_KERNELS};

static const nn_rows_kernels rows_amx = {
    nn_rows_begin__amx,          nn_rows_end__amx,          nn_rows_weights_fixed_16__amx,
    nn_rows_input_fixed_64__amx, nn_rows_range_f32_16__amx, nn_rows_multiply_fixed_32__amx,
    nn_rows_output_f32_16__amx};

/* The linear layers are bound by memory; the first convolution has too few channels. */
static const nn_kernels amx = {AVX512_KERNELS, .rows = &rows_amx};
#endif

const nn_kernels *nn_kernels_of(nn_isa isa)
{
    switch (isa) {
#if defined(__x86_64__)
    case NN_ISA_AVX2:
        return &avx2;
    case NN_ISA_AVX512:
        return &avx512;
    case NN_ISA_AMX:
        return &amx;
#else
    case NN_ISA_AVX2:
    case NN_ISA_AVX512:
    case NN_ISA_AMX:
#endif
    case NN_ISA_AUTO:
    case NN_ISA_PORTABLE:
        break;
    }
    return &portable;
}
