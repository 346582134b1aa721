/* Running: image by image through the convolutions, then the whole batch through the linear layers, so that their weights
 * are streamed once. Each step is cut into jobs by sizes alone, never by the number of threads. */
#include "priv/nn_session_priv.h"

#define BAND        8  /* rows of one job */
#define LINEAR_ROWS 16 /* outputs of one job: of VGG's first linear layer 1.6 MB of weights */

/* What a job is told. */
typedef struct work {
    const nn_session *s;
    const nn_step_conv *conv;
    const nn_step_linear *linear;
    const float *x;
    float *out;
    size_t images, out_stride;
    const base_cancel *cancel;
} work;

static size_t bands(const nn_act *a)
{
    return (a->height + BAND - 1) / BAND;
}

/* The block and rows of a job over an activation; jobs of one block follow each other. */
static size_t part(const nn_act *a, size_t job, size_t *out_first, size_t *out_last)
{
    size_t band = job % bands(a);
    *out_first = band * BAND;
    *out_last = a->height - *out_first < BAND ? a->height : *out_first + BAND;
    return job / bands(a);
}

static size_t parts(const nn_act *a)
{
    return bands(a) * nn_act_blocks(a);
}

static void load_job(void *user, size_t job, unsigned thread)
{
    const work *w = user;
    size_t first, last, block = part(&w->conv->in, job, &first, &last);
    (void)thread;
    nn_act_from_planes(w->x, &w->conv->in, block, first, last);
}

static void conv_job(void *user, size_t job, unsigned thread)
{
    const work *w = user;
    const nn_step_conv *c = w->conv;
    size_t first, last, block = part(&c->out, job, &first, &last), row = nn_act_row(&c->in);
    (void)thread;
    if (base_cancelled(w->cancel)) {
        return;
    }
    const float *weight = c->weight + block * c->in.channels * 9 * NN_BLOCK;
    for (size_t y = first; y < last; y++) {
        const float *window = nn_act_at(&c->in, 0, y) - row - NN_BLOCK;
        w->s->kernels->conv3x3(window, row, nn_act_plane(&c->in), c->in.channels, weight,
                               c->bias + block * NN_BLOCK, nn_act_at(&c->out, block, y), c->out.width);
    }
    nn_act_close(&c->out, block, first, last);
}

static void pool_job(void *user, size_t job, unsigned thread)
{
    const work *w = user;
    size_t first, last, block = part(&w->conv->pooled, job, &first, &last);
    (void)thread;
    nn_act_max_pool(&w->conv->out, &w->conv->pooled, block, first, last);
}

static void average_job(void *user, size_t job, unsigned thread)
{
    const work *w = user;
    const nn_act *last = w->conv->pooled.data ? &w->conv->pooled : &w->conv->out;
    (void)thread;
    nn_act_average_pool(last, MODEL_VGG_POOLED_SIDE, job, w->out);
}

static void linear_job(void *user, size_t job, unsigned thread)
{
    const work *w = user;
    const nn_step_linear *l = w->linear;
    size_t first = job * LINEAR_ROWS,
           rows = l->outputs - first < LINEAR_ROWS ? l->outputs - first : LINEAR_ROWS;
    (void)thread;
    if (base_cancelled(w->cancel)) {
        return;
    }
    l->kernel(l->weight + first * l->weight_stride, l->weight_stride, rows, l->inputs, l->in, l->in_stride,
              w->images, l->bias + first, l->relu, w->out + first, w->out_stride);
}

static void show_act(const nn_session *s, int feature, size_t image, const nn_act *a)
{
    char name[32];
    if (s->layer) {
        snprintf(name, sizeof(name), "features.%d", feature);
        nn_act_to_planes(a, s->planes);
        s->layer(s->layer_user, name, image, a->channels, a->height, a->width, s->planes);
    }
}

static cistern_status run_convs(const nn_session *s, size_t image, const float *x, const base_cancel *cancel,
                                cistern_error *err)
{
    work w = {.s = s, .conv = &s->conv[0], .x = x, .cancel = cancel};
    base_pool_run(s->pool, load_job, &w, parts(&w.conv->in));
    for (size_t i = 0; i < s->conv_count; i++) {
        w.conv = &s->conv[i];
        base_pool_run(s->pool, conv_job, &w, parts(&w.conv->out));
        cistern_status status = base_check_cancel(cancel, err);
        if (status != CISTERN_OK) {
            return status;
        }
        if (w.conv->pooled.data) {
            base_pool_run(s->pool, pool_job, &w, parts(&w.conv->pooled));
            show_act(s, w.conv->pool_feature, image, &w.conv->pooled);
        }
    }
    const nn_step_linear *next = &s->linear[0];
    w.out = next->in + image * next->in_stride;
    base_pool_run(s->pool, average_job, &w, nn_act_blocks(&w.conv->out));
    if (s->layer) {
        s->layer(s->layer_user, "avgpool", image, w.conv->out.channels, MODEL_VGG_POOLED_SIDE,
                 MODEL_VGG_POOLED_SIDE, w.out);
    }
    return CISTERN_OK;
}

static cistern_status run_linears(const nn_session *s, size_t n, float *out, const base_cancel *cancel,
                                  cistern_error *err)
{
    static const char *const names[MODEL_VGG_LINEARS] = {"classifier.1", "classifier.4", "classifier.6"};
    for (size_t i = 0; i < MODEL_VGG_LINEARS; i++) {
        const nn_step_linear *l = &s->linear[i];
        bool last = i + 1 == MODEL_VGG_LINEARS;
        work w = {.s = s, .linear = l, .images = n, .cancel = cancel};
        w.out = last ? out : s->linear[i + 1].in;
        w.out_stride = last ? l->outputs : s->linear[i + 1].in_stride;
        base_pool_run(s->pool, linear_job, &w, (l->outputs + LINEAR_ROWS - 1) / LINEAR_ROWS);
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

cistern_status nn_session_run(nn_session *session, const float *x, size_t n, float *out,
                              const base_cancel *cancel, cistern_error *err)
{
    if (n > session->max_batch) {
        return base_fail(err, CISTERN_USAGE, "%zu images: this session was opened for at most %zu", n,
                         session->max_batch);
    }
    for (size_t i = 0; i < n; i++) {
        const float *image = x + i * NN_IMAGE_CHANNELS * session->height * session->width;
        cistern_status status = run_convs(session, i, image, cancel, err);
        if (status != CISTERN_OK) {
            return status;
        }
    }
    return n ? run_linears(session, n, out, cancel, err) : CISTERN_OK;
}
