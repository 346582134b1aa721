/* Limits of the machine; see nn_limits.h. The best of some rounds counts: what disturbs only makes slower. */
#include "nn_limits.h"

#include <string.h>
#include <time.h>

#include "base_pages.h"
#include "priv/nn_rows.h"

#define ROUNDS     8
#define STEPS      400000 /* rounds of the register loop of one job: some milliseconds */
#define TILE_STEPS 50000  /* the same for tile registers */
#define CHAINS     16     /* independent sums: latency times throughput of the widest unit, and some */
#define READ_BYTES ((size_t)256 << 20) /* larger than any cache of today's */
#define READ_PIECE ((size_t)1 << 20)

typedef float vector4 __attribute__((vector_size(16)));
typedef float vector8 __attribute__((vector_size(32)));
typedef float vector16 __attribute__((vector_size(64)));

/* Sums in registers; the result is given back so that the loop is not thrown away. */
#define REGISTER_LOOP(name, vector, attribute)                                                               \
    attribute static float name(float a, float b)                                                            \
    {                                                                                                        \
        vector sum[CHAINS], x = (vector){0} + a, y = (vector){0} + b;                                        \
        float all = 0;                                                                                       \
        for (int k = 0; k < CHAINS; k++) {                                                                   \
            sum[k] = (vector){0} + (float)k;                                                                 \
        }                                                                                                    \
        for (int i = 0; i < STEPS; i++) {                                                                    \
            for (int k = 0; k < CHAINS; k++) {                                                               \
                sum[k] = sum[k] * x + y;                                                                     \
            }                                                                                                \
        }                                                                                                    \
        for (int k = 0; k < CHAINS; k++) {                                                                   \
            all += sum[k][0] + sum[k][1];                                                                    \
        }                                                                                                    \
        return all;                                                                                          \
    }

REGISTER_LOOP(loop_portable, vector4, )
#if defined(__x86_64__)
REGISTER_LOOP(loop_avx2, vector8, __attribute__((target("avx2,fma"))))
REGISTER_LOOP(loop_avx512, vector16, __attribute__((target("avx512f,prefer-vector-width=512"))))
#endif

typedef struct measuring {
    nn_isa isa;
    const uint8_t *block;
    float sums[BASE_POOL_THREADS_MAX];
    uint64_t words[BASE_POOL_THREADS_MAX];
} measuring;

/* Multiplications and additions of one job. */
static double flops_of(nn_isa isa)
{
    if (isa == NN_ISA_AMX) {
        return NN_ROWS_PEAK_FLOPS * TILE_STEPS;
    }
    double lanes = isa == NN_ISA_AVX512 ? 16 : isa == NN_ISA_AVX2 ? 8 : 4;
    return 2.0 * STEPS * CHAINS * lanes;
}

static void flops_job(void *user, size_t job, unsigned thread)
{
    measuring *m = user;
    (void)job;
    float a = 0.999f, b = 1e-3f;
#if defined(__x86_64__)
    if (m->isa == NN_ISA_AMX) {
        nn_rows_peak__amx(TILE_STEPS);
        return;
    }
    if (m->isa == NN_ISA_AVX512) {
        m->sums[thread] += loop_avx512(a, b);
        return;
    }
    if (m->isa == NN_ISA_AVX2) {
        m->sums[thread] += loop_avx2(a, b);
        return;
    }
#endif
    m->sums[thread] += loop_portable(a, b);
}

static void read_job(void *user, size_t job, unsigned thread)
{
    measuring *m = user;
    const uint64_t *words = (const uint64_t *)(const void *)(m->block + job * READ_PIECE);
    uint64_t sum[8] = {0};
    for (size_t i = 0; i < READ_PIECE / sizeof(*words); i += 8) {
        for (size_t k = 0; k < 8; k++) {
            sum[k] += words[i + k];
        }
    }
    for (size_t k = 0; k < 8; k++) {
        m->words[thread] += sum[k];
    }
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The shortest of some rounds. */
static cistern_status best_of(base_pool *pool, base_pool_fn fn, measuring *m, size_t jobs,
                              const base_cancel *cancel, double *out, cistern_error *err)
{
    *out = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double begun = seconds();
        base_pool_run(pool, fn, m, jobs);
        double took = seconds() - begun;
        *out = round == 0 || took < *out ? took : *out;
        cistern_status status = base_check_cancel(cancel, err);
        if (status != CISTERN_OK) {
            return status;
        }
    }
    return CISTERN_OK;
}

cistern_status nn_limits_measure(base_pool *pool, nn_isa isa, const base_cancel *cancel, nn_limits *out,
                                 cistern_error *err)
{
    measuring m = {.isa = isa};
    void *block = NULL;
    double took, jobs = base_pool_threads(pool);
    cistern_status status = best_of(pool, flops_job, &m, (size_t)jobs, cancel, &took, err);
    if (status != CISTERN_OK) {
        return status;
    }
    nn_limits limits = {.flops = jobs * flops_of(isa) / took};
    status = base_pages_new(READ_BYTES, &block, err);
    if (status != CISTERN_OK) {
        return status;
    }
    memset(block, 1, READ_BYTES);
    m.block = block;
    status = best_of(pool, read_job, &m, READ_BYTES / READ_PIECE, cancel, &took, err);
    base_pages_free(block, READ_BYTES);
    limits.memory = (double)READ_BYTES / took;
    if (status == CISTERN_OK) {
        *out = limits;
    }
    return status;
}
