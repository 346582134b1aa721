/* Schedules of the Winograd convolution, and the sizes they work in; see priv/nn_conv_winograd.h. */
#include "priv/nn_conv_winograd.h"

#include <string.h>

/* Sizes that were measured on a machine with 48 KiB of L1, 2 MiB of L2 and slow L3 (see docs); they cost little elsewhere.
 * A job's inputs, weights and products together must stay in the thread's L2: what does not comes at a sixth of the speed. */
#define BLOCK_MOST     56                   /* tiles of a superblock */
#define CHUNK          64                   /* input channels */
#define PRODUCT_BYTES  ((size_t)1100 << 10) /* of the sums that a job keeps from chunk to chunk */
#define PREPARED_FROM  4                 /* superblocks: from here on weights are transformed once for all */
#define PREPARED_BYTES ((size_t)3 << 20) /* unless they would take more than this */
#define AHEAD          2                 /* positions that prepared weights are prefetched ahead */
#define RAW            (9 * NN_BLOCK)    /* floats of packed weights of one input channel */

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

/* Cut the work so that each job's sums stay in L2 and each thread has one. */
static void plan_jobs(nn_winograd_plan *p, size_t tiles, unsigned threads)
{
    size_t pairs = up(p->outputs, NN_PAIR), superblocks = up(tiles, BLOCK_MOST);
    p->block = up(tiles, superblocks);
    size_t fit = PRODUCT_BYTES / (NN_POSITIONS * p->block * NN_PAIR * sizeof(float));
    p->group = p->chunk < p->inputs ? least(fit, pairs) : pairs;
    p->group = up(pairs, up(pairs, p->group));
    size_t groups = up(pairs, p->group);
    if (superblocks * groups < threads) {
        p->group = up(pairs, up(threads, superblocks));
    } else if (superblocks > 1 && superblocks * groups % threads != 0) {
        superblocks = least(up(superblocks, threads) * threads, tiles); /* so that threads end together */
        p->block = up(tiles, superblocks);
    }
}

nn_winograd_plan nn_winograd_plan_of(size_t inputs, size_t outputs, size_t height, size_t width, bool pool,
                                     size_t images, unsigned threads)
{
    nn_winograd_plan p = {
        .inputs = inputs, .outputs = outputs, .height = height, .width = width, .pool = pool};
    size_t pairs = up(outputs, NN_PAIR);
    p.rows = up(height, NN_TILE_OUT);
    p.columns = up(width, NN_TILE_OUT);
    p.chunk = least(CHUNK, up(inputs, NN_BLOCK) * NN_BLOCK);
    plan_jobs(&p, images * p.rows * p.columns, threads);
    p.u_stride = odd_lines(NN_PAIR * p.chunk);
    p.v_stride = odd_lines(p.chunk * p.block);
    p.m_stride = odd_lines(NN_PAIR * p.block);
    size_t prepared = up(inputs, p.chunk) * pairs * NN_POSITIONS * p.u_stride;
    p.prepared = up(images * p.rows * p.columns, p.block) >= PREPARED_FROM &&
                 prepared * sizeof(float) <= PREPARED_BYTES;
    p.shared_floats = p.prepared ? prepared : 0;
    p.own_floats = (p.prepared ? 0 : NN_TILE_IN * p.u_stride) + NN_POSITIONS * p.v_stride +
                   (p.chunk < inputs ? p.group : 1) * NN_POSITIONS * p.m_stride;
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

/* Transform the weights of one pair of output blocks, input channels [first, first + channels), to a row of positions. */
static void transform_weights(const nn_winograd_call *call, size_t pair, size_t first, size_t channels,
                              size_t row, float *u)
{
    const nn_winograd_plan *p = call->plan;
    for (size_t half = 0; half < 2; half++) {
        size_t block = 2 * pair + half;
        if (block < nn_act_blocks(&call->out)) {
            call->kernels->weights(call->weight + (block * p->inputs + first) * RAW, channels, row,
                                   u + half * NN_BLOCK, p->u_stride);
            continue;
        }
        for (size_t i = 0; i < NN_TILE_IN * channels;
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

/* Where the prepared weights of a chunk and pair lie: in the order in which they are read. */
static float *prepared_at(const nn_winograd_call *call, size_t chunk, size_t pair)
{
    const nn_winograd_plan *p = call->plan;
    return call->shared + (chunk * up(p->outputs, NN_PAIR) + pair) * NN_POSITIONS * p->u_stride;
}

/* The first jobs of a layer: close the border, prepare the weights of one chunk and pair. */
static void first_job(void *user, size_t job, unsigned thread)
{
    const nn_winograd_call *call = user;
    const nn_winograd_plan *p = call->plan;
    size_t pairs = up(p->outputs, NN_PAIR);
    (void)thread;
    if (job < close_jobs(call)) {
        close_job(call, job);
        return;
    }
    size_t chunk = (job - close_jobs(call)) / pairs, pair = (job - close_jobs(call)) % pairs;
    size_t channels = least(p->chunk, p->inputs - chunk * p->chunk);
    float *u = prepared_at(call, chunk, pair);
    for (size_t row = 0; row < NN_TILE_IN; row++, u += NN_TILE_IN * p->u_stride) {
        transform_weights(call, pair, chunk * p->chunk, channels, row, u);
    }
}

/* Memory to be prefetched piece by piece: segments a stride apart, each in `each` pieces of `lines` cache lines. */
typedef struct cursor {
    const float *segment;
    size_t segments, stride, each, lines;
    size_t piece; /* of the first segment: the next one */
} cursor;

static void take_piece(cursor *c, nn_ahead *ahead, size_t which)
{
    if (c->segments == 0) {
        return;
    }
    ahead->at[which] = c->segment + c->piece * c->lines * NN_BLOCK;
    ahead->lines[which] = c->lines;
    if (++c->piece == c->each) {
        c->piece = 0;
        c->segment += c->stride;
        c->segments--;
    }
}

/* One job: a superblock and a group of pairs. */
typedef struct job {
    superblock s;
    size_t first_pair, last_pair;
    size_t first, channels; /* of the chunk at hand */
    float *u, *v, *m;       /* the thread's own */
    cursor inputs;          /* that will be transformed next */
} job;

static job job_of(const nn_winograd_call *call, size_t number, unsigned thread)
{
    const nn_winograd_plan *p = call->plan;
    size_t pairs = up(p->outputs, NN_PAIR), groups = up(pairs, p->group);
    job j = {.s = superblock_at(call, number / groups), .first_pair = number % groups * p->group};
    j.last_pair = least(j.first_pair + p->group, pairs);
    j.u = call->own + thread * call->own_stride;
    j.v = j.u + (p->prepared ? 0 : NN_TILE_IN * p->u_stride);
    j.m = j.v + NN_POSITIONS * p->v_stride;
    return j;
}

/* The input rows under a superblock (those of its first image), some blocks of channels, in at most `pieces` pieces. */
static cursor rows_under(const superblock *s, size_t first, size_t channels, size_t pieces)
{
    const nn_winograd_call *call = s->call;
    const nn_winograd_plan *p = call->plan;
    size_t image = s->first / (p->rows * p->columns), tile = s->first % (p->rows * p->columns);
    size_t y = tile / p->columns * NN_TILE_OUT;
    size_t end = (tile + s->tiles - 1) / p->columns * NN_TILE_OUT + NN_TILE_IN;
    cursor c = {.segments = up(channels, NN_BLOCK), .stride = nn_act_plane(&call->in)};
    c.each = pieces / c.segments;
    c.lines = c.each ? up((least(end, p->height + 2) - y) * (p->width + 2), c.each) : 0;
    c.segments = c.each ? c.segments : 0;
    c.segment =
        call->in.data + image * call->in_image + first / NN_BLOCK * c.stride + y * nn_act_row(&call->in);
    return c;
}

/* The inputs of the next chunk. */
static cursor next_inputs(const job *j)
{
    const nn_winograd_plan *p = j->s.call->plan;
    size_t later = j->first + p->chunk, pieces = (j->last_pair - j->first_pair) * NN_POSITIONS;
    if (later >= p->inputs) {
        return (cursor){.segments = 0};
    }
    return rows_under(&j->s, later, least(p->chunk, p->inputs - later), pieces);
}

/* The weights that are needed next: prepared ones follow each other; packed ones are two blocks' of the next pair, or of the
 * next chunk of the first pair. */
static cursor next_weights(const job *j, size_t pair)
{
    const nn_winograd_call *call = j->s.call;
    const nn_winograd_plan *p = call->plan;
    size_t first = j->first;
    if (p->prepared) {
        const float *u = prepared_at(call, first / p->chunk, pair) + AHEAD * p->u_stride;
        return (cursor){.segment = u, .segments = 1, .each = NN_POSITIONS, .lines = p->u_stride / NN_BLOCK};
    }
    if (++pair == j->last_pair) {
        pair = j->first_pair;
        first += p->chunk;
    }
    return (cursor){.segment = call->weight + (2 * pair * p->inputs + first) * RAW,
                    .segments = first < p->inputs ? 2 : 0,
                    .stride = p->inputs * RAW,
                    .each = NN_POSITIONS / 2,
                    .lines = up(p->chunk * 9, NN_POSITIONS / 2)};
}

/* Multiply one chunk of inputs with the weights of one pair. */
static void multiply_pair(job *j, size_t pair, float *m)
{
    const nn_winograd_call *call = j->s.call;
    const nn_winograd_plan *p = call->plan;
    const float *prepared = p->prepared ? prepared_at(call, j->first / p->chunk, pair) : NULL;
    cursor weights = next_weights(j, pair);
    for (size_t i = 0; i < NN_POSITIONS; i++) {
        nn_ahead ahead = {{NULL, NULL}, {0, 0}};
        if (!prepared && i % NN_TILE_IN == 0) {
            transform_weights(call, pair, j->first, j->channels, i / NN_TILE_IN, j->u);
        }
        const float *u = prepared ? prepared + i * p->u_stride : j->u + i % NN_TILE_IN * p->u_stride;
        take_piece(&weights, &ahead, 0);
        take_piece(&j->inputs, &ahead, 1);
        call->kernels->multiply(u, j->v + i * p->v_stride, p->block * NN_BLOCK, j->channels, j->s.tiles,
                                m + i * p->m_stride, j->first > 0, &ahead);
    }
}

static void main_job(void *user, size_t number, unsigned thread)
{
    const nn_winograd_call *call = user;
    const nn_winograd_plan *p = call->plan;
    job j = job_of(call, number, thread);
    size_t m_pair =
        p->chunk < p->inputs ? NN_POSITIONS * p->m_stride : 0; /* one chunk: sums need not be kept */
    for (; j.first < p->inputs; j.first += p->chunk) {
        j.channels = least(p->chunk, p->inputs - j.first);
        for (size_t block = 0; block < up(j.channels, NN_BLOCK); block++) {
            transform_inputs(&j.s, j.first / NN_BLOCK + block, j.v + block * p->block * NN_BLOCK);
        }
        j.inputs = next_inputs(&j);
        for (size_t pair = j.first_pair; pair < j.last_pair; pair++) {
            float *m = j.m + (pair - j.first_pair) * m_pair;
            if (base_cancelled(call->cancel)) {
                return;
            }
            multiply_pair(&j, pair, m);
            if (j.first + p->chunk >= p->inputs) {
                transform_outputs(&j.s, pair, m);
            }
        }
    }
}

void nn_winograd_run(nn_winograd_call *call, base_pool *pool)
{
    const nn_winograd_plan *p = call->plan;
    size_t pairs = up(p->outputs, NN_PAIR);
    base_pool_run(pool, first_job, call,
                  close_jobs(call) + (p->prepared ? up(p->inputs, p->chunk) * pairs : 0));
    base_pool_run(pool, main_job, call, up(tiles_of(call), p->block) * up(pairs, p->group));
}
