/* Schedule of the convolution along rows, and the sizes it works in; see priv/nn_conv_rows.h. */
#include "priv/nn_conv_rows.h"

#include <string.h>

/* Sizes that were measured on a machine with 48 KiB of L1 and 2 MiB of L2 (see docs). The weights of a chunk and position, 18 KiB,
 * must stay in L1 while all tiles are multiplied with them; a job's inputs, weights and sums together in the thread's L2. */
#define TILES_MOST    448               /* of a superblock, unless a row has more */
#define CHUNK         32                /* input channels */
#define PRODUCT_BYTES ((size_t)1250000) /* of the sums that a job keeps from chunk to chunk */
#define RAW           (9 * NN_BLOCK)    /* floats of packed weights of one input channel */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit;
}

/* An odd number of cache lines, so that positions do not fall on the same sets. */
static size_t odd_lines(size_t floats)
{
    return (up(floats, NN_BLOCK) | 1) * NN_BLOCK;
}

/* Rows of all images, but for what lies behind the last. */
static size_t rows_of(const nn_rows_plan *p, size_t images)
{
    return images * p->period - (p->period - p->height);
}

/* Cut the work so that each job's memory stays in L2 and each thread has one. */
static void plan_jobs(nn_rows_plan *p, size_t all_rows, unsigned threads)
{
    size_t pairs = up(p->outputs, NN_ROWS_PAIR), unit = p->pool ? 2 : 1;
    size_t most = TILES_MOST / p->columns / unit * unit;
    size_t superblocks = up(all_rows, most ? most : unit);
    if (superblocks > 1) {
        superblocks = up(superblocks, threads) * threads; /* so that threads end together */
    }
    p->rows = up(up(all_rows, superblocks), unit) * unit;
    superblocks = up(all_rows, p->rows);
    size_t fit = PRODUCT_BYTES / (NN_ROWS_POSITIONS * p->rows * p->columns * NN_ROWS_PAIR * sizeof(float));
    p->group = p->chunk < p->inputs ? least(fit ? fit : 1, pairs) : pairs;
    p->group = up(pairs, up(pairs, p->group));
    if (superblocks * up(pairs, p->group) % threads != 0) {
        p->group = up(pairs, up(up(pairs, p->group), threads) * threads);
    }
}

nn_rows_plan nn_rows_plan_of(const nn_rows_kernels *kernels, const nn_rows_plan *shape, size_t images,
                             unsigned threads)
{
    nn_rows_plan p = *shape;
    p.kernels = kernels;
    p.columns = up(p.width, NN_ROWS_OUT);
    p.period = p.height + 2 + (p.pool ? p.height % 2 : 0);
    p.chunk = least(CHUNK, nn_rows_blocks(p.inputs) * NN_ROWS_CHANNELS);
    plan_jobs(&p, rows_of(&p, images), threads);
    size_t tiles = up(p.rows * p.columns, NN_ROWS_TILES) * NN_ROWS_TILES, blocks = nn_rows_blocks(p.chunk);
    p.u_stride = odd_lines(blocks * 3 * NN_ROWS_U_DY);
    p.v_part = (tiles + 2 * p.columns) * NN_BLOCK;
    p.v_stride = odd_lines(blocks * NN_ROWS_PARTS * p.v_part);
    p.m_stride = odd_lines(tiles * NN_ROWS_PAIR);
    p.own_floats =
        NN_ROWS_POSITIONS * (p.u_stride + p.v_stride + (p.chunk < p.inputs ? p.group : 1) * p.m_stride);
    return p;
}

/* One job: a superblock and a group of pairs. */
typedef struct job {
    const nn_rows_call *call;
    size_t first_row, rows; /* counted through all images */
    size_t first_pair, last_pair;
    size_t first, channels; /* of the chunk at hand */
    float *u, *v, *m;       /* the thread's own; u: of this position and the next */
    bool ready;             /* the first position's weights were transformed meanwhile */
} job;

static size_t groups_of(const nn_rows_plan *p)
{
    return up(up(p->outputs, NN_ROWS_PAIR), p->group);
}

static job job_of(const nn_rows_call *call, size_t number, unsigned thread)
{
    const nn_rows_plan *p = call->plan;
    job j = {.call = call,
             .first_row = number / groups_of(p) * p->rows,
             .first_pair = number % groups_of(p) * p->group};
    j.rows = least(p->rows, rows_of(p, call->images) - j.first_row);
    j.last_pair = least(j.first_pair + p->group, up(p->outputs, NN_ROWS_PAIR));
    j.u = call->own + thread * call->own_stride;
    j.v = j.u + 2 * p->u_stride;
    j.m = j.v + NN_ROWS_POSITIONS * p->v_stride;
    return j;
}

/* The last tile of a row whose pixels end before the tile's do: a copy with zeros behind. */
static void input_at_end(const nn_rows_plan *p, const float *x, size_t x_block, size_t pixels, float *v)
{
    enum { PATCH = (NN_ROWS_OUT + 2) * NN_BLOCK };
    _Alignas(64) float patch[2 * PATCH] = {0};
    memcpy(patch, x, pixels * NN_BLOCK * sizeof(float));
    if (x_block) {
        memcpy(patch + PATCH, x + x_block, pixels * NN_BLOCK * sizeof(float));
    }
    p->kernels->input(patch, x_block ? PATCH : 0, 1, v, p->v_stride, p->v_part);
}

/* Transform a chunk's inputs: one row of 32 channels. */
static void transform_row(const job *j, size_t block, size_t row)
{
    const nn_rows_call *call = j->call;
    const nn_rows_plan *p = call->plan;
    size_t image = (j->first_row + row) / p->period, y = (j->first_row + row) % p->period;
    size_t at = j->first / NN_BLOCK + 2 * block, plane = nn_act_plane(&call->in);
    size_t x_block = at + 1 < nn_act_blocks(&call->in) ? plane : 0, whole = p->width / NN_ROWS_OUT;
    if (y >= p->height + 2) {
        return;
    }
    const float *x = call->in.data + image * call->in_image + at * plane + y * nn_act_row(&call->in);
    float *v = j->v + block * NN_ROWS_PARTS * p->v_part + row * p->columns * NN_BLOCK;
    p->kernels->input(x, x_block, whole, v, p->v_stride, p->v_part);
    if (whole < p->columns) {
        input_at_end(p, x + whole * NN_ROWS_OUT * NN_BLOCK, x_block, p->width + 2 - whole * NN_ROWS_OUT,
                     v + whole * NN_BLOCK);
    }
}

static void transform_inputs(const job *j)
{
    for (size_t block = 0; block < nn_rows_blocks(j->channels); block++) {
        for (size_t row = 0; row < j->rows + 2; row++) {
            transform_row(j, block, row);
        }
    }
}

/* Packed weights of a block of 16 outputs, from channel `first` on. */
static const float *raw_at(const nn_rows_call *call, size_t block, size_t first)
{
    return call->weight + (block * call->plan->inputs + first) * RAW;
}

/* What will be read next, a part with each position but the last: packed weights. */
static void set_soon(const job *j, size_t pair, size_t first, size_t position, nn_rows_product *product)
{
    const nn_rows_plan *p = j->call->plan;
    if (first >= p->inputs || 2 * pair + 1 >= nn_act_blocks(&j->call->out) ||
        position + 1 == NN_ROWS_POSITIONS) {
        return;
    }
    size_t lines = up(least(p->chunk, p->inputs - first) * RAW / NN_BLOCK, NN_ROWS_POSITIONS - 1);
    for (size_t half = 0; half < 2; half++) {
        product->soon[half] = raw_at(j->call, 2 * pair + half, first) + position * lines * NN_BLOCK;
    }
    product->soon_lines = lines;
}

/* The weights of one position of a pair. */
static nn_rows_task task_of(const job *j, size_t pair, size_t first, size_t position)
{
    const nn_rows_plan *p = j->call->plan;
    nn_rows_task t = {.channels = least(p->chunk, p->inputs - first), .position = position};
    t.u = j->u + position % 2 * p->u_stride;
    for (size_t half = 0; half < 2 && 2 * pair + half < nn_act_blocks(&j->call->out); half++) {
        t.w[half] = raw_at(j->call, 2 * pair + half, first);
    }
    if (!t.w[1]) { /* the second block of the last pair does not exist */
        memset(t.u, 0, p->u_stride * sizeof(float));
    }
    return t;
}

static void transform_weights(const job *j, const nn_rows_task *t)
{
    for (size_t half = 0; half < 2 && t->w[half]; half++) {
        j->call->plan->kernels->weights(t->w[half], t->channels, t->position, t->u + half * NN_ROWS_U_HALF);
    }
}

/* The weights that come after a pair's: the next pair's, or those of the next chunk. Whether there are any. */
static bool after(const job *j, size_t *pair, size_t *first)
{
    if (++*pair == j->last_pair) {
        *pair = j->first_pair;
        *first += j->call->plan->chunk;
    }
    return *first < j->call->plan->inputs;
}

/* Multiply one chunk of inputs with the weights of one pair. */
static void multiply_pair(job *j, size_t pair, float *m)
{
    const nn_rows_plan *p = j->call->plan;
    size_t next_pair = pair, next_first = j->first;
    bool more = after(j, &next_pair, &next_first);
    nn_rows_task task;
    if (!j->ready) {
        task = task_of(j, pair, j->first, 0);
        transform_weights(j, &task);
    }
    for (size_t i = 0; i < NN_ROWS_POSITIONS; i++) {
        nn_rows_product product = {.u = j->u + i % 2 * p->u_stride,
                                   .v = j->v + i * p->v_stride,
                                   .m = m + i * p->m_stride,
                                   .v_part = p->v_part,
                                   .channels = j->channels,
                                   .tiles = j->rows * p->columns,
                                   .columns = p->columns,
                                   .add = j->first > 0};
        if (i + 1 < NN_ROWS_POSITIONS) {
            task = task_of(j, pair, j->first, i + 1);
        } else if (more) {
            task = task_of(j, next_pair, next_first, 0);
        }
        product.task = i + 1 < NN_ROWS_POSITIONS || more ? &task : NULL;
        set_soon(j, next_pair, next_first, i, &product);
        p->kernels->multiply(&product);
    }
    j->ready = more;
}

/* Transform the sums of one pair back. */
static void transform_outputs(const job *j, size_t pair, const float *m)
{
    const nn_rows_call *call = j->call;
    const nn_rows_plan *p = call->plan;
    size_t step = p->pool ? 2 : 1, m_row = p->columns * NN_ROWS_PAIR;
    for (size_t block = 2 * pair; block < least(2 * pair + 2, nn_act_blocks(&call->out)); block++) {
        for (size_t row = 0; row + step <= j->rows; row += step) {
            size_t image = (j->first_row + row) / p->period, y = (j->first_row + row) % p->period / step;
            nn_act out = call->out;
            out.data += image * call->out_image;
            if (y < out.height) {
                p->kernels->output(m + row * m_row + block % 2 * NN_BLOCK, p->m_stride, p->pool ? m_row : 0,
                                   call->bias + block * NN_BLOCK, nn_act_at(&out, block, y), out.width);
            }
        }
    }
}

/* One chunk of input channels. */
static void run_chunk(job *j)
{
    const nn_rows_plan *p = j->call->plan;
    bool one = p->chunk >= p->inputs; /* sums need not be kept */
    transform_inputs(j);
    for (size_t pair = j->first_pair; pair < j->last_pair && !base_cancelled(j->call->cancel); pair++) {
        float *m = j->m + (one ? 0 : pair - j->first_pair) * NN_ROWS_POSITIONS * p->m_stride;
        multiply_pair(j, pair, m);
        if (j->first + p->chunk >= p->inputs) {
            transform_outputs(j, pair, m);
        }
    }
}

static void main_job(void *user, size_t number, unsigned thread)
{
    const nn_rows_call *call = user;
    const nn_rows_plan *p = call->plan;
    job j = job_of(call, number, thread);
    p->kernels->begin(j.rows * p->columns);
    for (; j.first < p->inputs && !base_cancelled(call->cancel); j.first += p->chunk) {
        j.channels = least(p->chunk, p->inputs - j.first);
        run_chunk(&j);
    }
    p->kernels->end();
}

/* Jobs that close the border of the output come first: nobody reads it yet. */
static void close_job(void *user, size_t number, unsigned thread)
{
    const nn_rows_call *call = user;
    nn_act image = call->out;
    (void)thread;
    image.data += number / nn_act_blocks(&call->out) * call->out_image;
    nn_act_close(&image, number % nn_act_blocks(&call->out), 0, image.height);
}

void nn_rows_run(nn_rows_call *call, base_pool *pool)
{
    const nn_rows_plan *p = call->plan;
    base_pool_run(pool, close_job, call, call->images * nn_act_blocks(&call->out));
    base_pool_run(pool, main_job, call, up(rows_of(p, call->images), p->rows) * groups_of(p));
}
