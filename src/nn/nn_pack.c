/* Packing is cut into jobs of one or two blocks of 16 outputs of one layer; each writes its own part of the buffer, so that the
 * bytes do not depend on who does what. */
#include "nn_pack.h"

#include <assert.h>

#include "base_mem.h"
#include "base_pages.h"
#include "priv/nn_conv3x3.h"
#include "priv/nn_pack_fixed.h"
#include "priv/nn_pack_map.h"
#include "priv/nn_pack_raw.h"

#define ROW_PIECE    512 /* elements of a linear row that are converted at once */
#define COLUMN_ROWS  64  /* rows of a transposed matrix that are read together: 256 bytes side by side */
#define COLUMN_PIECE 128 /* of their elements, gathered before they are written: 32 KB */
#define COLUMN_AHEAD 8   /* elements that are asked for in advance */

typedef struct packer {
    const nn_net *net;
    nn_layout layout;
    nn_pack_map map;
    uint8_t *mem;
    const base_cancel *cancel;
    nn_rows_weights_fn fixed;
    float *own; /* scratch of each thread, own_stride floats apart */
    size_t own_stride;
    size_t jobs;     /* all of these together */
    unsigned shares; /* parts of the list of jobs that are worked on at a time */
    size_t conv_jobs[MODEL_VGG_CONVS_MAX], linear_jobs[MODEL_VGG_LINEARS];
} packer;

const char *nn_layout_text(nn_layout layout)
{
    switch (layout) {
#define NN_LAYOUT_TEXT(name, value, text)                                                                    \
    case NN_LAYOUT_##name:                                                                                   \
        return text;
        NN_LAYOUT_MAP(NN_LAYOUT_TEXT)
#undef NN_LAYOUT_TEXT
    }
    return "?";
}

nn_layout nn_layout_for(nn_isa isa)
{
    if (isa == NN_ISA_AUTO && nn_isa_resolve(NN_ISA_AUTO, &isa, NULL) != CISTERN_OK) {
        isa = NN_ISA_PORTABLE;
    }
    return isa == NN_ISA_AMX ? NN_LAYOUT_ROWS24 : NN_LAYOUT_DIRECT16;
}

cistern_status nn_pack_size(const nn_net *net, nn_layout layout, size_t *out, cistern_error *err)
{
    nn_pack_map map;
    cistern_status status = nn_pack_map_of(net, layout, &map, err);
    if (status == CISTERN_OK) {
        *out = map.total;
    }
    return status;
}

/* The kernel that makes fixed point. */
static nn_rows_weights_fn fixed_kernel(void)
{
#if defined(__x86_64__)
    if (nn_isa_available(NN_ISA_AMX)) {
        return nn_rows_weights_fixed_16__amx;
    }
#endif
    return nn_rows_weights_fixed_16__ref;
}

/* One job of a convolution: a block of outputs, or a pair where weights are integers. */
static void pack_conv(const packer *p, size_t layer, size_t job, unsigned thread)
{
    const nn_net_conv *conv = &p->net->conv[layer];
    float *bias = (float *)(p->mem + p->map.conv_bias[layer]);
    uint8_t *weight = p->mem + p->map.conv_weight[layer];
    size_t blocks = nn_padded_channels(conv->outputs) / NN_BLOCK, each = 1;
    if (nn_conv_is_fixed(p->layout, layer)) {
        each = 2;
        nn_pack_fixed_pair(conv, p->fixed, job, (const float *)(p->mem + p->map.conv_equal[layer]),
                           p->own + thread * p->own_stride, (int8_t *)weight + job * nn_pack_pair_bytes(conv),
                           (float *)(p->mem + p->map.conv_scale[layer]));
    } else {
        nn_pack_raw_block(conv, job, (float *)(void *)weight + job * conv->inputs * 9 * NN_BLOCK);
    }
    for (size_t block = job * each; block < job * each + each && block < blocks; block++) {
        nn_pack_raw_bias(conv, block, bias + block * NN_BLOCK);
    }
}

/* Rows `row` to `end` of n elements, each read from its beginning to its end. */
static void pack_rows(const nn_tensor *t, size_t row, size_t end, size_t n, float *out)
{
    double piece[ROW_PIECE];
    for (size_t r = row; r < end; r++) {
        for (size_t k = 0; k < n; k += ROW_PIECE) {
            size_t here = n - k < ROW_PIECE ? n - k : ROW_PIECE;
            nn_read_inner(t, r, k, here, piece);
            for (size_t i = 0; i < here; i++) {
                out[r * n + k + i] = (float)piece[i];
            }
        }
    }
}

/* Whether neighbouring rows lie closer together than neighbouring elements (a transposed matrix). */
static bool is_transposed(const nn_tensor *t)
{
    return t->at.stride[0] < t->at.stride[t->at.rank - 1];
}

/* Element k of `rows` rows as floats. */
static void read_column(const nn_tensor *t, size_t row, size_t rows, size_t k, float *out)
{
    const uint8_t *first = nn_inner_place(t, row, k);
    double wide[COLUMN_ROWS];
    if (t->at.dtype == MODEL_F32 && t->at.stride[0] == 1) {
        memcpy(out, first, rows * sizeof(float));
        return;
    }
    nn_read_row(t->at.dtype, first, t->at.stride[0], rows, wide);
    for (size_t r = 0; r < rows; r++) {
        out[r] = (float)wide[r];
    }
}

/* The same of a transposed matrix: element by element through all rows, so that what lies side by side is read at once.
 * The next element may be megabytes away, where no hardware looks ahead: it is asked for in time. */
static void pack_columns(const nn_tensor *t, size_t row, size_t end, size_t n, float *out)
{
    float piece[COLUMN_PIECE][COLUMN_ROWS];
    size_t rows = end - row;
    for (size_t k = 0; k < n; k += COLUMN_PIECE) {
        size_t here = n - k < COLUMN_PIECE ? n - k : COLUMN_PIECE;
        for (size_t i = 0; i < here; i++) {
            if (k + i + COLUMN_AHEAD < n) {
                const uint8_t *later = nn_inner_place(t, row, k + i + COLUMN_AHEAD);
                for (size_t r = 0; r < rows; r += NN_BLOCK) {
                    __builtin_prefetch(later + r * t->at.stride[0] * sizeof(float));
                }
            }
            read_column(t, row, rows, k + i, piece[i]);
        }
        for (size_t r = 0; r < rows; r++) {
            for (size_t i = 0; i < here; i++) {
                out[(row + r) * n + k + i] = piece[i][r];
            }
        }
    }
}

/* Rows of a linear layer that one job takes. */
static size_t linear_rows(const nn_net_linear *linear)
{
    return is_transposed(&linear->weight) ? COLUMN_ROWS : NN_BLOCK;
}

static void pack_linear_block(const packer *p, size_t layer, size_t block)
{
    const nn_net_linear *linear = &p->net->linear[layer];
    float *bias = (float *)(p->mem + p->map.linear_bias[layer]);
    size_t count = linear_rows(linear), first = block * count;
    size_t end = linear->outputs - first < count ? linear->outputs : first + count;
    for (size_t row = first; row < end; row++) {
        double value = 0;
        if (linear->bias.data) {
            const nn_tensor *t = &linear->bias;
            nn_read_row(t->at.dtype, t->data + row * t->at.stride[0] * model_dtype_bytes(t->at.dtype), 1, 1,
                        &value);
        }
        bias[row] = (float)value;
    }
    if (p->map.linear_weight[layer] != NN_NOT_PACKED) {
        float *rows = (float *)(p->mem + p->map.linear_weight[layer]);
        (is_transposed(&linear->weight) ? pack_columns : pack_rows)(&linear->weight, first, end,
                                                                    linear->inputs, rows);
    }
}

/* Threads take jobs in ascending order. What they work on at the same time shall lie far apart: a huge page that two touch
 * first would be cleared twice. */
static size_t far_apart(const packer *p, size_t job)
{
    return job % p->shares * ((p->jobs - 1) / p->shares + 1) + job / p->shares;
}

static void pack_job(void *user, size_t number, unsigned thread)
{
    const packer *p = user;
    size_t job = far_apart(p, number);
    if (job >= p->jobs || base_cancelled(p->cancel)) {
        return;
    }
    for (size_t i = 0; i < p->net->conv_count; i++) {
        if (job < p->conv_jobs[i]) {
            pack_conv(p, i, job, thread);
            return;
        }
        job -= p->conv_jobs[i];
    }
    for (size_t i = 0; i < MODEL_VGG_LINEARS; i++) {
        if (job < p->linear_jobs[i]) {
            pack_linear_block(p, i, job);
            return;
        }
        job -= p->linear_jobs[i];
    }
}

/* Zero what lies between the end of a part and the next multiple of NN_PACK_ALIGN. */
static void fill_gap(uint8_t *mem, size_t offset, size_t floats)
{
    size_t end = offset + floats * sizeof(float);
    memset(mem + end, 0, (NN_PACK_ALIGN - end % NN_PACK_ALIGN) % NN_PACK_ALIGN);
}

static void fill_gaps(const packer *p)
{
    for (size_t i = 0; i < MODEL_VGG_LINEARS; i++) {
        const nn_net_linear *linear = &p->net->linear[i];
        fill_gap(p->mem, p->map.linear_bias[i], linear->outputs);
        if (p->map.linear_weight[i] != NN_NOT_PACKED) {
            fill_gap(p->mem, p->map.linear_weight[i], linear->outputs * linear->inputs);
        }
    }
}

/* The sizes of one layer's channels, before its weights are packed. */
static void equal_job(void *user, size_t layer, unsigned thread)
{
    const packer *p = user;
    if (nn_conv_is_fixed(p->layout, layer) && !base_cancelled(p->cancel)) {
        nn_pack_fixed_equal(&p->net->conv[layer], p->own + thread * p->own_stride,
                            (float *)(p->mem + p->map.conv_equal[layer]));
    }
}

static void count_jobs(packer *p)
{
    for (size_t i = 0; i < p->net->conv_count; i++) {
        size_t outputs = nn_conv_is_fixed(p->layout, i) ? NN_ROWS_PAIR : NN_BLOCK;
        p->jobs += p->conv_jobs[i] = (p->net->conv[i].outputs - 1) / outputs + 1;
    }
    for (size_t i = 0; i < MODEL_VGG_LINEARS; i++) {
        const nn_net_linear *linear = &p->net->linear[i];
        p->jobs += p->linear_jobs[i] = (linear->outputs - 1) / linear_rows(linear) + 1;
    }
}

/* Scratch for each thread; none where no weights become integers. */
static cistern_status take_scratch(packer *p, unsigned threads, size_t *out_bytes, cistern_error *err)
{
    size_t floats = 0;
    for (size_t i = 0; i < p->net->conv_count; i++) {
        size_t its = nn_conv_is_fixed(p->layout, i) ? nn_pack_fixed_scratch(&p->net->conv[i]) : 0;
        floats = its > floats ? its : floats;
    }
    p->own_stride = (floats + NN_BLOCK - 1) / NN_BLOCK * NN_BLOCK; /* at most some 600 000: NN_CHANNELS_MAX */
    if (!base_mul_size(p->own_stride * sizeof(float), threads, out_bytes)) {
        return base_fail_memory(err, SIZE_MAX);
    }
    return *out_bytes ? base_pages_new(*out_bytes, &p->own, err) : CISTERN_OK;
}

cistern_status nn_pack(const nn_net *net, nn_layout layout, base_pool *pool, void *mem, size_t size,
                       const base_cancel *cancel, cistern_error *err)
{
    packer p = {
        .net = net, .layout = layout, .mem = mem, .cancel = cancel, .shares = base_pool_threads(pool)};
    size_t scratch = 0;
    cistern_status status = nn_pack_map_of(net, layout, &p.map, err);
    if (status != CISTERN_OK) {
        return status;
    }
    (void)size; /* for the assertion only */
    assert(size == p.map.total && (uintptr_t)mem % NN_PACK_ALIGN == 0);
    status = take_scratch(&p, p.shares, &scratch, err);
    if (status != CISTERN_OK) {
        return status;
    }
    p.fixed = layout == NN_LAYOUT_ROWS24 ? fixed_kernel() : NULL;
    count_jobs(&p);
    fill_gaps(&p);
    if (scratch) {
        base_pool_run(pool, equal_job, &p, net->conv_count);
    }
    base_pool_run(pool, pack_job, &p, ((p.jobs - 1) / p.shares + 1) * p.shares);
    base_pages_free(p.own, scratch);
    return base_check_cancel(cancel, err);
}
