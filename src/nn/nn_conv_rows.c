/* Schedule of the convolution along rows, and the sizes it works in; see priv/nn_conv_rows.h. */
#include "priv/nn_conv_rows.h"

#include <math.h>
#include <string.h>

/* Sizes that were measured on a machine with 48 KiB of L1 and 2 MiB of L2 (see docs). The weights of a chunk and position, 18 KiB,
 * must stay in L1 while all tiles are multiplied with them; a job's inputs and sums together in the thread's L2. */
#define TILES_MOST    256               /* of a job */
#define TILES_MOST_1  448               /* of one that need not keep sums from chunk to chunk */
#define STRIP_MOST    64                /* tiles of a row in a job */
#define PRODUCT_BYTES ((size_t)1500000) /* of the sums that a job keeps from chunk to chunk */
#define RANGE_ROWS    8                 /* that one job looks at */

/* A little below NN_ROWS_MOST: factors and ranges are rounded. */
#define FULL        8355000.0F
/* Of a smaller range than this, as if it were this: factors stay finite. */
#define RANGE_LEAST 1e-24F

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit;
}

/* An odd number of cache lines, so that positions do not fall on the same sets. */
static size_t odd_lines(size_t bytes)
{
    return (up(bytes, 64) | 1) * 64;
}

/* Rows of all images, but for what lies behind the last. */
static size_t rows_of(const nn_rows_plan *p, size_t images)
{
    return images * p->period - (p->period - p->height);
}

static size_t strips_of(const nn_rows_plan *p)
{
    return up(p->columns, p->strip);
}

static size_t groups_of(const nn_rows_plan *p)
{
    return up(up(p->outputs, NN_ROWS_PAIR), p->group);
}

/* Cut the work so that each job's memory stays in L2 and each thread has one. */
static void plan_jobs(nn_rows_plan *p, size_t all_rows, unsigned threads)
{
    size_t pairs = up(p->outputs, NN_ROWS_PAIR), unit = p->pool ? 2 : 1;
    p->strip = up(p->columns, up(p->columns, STRIP_MOST));
    bool one = nn_rows_chunks(p->inputs) == 1;
    size_t superblocks = up(all_rows, (one ? TILES_MOST_1 : TILES_MOST) / p->strip / unit * unit);
    if (superblocks > 1) {
        superblocks = up(superblocks, threads) * threads; /* so that threads end together */
    }
    p->rows = up(up(all_rows, superblocks), unit) * unit;
    superblocks = up(all_rows, p->rows) * strips_of(p);
    size_t fit = PRODUCT_BYTES / (NN_ROWS_POSITIONS * p->rows * p->strip * NN_ROWS_PAIR * sizeof(float));
    p->group = one ? pairs : least(fit ? fit : 1, pairs);
    p->group = up(pairs, up(pairs, p->group));
    if (superblocks * groups_of(p) % threads != 0) {
        p->group = up(pairs, up(groups_of(p), threads) * threads);
    }
}

nn_rows_plan nn_rows_plan_of(const nn_rows_kernels *kernels, const nn_rows_plan *shape, size_t images,
                             unsigned threads)
{
    nn_rows_plan p = *shape;
    p.kernels = kernels;
    p.columns = up(p.width, NN_ROWS_OUT);
    p.period = p.height + 2 + (p.pool ? p.height % 2 : 0);
    plan_jobs(&p, rows_of(&p, images), threads);
    size_t tiles = up(p.rows * p.strip, NN_ROWS_TILES) * NN_ROWS_TILES;
    p.v_digit = (tiles + 2 * p.strip) * NN_ROWS_V_TILE;
    p.v_stride = odd_lines(NN_ROWS_DIGITS * p.v_digit);
    p.m_stride = odd_lines(tiles * NN_ROWS_PAIR * sizeof(float)) / sizeof(float);
    size_t kept = nn_rows_chunks(p.inputs) > 1 ? p.group : 1; /* pairs whose sums wait for the next chunk */
    p.own_floats = NN_ROWS_POSITIONS * (p.v_stride / sizeof(float) + kept * p.m_stride);
    return p;
}

/* One job: a superblock, a strip and a group of pairs. */
typedef struct job {
    const nn_rows_call *call;
    size_t first_row, rows;   /* counted through all images */
    size_t first_tile, tiles; /* of each row */
    size_t first_pair, last_pair;
    size_t chunk;
    int8_t *v; /* the thread's own */
    float *m;
} job;

static job job_of(const nn_rows_call *call, size_t number, unsigned thread)
{
    const nn_rows_plan *p = call->plan;
    size_t place = number / groups_of(p);
    job j = {.call = call,
             .first_row = place / strips_of(p) * p->rows,
             .first_tile = place % strips_of(p) * p->strip,
             .first_pair = number % groups_of(p) * p->group};
    j.rows = least(p->rows, rows_of(p, call->images) - j.first_row);
    j.tiles = least(p->strip, p->columns - j.first_tile);
    j.last_pair = least(j.first_pair + p->group, up(p->outputs, NN_ROWS_PAIR));
    float *own = call->own + thread * call->own_stride;
    j.v = (int8_t *)own;
    j.m = own + NN_ROWS_POSITIONS * p->v_stride / sizeof(float);
    return j;
}

/* ---- ranges ---- */

static float range_of(const nn_rows_range *range, size_t position)
{
    unsigned bits = atomic_load_explicit(&range->most[position], memory_order_relaxed);
    float most;
    memcpy(&most, &bits, sizeof(most));
    return most < RANGE_LEAST ? RANGE_LEAST : most;
}

/* What inputs of an image are multiplied with. Of a range that is not finite: anything, their scale is NaN. */
static void factors_of(const job *j, size_t image, float out[NN_ROWS_BLOCKS][NN_ROWS_POSITIONS][NN_BLOCK])
{
    const float *equal = j->call->equal + j->chunk * NN_ROWS_CHANNELS;
    for (size_t i = 0; i < NN_ROWS_POSITIONS; i++) {
        float factor = FULL / range_of(&j->call->range[image], i);
        for (size_t b = 0; b < NN_ROWS_BLOCKS; b++) {
            for (size_t k = 0; k < NN_BLOCK; k++) {
                out[b][i][k] = factor * equal[b * NN_BLOCK + k];
            }
        }
    }
}

/* What a unit of the sums of 16 outputs is worth. */
static void scales_of(const nn_rows_call *call, size_t image, size_t block,
                      float out[NN_ROWS_POSITIONS][NN_BLOCK])
{
    for (size_t i = 0; i < NN_ROWS_POSITIONS; i++) {
        float most = range_of(&call->range[image], i), unit = isfinite(most) ? most / FULL : NAN;
        for (size_t k = 0; k < NN_BLOCK; k++) {
            out[i][k] = call->scale[(block * NN_ROWS_POSITIONS + i) * NN_BLOCK + k] * unit;
        }
    }
}

/* One row of a block. */
static void range_of_row(const nn_rows_kernels *kernels, const nn_act *act, size_t block, size_t y,
                         const float *equal, float most[NN_ROWS_POSITIONS][NN_BLOCK])
{
    const float *x = nn_act_at(act, block, y) - NN_BLOCK;
    size_t whole = act->width / NN_ROWS_OUT;
    kernels->range(x, whole, equal, most[0]);
    if (act->width % NN_ROWS_OUT) {
        _Alignas(64) float patch[(NN_ROWS_OUT + 2) * NN_BLOCK] = {0};
        x += whole * NN_ROWS_OUT * NN_BLOCK;
        memcpy(patch, x, (act->width + 2 - whole * NN_ROWS_OUT) * NN_BLOCK * sizeof(float));
        kernels->range(patch, 1, equal, most[0]);
    }
}

static void add_range(const float most[NN_ROWS_POSITIONS][NN_BLOCK], nn_rows_range *range)
{
    for (size_t i = 0; i < NN_ROWS_POSITIONS; i++) {
        unsigned greatest = 0, bits[NN_BLOCK];
        memcpy(bits, most[i], sizeof(bits));
        for (size_t k = 0; k < NN_BLOCK; k++) {
            greatest = bits[k] > greatest ? bits[k] : greatest;
        }
        unsigned there = atomic_load_explicit(&range->most[i], memory_order_relaxed);
        while (greatest > there &&
               !atomic_compare_exchange_weak_explicit(&range->most[i], &there, greatest, memory_order_relaxed,
                                                      memory_order_relaxed)) {
        }
    }
}

void nn_rows_find_range(const nn_rows_kernels *kernels, const nn_act *act, size_t block, size_t first,
                        size_t last, const float *equal, nn_rows_range *range)
{
    _Alignas(64) float most[NN_ROWS_POSITIONS][NN_BLOCK] = {{0}};
    for (size_t y = first; y < last; y++) {
        range_of_row(kernels, act, block, y, equal + block * NN_BLOCK, most);
    }
    add_range(most, range);
}

/* ---- inputs ---- */

/* The last tile of a row whose pixels end before the tile's do: a copy with zeros behind. */
static void input_at_end(const nn_rows_plan *p, const nn_rows_row *row, size_t pixels, const float *factor,
                         int8_t *v)
{
    enum { PATCH = (NN_ROWS_OUT + 2) * NN_BLOCK };
    _Alignas(64) float patch[NN_ROWS_BLOCKS * PATCH] = {0};
    nn_rows_row end = {patch, PATCH, row->blocks, 1};
    for (size_t b = 0; b < row->blocks; b++) {
        memcpy(patch + b * PATCH, row->x + b * row->x_block, pixels * NN_BLOCK * sizeof(float));
    }
    p->kernels->input(&end, factor, v, p->v_stride, p->v_digit);
}

/* Transform a chunk's inputs, one row. */
static void transform_row(const job *j, size_t row, size_t image, const float *factor)
{
    const nn_rows_call *call = j->call;
    const nn_rows_plan *p = call->plan;
    size_t y = (j->first_row + row) % p->period, at = j->chunk * NN_ROWS_BLOCKS,
           plane = nn_act_plane(&call->in);
    if (y >= p->height + 2) {
        return;
    }
    size_t all = p->width / NN_ROWS_OUT,
           whole = all < j->first_tile ? 0 : least(all - j->first_tile, j->tiles);
    nn_rows_row r = {.x = call->in.data + image * call->in_image + at * plane + y * nn_act_row(&call->in) +
                          j->first_tile * NN_ROWS_OUT * NN_BLOCK,
                     .x_block = plane,
                     .blocks = least(NN_ROWS_BLOCKS, nn_act_blocks(&call->in) - at),
                     .tiles = whole};
    int8_t *v = j->v + row * p->strip * NN_ROWS_V_TILE;
    p->kernels->input(&r, factor, v, p->v_stride, p->v_digit);
    if (whole < j->tiles) {
        r.x += whole * NN_ROWS_OUT * NN_BLOCK;
        input_at_end(p, &r, p->width + 2 - all * NN_ROWS_OUT, factor, v + whole * NN_ROWS_V_TILE);
    }
}

static void transform_inputs(const job *j)
{
    _Alignas(64) float factor[NN_ROWS_BLOCKS][NN_ROWS_POSITIONS][NN_BLOCK];
    size_t of = SIZE_MAX;
    for (size_t row = 0; row < j->rows + 2; row++) {
        size_t image = (j->first_row + row) / j->call->plan->period;
        if (image != of) {
            factors_of(j, image, factor);
            of = image;
        }
        transform_row(j, row, image, factor[0][0]);
    }
}

/* ---- products and outputs ---- */

static const int8_t *weights_at(const nn_rows_call *call, size_t pair, size_t chunk)
{
    return call->weight + (pair * nn_rows_chunks(call->plan->inputs) + chunk) * NN_ROWS_U_CHUNK;
}

/* Multiply one chunk of inputs with the weights of one pair. */
static void multiply_pair(const job *j, size_t pair, float *m)
{
    const nn_rows_plan *p = j->call->plan;
    bool last = pair + 1 == j->last_pair;
    size_t next_chunk = j->chunk + (last ? 1 : 0);
    nn_rows_product product = {.u = weights_at(j->call, pair, j->chunk),
                               .v = j->v,
                               .m = m,
                               .v_stride = p->v_stride,
                               .v_digit = p->v_digit,
                               .m_stride = p->m_stride,
                               .tiles = j->rows * p->strip,
                               .columns = p->strip,
                               .add = j->chunk > 0};
    if (next_chunk < nn_rows_chunks(p->inputs)) {
        product.soon = weights_at(j->call, last ? j->first_pair : pair + 1, next_chunk);
        product.soon_lines = NN_ROWS_U_CHUNK / 64;
    }
    p->kernels->multiply(&product);
}

/* Transform one row of a block back, and look at what came out. */
static void transform_output_row(const job *j, size_t block, size_t y, size_t image, const float *m,
                                 const float *scale, float most[NN_ROWS_POSITIONS][NN_BLOCK])
{
    const nn_rows_call *call = j->call;
    const nn_rows_plan *p = call->plan;
    size_t each = p->pool ? NN_ROWS_OUT / 2 : NN_ROWS_OUT, x = j->first_tile * each;
    nn_act out = call->out;
    out.data += image * call->out_image;
    if (x < out.width) {
        p->kernels->output(m + block % 2 * NN_BLOCK, p->m_stride, p->pool ? p->strip * NN_ROWS_PAIR : 0,
                           scale, call->bias + block * NN_BLOCK, nn_act_at(&out, block, y) + x * NN_BLOCK,
                           least(j->tiles * each, out.width - x));
    }
    if (j->first_tile == 0) {
        nn_act_close(&out, block, y, y + 1);
    }
    if (call->next.range && strips_of(p) == 1) {
        range_of_row(p->kernels, &out, block, y, call->next.equal + block * NN_BLOCK, most);
    }
}

/* Transform the sums of one block back. */
static void transform_outputs(const job *j, size_t block, const float *m)
{
    const nn_rows_call *call = j->call;
    const nn_rows_plan *p = call->plan;
    _Alignas(64) float scale[NN_ROWS_POSITIONS][NN_BLOCK], most[NN_ROWS_POSITIONS][NN_BLOCK] = {{0}};
    size_t step = p->pool ? 2 : 1, of = SIZE_MAX;
    for (size_t row = 0; row + step <= j->rows; row += step) {
        size_t image = (j->first_row + row) / p->period, y = (j->first_row + row) % p->period / step;
        if (y >= call->out.height) {
            continue;
        }
        if (image != of) {
            if (of != SIZE_MAX && call->next.range) {
                add_range(most, &call->next.range[of]);
                memset(most, 0, sizeof(most));
            }
            scales_of(call, image, block, scale);
            of = image;
        }
        transform_output_row(j, block, y, image, m + row * p->strip * NN_ROWS_PAIR, scale[0], most);
    }
    if (of != SIZE_MAX && call->next.range) {
        add_range(most, &call->next.range[of]);
    }
}

static void run_chunk(job *j)
{
    const nn_rows_plan *p = j->call->plan;
    size_t chunks = nn_rows_chunks(p->inputs), blocks = nn_act_blocks(&j->call->out);
    transform_inputs(j);
    for (size_t pair = j->first_pair; pair < j->last_pair && !base_cancelled(j->call->cancel); pair++) {
        float *m = j->m + (chunks == 1 ? 0 : pair - j->first_pair) * NN_ROWS_POSITIONS * p->m_stride;
        multiply_pair(j, pair, m);
        for (size_t b = 2 * pair; j->chunk + 1 == chunks && b < least(2 * pair + 2, blocks); b++) {
            transform_outputs(j, b, m);
        }
    }
}

static void main_job(void *user, size_t number, unsigned thread)
{
    const nn_rows_call *call = user;
    const nn_rows_plan *p = call->plan;
    job j = job_of(call, number, thread);
    p->kernels->begin(j.rows * p->strip);
    for (; j.chunk < nn_rows_chunks(p->inputs) && !base_cancelled(call->cancel); j.chunk++) {
        run_chunk(&j);
    }
    p->kernels->end();
}

/* Ranges, where no job had whole rows. */
static void range_job(void *user, size_t number, unsigned thread)
{
    const nn_rows_call *call = user;
    size_t bands = up(call->out.height, RANGE_ROWS), first = number % bands * RANGE_ROWS;
    size_t blocks = nn_act_blocks(&call->out), image = number / bands / blocks;
    nn_act out = call->out;
    (void)thread;
    out.data += image * call->out_image;
    nn_rows_find_range(call->plan->kernels, &out, number / bands % blocks, first,
                       least(first + RANGE_ROWS, out.height), call->next.equal, &call->next.range[image]);
}

void nn_rows_run(nn_rows_call *call, base_pool *pool)
{
    const nn_rows_plan *p = call->plan;
    size_t blocks = nn_act_blocks(&call->out);
    base_pool_run(pool, main_job, call, up(rows_of(p, call->images), p->rows) * strips_of(p) * groups_of(p));
    if (call->next.range && strips_of(p) > 1) {
        base_pool_run(pool, range_job, call, call->images * blocks * up(call->out.height, RANGE_ROWS));
    }
}
