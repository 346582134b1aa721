/* Running: image by image through the first convolutions, while their activations fit the caches; groups of images through
 * the later ones, whose weights are larger than their activations; the whole batch through the linear layers, so that their
 * weights are streamed once. Each step is cut into jobs by sizes alone, never by the number of threads. */
#include <math.h>
#include <stdatomic.h>
#include <time.h>

#include "priv/nn_session_priv.h"

#define BAND        8 /* rows of one job */
/* Outputs of one job: of VGG's first linear layer 4.8 MB of weights. A multiple of what kernels take at once. The last quarter
 * of a layer goes in halves of that, so that many threads end together. */
#define LINEAR_ROWS 48
/* Per cent of the lines of inputs that may be left for skipping the others to pay: what skips has to ask for all that it reads. */
#define LINES_WORTH 85

/* What a job is told. */
typedef struct work {
    const nn_session *s;
    const nn_step_linear *linear;
    const nn_act *act;
    const float *x;
    nn_rows_next next;
    float *out;
    size_t images, out_stride;
    size_t lines;           /* of the inputs, that a linear layer reads weights for; 0: all */
    atomic_uint not_finite; /* whether a sum was not, or not computed */
    const base_cancel *cancel;
} work;

static size_t bands(size_t height)
{
    return (height + BAND - 1) / BAND;
}

/* The rows of a job over `height` rows, and the block of channels (or plane): jobs of one block follow each other. */
static size_t part(size_t height, size_t job, size_t *out_first, size_t *out_last)
{
    size_t band = job % bands(height);
    *out_first = band * BAND;
    *out_last = height - *out_first < BAND ? height : *out_first + BAND;
    return job / bands(height);
}

/* Where the ranges of a convolution's outputs are to be found: the next one's inputs. */
static nn_rows_next next_of(const nn_session *s, size_t i, size_t in_group)
{
    nn_rows_next next = {NULL, NULL};
    if (i + 1 < s->conv_count && s->conv[i + 1].rows.kernels) {
        next.range = s->ranges + (i + 1) * s->group + in_group;
        next.equal = s->conv[i + 1].equal;
    }
    return next;
}

static void find_first_range(const work *w, size_t block, size_t first, size_t last)
{
    if (w->next.range) {
        nn_rows_find_range(w->s->kernels->rows, w->act, block, first, last, w->next.equal, w->next.range);
    }
}

/* Rows of the input into the bordered planes, whose border stays zero from birth. */
static void load_job(void *user, size_t job, unsigned thread)
{
    const work *w = user;
    const nn_session *s = w->s;
    size_t first, last, plane = part(s->height, job, &first, &last);
    (void)thread;
    for (size_t y = first; y < last; y++) {
        float *to = s->image + (plane * (s->height + 2) + y + 1) * (s->width + 2) + 1;
        memcpy(to, w->x + (plane * s->height + y) * s->width, s->width * sizeof(float));
    }
}

static void first_conv_job(void *user, size_t job, unsigned thread)
{
    const work *w = user;
    const nn_session *s = w->s;
    const nn_step_conv *c = &s->conv[0];
    size_t first, last, block = part(s->height, job, &first, &last), row = s->width + 2;
    (void)thread;
    if (base_cancelled(w->cancel)) {
        return;
    }
    for (size_t y = first; y < last; y++) {
        s->kernels->conv3x3(s->image + y * row, row, (s->height + 2) * row, NN_IMAGE_CHANNELS,
                            c->weight + block * NN_IMAGE_CHANNELS * 9 * NN_BLOCK, c->bias + block * NN_BLOCK,
                            nn_act_at(w->act, block, y), s->width);
    }
    nn_act_close(w->act, block, first, last);
    if (!c->pool) {
        find_first_range(w, block, first, last);
    }
}

static void first_pool_job(void *user, size_t job, unsigned thread)
{
    const work *w = user;
    size_t first, last, block = part(w->act->height, job, &first, &last);
    (void)thread;
    nn_act_max_pool(&w->s->conv[0].raw, w->act, block, first, last);
    find_first_range(w, block, first, last);
}

static void average_job(void *user, size_t job, unsigned thread)
{
    const work *w = user;
    (void)thread;
    nn_act_average_pool(w->act, MODEL_VGG_POOLED_SIDE, job, w->out);
}

/* Whole pieces of the first three quarters, then halves. */
static size_t linear_jobs(size_t outputs)
{
    size_t whole = outputs * 3 / 4 / LINEAR_ROWS, rest = outputs - whole * LINEAR_ROWS;
    return whole + (rest + LINEAR_ROWS / 2 - 1) / (LINEAR_ROWS / 2);
}

static size_t linear_part(size_t outputs, size_t job, size_t *out_first)
{
    size_t whole = outputs * 3 / 4 / LINEAR_ROWS, rows = job < whole ? LINEAR_ROWS : LINEAR_ROWS / 2;
    *out_first = job < whole ? job * LINEAR_ROWS : whole * LINEAR_ROWS + (job - whole) * rows;
    return outputs - *out_first < rows ? outputs - *out_first : rows;
}

/* What a layer's ReLU does, and a look at the sums before: as every weight is multiplied with an input, even if it is zero, a
 * weight that is not finite makes its row's sums so. */
static void look_and_rectify(work *w, size_t first, size_t rows)
{
    for (size_t i = 0; i < w->images; i++) {
        float *out = w->out + i * w->out_stride + first;
        for (size_t r = 0; r < rows; r++) {
            if (!isfinite(out[r])) {
                atomic_store_explicit(&w->not_finite, 1, memory_order_relaxed);
            }
            out[r] = w->linear->relu && out[r] < 0 ? 0 : out[r];
        }
    }
}

static void linear_job(void *user, size_t job, unsigned thread)
{
    work *w = user;
    const nn_step_linear *l = w->linear;
    size_t first, rows = linear_part(l->outputs, job, &first);
    const uint8_t *weight = l->weight + first * l->weight_stride;
    (void)thread;
    if (base_cancelled(w->cancel)) {
        atomic_store_explicit(&w->not_finite, 1, memory_order_relaxed);
        return;
    }
    if (w->lines) {
        l->lines_kernel(weight, l->weight_stride, rows, l->inputs, l->in, w->s->lines, w->lines,
                        l->bias + first, l->relu, w->out + first);
        return;
    }
    bool look = l->lines_kernel && !l->finite;
    l->kernel(weight, l->weight_stride, rows, l->inputs, l->in, l->in_stride, w->images, l->bias + first,
              l->relu && !look, w->out + first, w->out_stride);
    if (look) {
        look_and_rectify(w, first, rows);
    }
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The output of a step for one image of a group. */
static nn_act out_of(const nn_step_conv *step, size_t in_group)
{
    nn_act act = step->out;
    act.data += in_group * step->out_image;
    return act;
}

static void show_pooled(const nn_session *s, const nn_step_conv *step, size_t image, size_t in_group)
{
    char name[32];
    nn_act act = out_of(step, in_group);
    if (s->layer && step->pool) {
        snprintf(name, sizeof(name), "features.%d", step->pool_feature);
        nn_act_to_planes(&act, s->planes);
        s->layer(s->layer_user, name, image, act.channels, act.height, act.width, s->planes);
    }
}

static void run_first(nn_session *s, const float *x, size_t in_group, const base_cancel *cancel)
{
    nn_step_conv *step = &s->conv[0];
    nn_act out = out_of(step, s->group_from == 1 ? in_group : 0);
    work w = {.s = s,
              .x = x,
              .act = step->pool ? &step->raw : &out,
              .next = next_of(s, 0, in_group),
              .cancel = cancel};
    uint64_t start = now_ns();
    base_pool_run(s->pool, load_job, &w, NN_IMAGE_CHANNELS * bands(s->height));
    uint64_t loaded = now_ns();
    base_pool_run(s->pool, first_conv_job, &w, nn_act_blocks(&out) * bands(s->height));
    if (step->pool) {
        w.act = &out;
        base_pool_run(s->pool, first_pool_job, &w, nn_act_blocks(&out) * bands(out.height));
    }
    s->other_ns += loaded - start;
    step->ns += now_ns() - loaded;
}

/* Convolution i of `images` images of a group, from `in_group` on, along rows. */
static void run_conv_rows(nn_session *s, size_t i, size_t in_group, size_t images, const base_cancel *cancel)
{
    nn_step_conv *step = &s->conv[i];
    nn_rows_call call = {
        .plan = &step->rows,
        .weight = step->fixed,
        .scale = step->scale,
        .equal = step->equal,
        .bias = step->bias,
        .in = step->in,
        .out = out_of(step, i + 1 == s->group_from ? in_group : 0),
        .in_image = step->in_image,
        .out_image = step->out_image,
        .images = images,
        .range = s->ranges + i * s->group + in_group,
        .next = next_of(s, i, in_group),
        .own = s->own,
        .own_stride = s->own_stride,
        .cancel = cancel,
    };
    nn_rows_run(&call, s->pool);
}

/* The same by tiles of 4x4. */
static void run_conv_tiles(nn_session *s, size_t i, size_t in_group, size_t images, const base_cancel *cancel)
{
    nn_step_conv *step = &s->conv[i];
    nn_winograd_call call = {
        .plan = &step->plan,
        .kernels = &s->kernels->winograd,
        .weight = step->weight,
        .bias = step->bias,
        .in = step->in,
        .out = out_of(step, i + 1 == s->group_from ? in_group : 0),
        .in_image = step->in_image,
        .out_image = step->out_image,
        .images = images,
        .shared = s->shared,
        .own = s->own,
        .own_stride = s->own_stride,
        .cancel = cancel,
    };
    nn_winograd_run(&call, s->pool);
}

static void run_conv(nn_session *s, size_t i, size_t in_group, size_t images, const base_cancel *cancel)
{
    uint64_t start = now_ns();
    (s->conv[i].rows.kernels ? run_conv_rows : run_conv_tiles)(s, i, in_group, images, cancel);
    s->conv[i].ns += now_ns() - start;
}

/* The convolutions that take one image at a time. */
static cistern_status run_alone(nn_session *s, size_t image, size_t in_group, const float *x,
                                const base_cancel *cancel, cistern_error *err)
{
    run_first(s, x, in_group, cancel);
    show_pooled(s, &s->conv[0], image, s->group_from == 1 ? in_group : 0);
    for (size_t i = 1; i < s->group_from; i++) {
        run_conv(s, i, in_group, 1, cancel);
        cistern_status status = base_check_cancel(cancel, err);
        if (status != CISTERN_OK) {
            return status;
        }
        show_pooled(s, &s->conv[i], image, i + 1 == s->group_from ? in_group : 0);
    }
    return base_check_cancel(cancel, err);
}

static void run_average(nn_session *s, size_t image, size_t in_group)
{
    const nn_step_linear *next = &s->linear[0];
    nn_act act = out_of(&s->conv[s->conv_count - 1], in_group);
    work w = {.s = s, .act = &act, .out = next->in + image * next->in_stride};
    uint64_t start = now_ns();
    base_pool_run(s->pool, average_job, &w, nn_act_blocks(&act));
    s->other_ns += now_ns() - start;
    if (s->layer) {
        s->layer(s->layer_user, "avgpool", image, act.channels, MODEL_VGG_POOLED_SIDE, MODEL_VGG_POOLED_SIDE,
                 w.out);
    }
}

/* A group of `images` images through all convolutions. */
static cistern_status run_group(nn_session *s, size_t first, size_t images, const float *x,
                                const base_cancel *cancel, cistern_error *err)
{
    cistern_status status = CISTERN_OK;
    memset(s->ranges, 0, s->conv_count * s->group * sizeof(*s->ranges));
    for (size_t g = 0; g < images && status == CISTERN_OK; g++) {
        status = run_alone(s, first + g, g, x + g * NN_IMAGE_CHANNELS * s->height * s->width, cancel, err);
    }
    for (size_t i = s->group_from; i < s->conv_count && status == CISTERN_OK; i++) {
        run_conv(s, i, 0, images, cancel);
        status = base_check_cancel(cancel, err);
        for (size_t g = 0; g < images && status == CISTERN_OK; g++) {
            show_pooled(s, &s->conv[i], first + g, g);
        }
    }
    for (size_t g = 0; g < images && status == CISTERN_OK; g++) {
        run_average(s, first + g, g);
    }
    return status;
}

/* How many lines of a layer's inputs are not zero, if it pays to read these lines' weights only; else 0. */
static size_t lines_worth(const nn_session *s, const nn_step_linear *l)
{
    size_t count = nn_linear_lines(l->in, l->inputs, s->lines);
    return count * 100 < l->in_stride / NN_LINEAR_LANES * LINES_WORTH ? count : 0;
}

static cistern_status run_linears(nn_session *s, size_t n, float *out, const base_cancel *cancel,
                                  cistern_error *err)
{
    static const char *const names[MODEL_VGG_LINEARS] = {"classifier.1", "classifier.4", "classifier.6"};
    for (size_t i = 0; i < MODEL_VGG_LINEARS; i++) {
        nn_step_linear *l = &s->linear[i];
        uint64_t start = now_ns();
        bool last = i + 1 == MODEL_VGG_LINEARS;
        work w = {.s = s, .linear = l, .images = n, .cancel = cancel};
        w.out = last ? out : s->linear[i + 1].in;
        w.out_stride = last ? l->outputs : s->linear[i + 1].in_stride;
        w.lines = n == 1 && l->finite ? lines_worth(s, l) : 0;
        base_pool_run(s->pool, linear_job, &w, linear_jobs(l->outputs));
        l->lines = w.lines ? w.lines : l->in_stride / NN_LINEAR_LANES;
        l->finite = l->finite || (l->lines_kernel && !atomic_load(&w.not_finite));
        l->ns += now_ns() - start;
        cistern_status status = base_check_cancel(cancel, err);
        if (status != CISTERN_OK) {
            return status;
        }
        for (size_t image = 0; s->layer && image < n; image++) {
            s->layer(s->layer_user, names[i], image, l->outputs, 1, 1, w.out + image * w.out_stride);
        }
    }
    return CISTERN_OK;
}

static void forget_times(nn_session *s)
{
    s->other_ns = 0;
    for (size_t i = 0; i < s->conv_count; i++) {
        s->conv[i].ns = 0;
    }
    for (size_t i = 0; i < MODEL_VGG_LINEARS; i++) {
        s->linear[i].ns = 0;
    }
}

cistern_status nn_session_run(nn_session *session, const float *x, size_t n, float *out,
                              const base_cancel *cancel, cistern_error *err)
{
    size_t per_group = session->group_from < session->conv_count ? session->group : 1;
    if (n > session->max_batch) {
        return base_fail(err, CISTERN_USAGE, "%zu images: this session was opened for at most %zu", n,
                         session->max_batch);
    }
    forget_times(session);
    for (size_t i = 0; i < n; i += per_group) {
        const float *images = x + i * NN_IMAGE_CHANNELS * session->height * session->width;
        cistern_status status =
            run_group(session, i, n - i < per_group ? n - i : per_group, images, cancel, err);
        if (status != CISTERN_OK) {
            return status;
        }
    }
    return n ? run_linears(session, n, out, cancel, err) : CISTERN_OK;
}
