/* Schedules of the Winograd convolution, and the sizes they work in; see priv/nn_conv_winograd.h. */
#include "priv/nn_conv_winograd.h"

#include <string.h>

/* Sizes that were measured on a machine with 48 KiB of L1, 2 MiB of L2 and slow L3 (see docs); they cost little elsewhere. */
#define OWN_V_BYTES                                                                                          \
    ((size_t)520 << 10) /* transformed inputs of one superblock, a quarter of the thread's L2 (apart) */
#define SHARED_U_BYTES  ((size_t)5 << 20)    /* more transformed weights than this: joint */
#define JOINT_TILES     128                  /* not more tiles in an image than this: joint */
#define BLOCK_MOST      56                   /* tiles: more gain nothing */
#define BLOCK_JOINT     98                   /* tiles of a joint superblock */
#define BLOCK_UNIT      14                   /* tiles that the widest kernel takes at once */
#define JOBS_PER_THREAD 4                    /* superblocks, at least, so that threads end together (apart) */
#define OWN_M_BYTES     ((size_t)1000 << 10) /* products in the thread's L2 (joint) */
#define CHUNK           64                   /* input channels (joint) */
#define RAW             (9 * NN_BLOCK)       /* floats of packed weights of one input channel */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit;
}

/* An odd number of cache lines, so that the 36 positions do not fall on the same sets. */
static size_t odd_lines(size_t floats)
{
    return (up(floats, NN_BLOCK) | 1) * NN_BLOCK;
}

static void plan_apart(nn_winograd_plan *p, size_t tiles, unsigned threads)
{
    size_t bytes = NN_POSITIONS * up(p->inputs, NN_BLOCK) * NN_BLOCK * sizeof(float);
    size_t most = least(OWN_V_BYTES / bytes, BLOCK_MOST), even = up(tiles, threads * JOBS_PER_THREAD);
    p->block = least(most, even);
    p->block = p->block > BLOCK_UNIT ? p->block / BLOCK_UNIT * BLOCK_UNIT : p->block;
    p->block = p->block ? p->block : 1;
}

static void plan_joint(nn_winograd_plan *p, size_t tiles, unsigned threads)
{
    size_t pairs = up(p->outputs, NN_PAIR);
    p->block = up(tiles, up(tiles, BLOCK_JOINT));
    p->chunk = CHUNK;
    p->group = OWN_M_BYTES / (NN_POSITIONS * p->block * NN_PAIR * sizeof(float));
    p->group = least(p->group, up(pairs, threads));
    p->group = p->group ? p->group : 1;
}

nn_winograd_plan nn_winograd_plan_of(size_t inputs, size_t outputs, size_t height, size_t width, bool pool,
                                     size_t images, unsigned threads)
{
    nn_winograd_plan p = {
        .inputs = inputs, .outputs = outputs, .height = height, .width = width, .pool = pool};
    size_t pairs = up(outputs, NN_PAIR), padded = up(inputs, NN_BLOCK) * NN_BLOCK;
    p.rows = up(height, NN_TILE_OUT);
    p.columns = up(width, NN_TILE_OUT);
    p.joint = NN_POSITIONS * inputs * pairs * NN_PAIR * sizeof(float) > SHARED_U_BYTES ||
              p.rows * p.columns <= JOINT_TILES;
    if (p.joint) {
        plan_joint(&p, images * p.rows * p.columns, threads);
    } else {
        plan_apart(&p, images * p.rows * p.columns, threads);
    }
    p.v_stride = odd_lines(padded * p.block);
    p.m_stride = odd_lines(NN_PAIR * p.block);
    p.u_stride = odd_lines(NN_PAIR * (p.joint ? p.chunk : inputs));
    size_t u = NN_POSITIONS * p.u_stride, v = NN_POSITIONS * p.v_stride, m = NN_POSITIONS * p.m_stride;
    p.shared_floats = p.joint ? v : pairs * u;
    p.own_floats = p.joint ? u + p.group * m : v + m;
    return p;
}

/* One superblock. */
typedef struct superblock {
    const nn_winograd_call *call;
    size_t first, tiles; /* numbered through all images */
} superblock;

static size_t tiles_of(const nn_winograd_call *call)
{
    return call->images * call->plan->rows * call->plan->columns;
}

static superblock superblock_at(const nn_winograd_call *call, size_t number)
{
    superblock s = {call, number * call->plan->block, 0};
    s.tiles = least(call->plan->block, tiles_of(call) - s.first);
    return s;
}

/* The tile's input where the image does not cover all of it: a copy with zeros around. */
static void input_at_edge(const nn_winograd_call *call, const float *x, size_t rows, size_t columns, float *v)
{
    _Alignas(64) float patch[NN_TILE_IN * NN_TILE_IN * NN_BLOCK] = {0};
    size_t x_row = nn_act_row(&call->in);
    for (size_t i = 0; i < rows; i++) {
        memcpy(patch + i * NN_TILE_IN * NN_BLOCK, x + i * x_row, columns * NN_BLOCK * sizeof(float));
    }
    call->kernels->input(patch, NN_TILE_IN * NN_BLOCK, v, call->plan->v_stride);
}

/* Transform one block of channels of a superblock. */
static void transform_inputs(const superblock *s, size_t block, float *v)
{
    const nn_winograd_call *call = s->call;
    const nn_winograd_plan *p = call->plan;
    size_t x_row = nn_act_row(&call->in), per_image = p->rows * p->columns;
    v += block * p->block * NN_BLOCK;
    for (size_t t = 0; t < s->tiles; t++, v += NN_BLOCK) {
        size_t image = (s->first + t) / per_image, tile = (s->first + t) % per_image;
        size_t y = tile / p->columns * NN_TILE_OUT, x = tile % p->columns * NN_TILE_OUT;
        const float *from = call->in.data + image * call->in_image + block * nn_act_plane(&call->in) +
                            y * x_row + x * NN_BLOCK;
        size_t rows = least(NN_TILE_IN, p->height + 2 - y), columns = least(NN_TILE_IN, p->width + 2 - x);
        if (rows == NN_TILE_IN && columns == NN_TILE_IN) {
            call->kernels->input(from, x_row, v, p->v_stride);
        } else {
            input_at_edge(call, from, rows, columns, v);
        }
    }
}

/* Where a tile's outputs of one block of channels go. */
static nn_tile_target target_of(const nn_winograd_call *call, size_t number, size_t block)
{
    const nn_winograd_plan *p = call->plan;
    size_t per_image = p->rows * p->columns, image = number / per_image, tile = number % per_image;
    size_t side = p->pool ? NN_TILE_OUT / 2 : NN_TILE_OUT;
    size_t y = tile / p->columns * side, x = tile % p->columns * side;
    nn_tile_target target = {.row = nn_act_row(&call->out), .pool = p->pool};
    target.height = y < call->out.height ? least(side, call->out.height - y) : 0;
    target.width = x < call->out.width ? least(side, call->out.width - x) : 0;
    target.out = call->out.data + image * call->out_image + block * nn_act_plane(&call->out) +
                 (y + 1) * target.row + (x + 1) * NN_BLOCK;
    return target;
}

/* Transform the products of one pair of output blocks back. */
static void transform_outputs(const superblock *s, size_t pair, const float *m)
{
    const nn_winograd_call *call = s->call;
    for (size_t half = 0; half < 2; half++) {
        size_t block = 2 * pair + half;
        for (size_t t = 0; block < nn_act_blocks(&call->out) && t < s->tiles; t++) {
            nn_tile_target target = target_of(call, s->first + t, block);
            call->kernels->output(m + t * NN_PAIR + half * NN_BLOCK, call->plan->m_stride,
                                  call->bias + block * NN_BLOCK, &target);
        }
    }
}

/* Transform the weights of one pair of output blocks, input channels [first, first + channels). */
static void transform_weights(const nn_winograd_call *call, size_t pair, size_t first, size_t channels,
                              float *u)
{
    const nn_winograd_plan *p = call->plan;
    for (size_t half = 0; half < 2; half++) {
        size_t block = 2 * pair + half;
        if (block < nn_act_blocks(&call->out)) {
            call->kernels->weights(call->weight + (block * p->inputs + first) * RAW, channels,
                                   u + half * NN_BLOCK, p->u_stride);
            continue;
        }
        for (size_t i = 0; i < NN_POSITIONS * channels;
             i++) { /* the second block of the last pair does not exist */
            memset(u + i / channels * p->u_stride + i % channels * NN_PAIR + half * NN_BLOCK, 0,
                   NN_BLOCK * sizeof(float));
        }
    }
}

/* Jobs that close the border of the output come first in each layer: nobody reads it yet. */
static size_t close_jobs(const nn_winograd_call *call)
{
    return call->images * nn_act_blocks(&call->out);
}

static void close_job(const nn_winograd_call *call, size_t job)
{
    nn_act image = call->out;
    image.data += job / nn_act_blocks(&call->out) * call->out_image;
    nn_act_close(&image, job % nn_act_blocks(&call->out), 0, image.height);
}

/* ---- apart ---- */

static size_t chunks_of(const nn_winograd_plan *p)
{
    return up(p->inputs, CHUNK);
}

/* Weights: one pair, one chunk of input channels. */
static void apart_prepare_job(void *user, size_t job, unsigned thread)
{
    const nn_winograd_call *call = user;
    const nn_winograd_plan *p = call->plan;
    (void)thread;
    if (job < close_jobs(call)) {
        close_job(call, job);
        return;
    }
    job -= close_jobs(call);
    size_t pair = job / chunks_of(p), first = job % chunks_of(p) * CHUNK;
    float *u = call->shared + pair * NN_POSITIONS * p->u_stride + first * NN_PAIR;
    transform_weights(call, pair, first, least(CHUNK, p->inputs - first), u);
}

static void apart_job(void *user, size_t job, unsigned thread)
{
    const nn_winograd_call *call = user;
    const nn_winograd_plan *p = call->plan;
    superblock s = superblock_at(call, job);
    float *v = call->own + thread * call->own_stride, *m = v + NN_POSITIONS * p->v_stride;
    if (base_cancelled(call->cancel)) {
        return;
    }
    for (size_t block = 0; block < up(p->inputs, NN_BLOCK); block++) {
        transform_inputs(&s, block, v);
    }
    const float *u = call->shared;
    for (size_t pair = 0; pair < up(p->outputs, NN_PAIR); pair++) {
        for (size_t i = 0; i < NN_POSITIONS; i++, u += p->u_stride) {
            call->kernels->multiply(u, v + i * p->v_stride, p->block * NN_BLOCK, p->inputs, s.tiles,
                                    m + i * p->m_stride, 0, NULL, 0);
        }
        transform_outputs(&s, pair, m);
    }
}

static void run_apart(nn_winograd_call *call, base_pool *pool)
{
    const nn_winograd_plan *p = call->plan;
    size_t weights = up(p->outputs, NN_PAIR) * chunks_of(p);
    base_pool_run(pool, apart_prepare_job, call, close_jobs(call) + weights);
    base_pool_run(pool, apart_job, call, up(tiles_of(call), p->block));
}

/* ---- joint ---- */

static void joint_prepare_job(void *user, size_t job, unsigned thread)
{
    const superblock *s = user;
    size_t blocks = up(s->call->plan->inputs, NN_BLOCK);
    (void)thread;
    if (job < blocks) {
        transform_inputs(s, job, s->call->shared);
    } else {
        close_job(s->call, job - blocks);
    }
}

/* The packed weights that are needed after this chunk of this pair: the next pair's, or the next chunk of the first. */
static const float *next_weights(const nn_winograd_call *call, size_t first_pair, size_t last_pair,
                                 size_t pair, size_t first)
{
    const nn_winograd_plan *p = call->plan;
    if (++pair == last_pair) {
        pair = first_pair;
        first += p->chunk;
    }
    return first < p->inputs ? call->weight + (2 * pair * p->inputs + first) * RAW : NULL;
}

/* What the multiplication at a position shall prefetch: a piece of the next packed weights, first block, then second. */
static const float *piece_ahead(const nn_winograd_plan *p, const float *next, size_t position, size_t lines)
{
    size_t half = position >= NN_POSITIONS / 2;
    return next ? next + half * p->inputs * RAW + (position - half * NN_POSITIONS / 2) * lines * NN_BLOCK
                : NULL;
}

static void joint_job(void *user, size_t job, unsigned thread)
{
    const superblock *s = user;
    const nn_winograd_call *call = s->call;
    const nn_winograd_plan *p = call->plan;
    float *u = call->own + thread * call->own_stride, *m = u + NN_POSITIONS * p->u_stride;
    size_t first_pair = job * p->group, last_pair = least(first_pair + p->group, up(p->outputs, NN_PAIR));
    size_t m_pair = NN_POSITIONS * p->m_stride;
    for (size_t first = 0; first < p->inputs; first += p->chunk) {
        size_t channels = least(p->chunk, p->inputs - first);
        size_t lines = up(p->chunk * 9, NN_POSITIONS / 2); /* of the next weights, for each position */
        const float *v = call->shared + first * p->block;
        for (size_t pair = first_pair; pair < last_pair; pair++) {
            const float *next = next_weights(call, first_pair, last_pair, pair, first);
            if (base_cancelled(call->cancel)) {
                return;
            }
            transform_weights(call, pair, first, channels, u);
            for (size_t i = 0; i < NN_POSITIONS; i++) {
                call->kernels->multiply(u + i * p->u_stride, v + i * p->v_stride, p->block * NN_BLOCK,
                                        channels, s->tiles,
                                        m + (pair - first_pair) * m_pair + i * p->m_stride, first > 0,
                                        piece_ahead(p, next, i, lines), lines);
            }
        }
    }
    for (size_t pair = first_pair; pair < last_pair; pair++) {
        transform_outputs(s, pair, m + (pair - first_pair) * m_pair);
    }
}

static void run_joint(nn_winograd_call *call, base_pool *pool)
{
    const nn_winograd_plan *p = call->plan;
    size_t superblocks = up(tiles_of(call), p->block);
    for (size_t i = 0; i < superblocks; i++) {
        superblock s = superblock_at(call, i);
        base_pool_run(pool, joint_prepare_job, &s, up(p->inputs, NN_BLOCK) + (i ? 0 : close_jobs(call)));
        base_pool_run(pool, joint_job, &s, up(up(p->outputs, NN_PAIR), p->group));
    }
}

void nn_winograd_run(nn_winograd_call *call, base_pool *pool)
{
    if (call->plan->joint) {
        run_joint(call, pool);
    } else {
        run_apart(call, pool);
    }
}
