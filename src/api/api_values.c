/* Tensors read block by block: each block is a job, results are merged in the blocks' order. */
#include "priv/api_values.h"

#include <math.h>
#include <stdlib.h>
#include "base_mem.h"

#define BLOCK ((uint64_t)1 << 18) /* elements of one job: 1 MiB of f32 */
#define BATCH 32                  /* jobs between two looks at the cancel token: some 50 ms of two threads */

const uint8_t *api_values_data(const cistern_model *m, const model_tensor *t)
{
    uint64_t count = 0;
    return model_tensor_count(t, &count) && count > 0 ? m->files[t->file].data + t->offset : NULL;
}

bool api_values_same_bytes(const model_tensor *a, const model_tensor *b)
{
    uint64_t count_a = 0, count_b = 0;
    return a->file == b->file && a->offset == b->offset && a->dtype == b->dtype &&
           model_tensor_count(a, &count_a) && model_tensor_count(b, &count_b) && count_a == count_b &&
           count_a > 0;
}

bool api_values_same_epsilon(double a, double b)
{
    return !((float)a < (float)b) && !((float)b < (float)a);
}

cistern_status api_values_network(const cistern_model *m, model_network *out, cistern_error *err)
{
    const model_facts *facts = &m->version->facts;
    const char *wanted = facts->architecture_source <= MODEL_FACT_CONFIG ? facts->architecture : NULL;
    model_vgg_match match;
    cistern_status st = model_vgg_match_index(m->index, wanted, &match, err);
    if (st == CISTERN_OK)
        model_network_of(m->index, &match, out);
    return st;
}

/* One batch of blocks. */
typedef struct batch {
    const model_values *a, *b; /* b NULL: figures of a */
    double add_a, add_b;
    uint64_t from;
    model_stats stats[BATCH];
    model_difference differences[BATCH];
} batch;

static void one_block(void *user, size_t job, unsigned thread)
{
    batch *s = user;
    uint64_t from = s->from + job * BLOCK, left = s->a->count - from, n = left < BLOCK ? left : BLOCK;
    (void)thread;
    if (s->b)
        model_values_compare(s->a, s->add_a, s->b, s->add_b, from, n, &s->differences[job]);
    else
        model_values_stats(s->a, from, n, &s->stats[job]);
}

static cistern_status each_batch(cistern *c, batch *s, const base_cancel *cancel, model_stats *stats,
                                 model_difference *difference, cistern_error *err)
{
    base_pool *pool = NULL;
    cistern_status st = api_pool(c, &pool, err);
    for (s->from = 0; st == CISTERN_OK && s->from < s->a->count; s->from += BATCH * BLOCK) {
        uint64_t blocks = (s->a->count - s->from + BLOCK - 1) / BLOCK;
        size_t jobs = blocks < BATCH ? (size_t)blocks : BATCH;
        for (size_t i = 0; i < jobs; i++) {
            s->stats[i] = (model_stats)MODEL_STATS_INIT;
            s->differences[i] = (model_difference)MODEL_DIFFERENCE_INIT;
        }
        base_pool_run(pool, one_block, s, jobs);
        for (size_t i = 0; i < jobs; i++) {
            model_stats_merge(stats, &s->stats[i]);
            model_difference_merge(difference, &s->differences[i]);
        }
        st = base_check_cancel(cancel, err);
    }
    return st;
}

cistern_status api_values_stats(cistern *c, const model_values *v, const base_cancel *cancel,
                                model_stats *out, cistern_error *err)
{
    batch s = {.a = v};
    model_difference none = MODEL_DIFFERENCE_INIT;
    *out = (model_stats)MODEL_STATS_INIT;
    return each_batch(c, &s, cancel, out, &none, err);
}

cistern_status api_values_compare(cistern *c, const model_values *a, double add_a, const model_values *b,
                                  double add_b, const base_cancel *cancel, model_difference *out,
                                  cistern_error *err)
{
    batch s = {.a = a, .b = b, .add_a = add_a, .add_b = add_b};
    model_stats none = MODEL_STATS_INIT;
    *out = (model_difference)MODEL_DIFFERENCE_INIT;
    return each_batch(c, &s, cancel, &none, out, err);
}
