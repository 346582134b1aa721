/* Per layer: time, share of the measured peak, weights per second, and which algorithm ran; on weights made up here.
 *
 *   nn_bench [--arch vgg16] [--isa auto] [--threads 0] [--batch 1] [--height 224] [--width 224] [--classes 1000]
 *            [--runs 20] [--csv]
 *
 * Times are the least of all runs, layer by layer, and the least and median of whole runs. The peak is measured in the same
 * process: 512- or 256-bit multiply-adds on registers, or split products in tile registers; the bandwidth by reading 512 MiB once, on all threads.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base_mem.h"
#include "base_pages.h"
#include "nn_limits.h"
#include "nn_session.h"

#define RUNS_MAX   1000
#define STEPS_MAX  32
#define READ_BYTES ((size_t)512 << 20)

typedef struct arguments {
    const char *arch;
    nn_isa isa;
    unsigned threads;
    size_t batch, height, width, classes, runs;
    bool csv;
} arguments;

/* A network whose tensors lie in one block of memory. */
typedef struct made {
    uint8_t *bytes;
    size_t size, used;
    model_index *index;
    nn_net *net;
    uint64_t random;
} made;

static void stop(const cistern_error *err)
{
    char text[1024];
    cistern_error_format(err, text, sizeof(text));
    fprintf(stderr, "nn_bench: %s\n", text);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static float next_random(made *m)
{
    m->random = m->random * 6364136223846793005u + 1442695040888963407u;
    return (float)(int32_t)(m->random >> 32) * 0x1p-31f;
}

/* Add a tensor: values uniform in low..high; only its size counts while there is no index. */
static void add(made *m, const char *name, uint32_t rank, const uint64_t *shape, float low, float high)
{
    model_tensor t = {.name = name, .dtype = MODEL_F32, .rank = rank, .offset = m->used};
    uint64_t count = 1;
    for (uint32_t d = rank; d-- > 0;) {
        t.shape[d] = shape[d];
        t.stride[d] = count;
        count *= shape[d];
    }
    float *at = (float *)(void *)(m->bytes + m->used);
    m->used += count * sizeof(float);
    if (!m->index) {
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        at[i] = low + (high - low) * 0.5f * (next_random(m) + 1);
    }
    cistern_error err = CISTERN_ERROR_INIT;
    if (model_index_add(m->index, &t, &err) != CISTERN_OK) {
        stop(&err);
    }
}

static void add_all(made *m, const model_vgg *vgg, size_t classes)
{
    static const char *const norms[4] = {"weight", "bias", "running_mean", "running_var"};
    char name[64];
    uint64_t inputs = 3;
    int stage = 0;
    for (int i = 0; i < vgg->conv_count; i++) {
        uint64_t shape[4] = {stage < 3 ? 64u << stage : 512, inputs, 3, 3};
        float reach = sqrtf(6.0f / (float)(9 * inputs));
        snprintf(name, sizeof(name), "features.%d.weight", vgg->conv[i].feature);
        add(m, name, 4, shape, -reach, reach);
        snprintf(name, sizeof(name), "features.%d.bias", vgg->conv[i].feature);
        add(m, name, 1, shape, -0.1f, 0.1f);
        for (int k = 0; vgg->batch_norm && k < 4; k++) {
            snprintf(name, sizeof(name), "features.%d.%s", vgg->conv[i].feature + 1, norms[k]);
            add(m, name, 1, shape, k == 0 || k == 3 ? 0.5f : -0.3f, k == 0 || k == 3 ? 1.5f : 0.3f);
        }
        inputs = shape[0];
        stage += vgg->conv[i].pool_after;
    }
    inputs *= 49;
    for (int i = 0; i < 3; i++) {
        uint64_t shape[2] = {i < 2 ? 4096 : classes, inputs};
        float reach = sqrtf(6.0f / (float)inputs);
        snprintf(name, sizeof(name), "classifier.%d.weight", 3 * i);
        add(m, name, 2, shape, -reach, reach);
        snprintf(name, sizeof(name), "classifier.%d.bias", 3 * i);
        add(m, name, 1, shape, -0.1f, 0.1f);
        inputs = shape[0];
    }
}

static made make(const arguments *a)
{
    cistern_error err = CISTERN_ERROR_INIT;
    const model_vgg *vgg = model_vgg_find(a->arch);
    made m = {.random = 1};
    if (!vgg) {
        fprintf(stderr, "nn_bench: no architecture is called '%s'\n", a->arch);
        exit(2);
    }
    add_all(&m, vgg, a->classes);
    m.size = m.used;
    m.used = 0;
    uint64_t size = m.size;
    model_vgg_match match;
    if (base_pages_new(m.size, &m.bytes, &err) != CISTERN_OK ||
        model_index_new(&size, 1, &m.index, &err) != CISTERN_OK) {
        stop(&err);
    }
    add_all(&m, vgg, a->classes);
    base_map map = {m.bytes, m.size};
    if (model_vgg_match_index(m.index, a->arch, &match, &err) != CISTERN_OK ||
        nn_net_new(&match, &map, 1, &m.net, &err) != CISTERN_OK) {
        stop(&err);
    }
    return m;
}

/* ---- the machine's limits ---- */

typedef struct limit_work {
    nn_isa isa;
    const float *memory;
    size_t floats; /* of each job */
    atomic_uint sink;
} limit_work;

#define LIMIT_ROUNDS 2000000

#if defined(__x86_64__)
/* Whatever the registers hold, e.g. numbers too small to be normal, would be slow. */
#define ZERO   "vzeroall\n\t"
#define FMA(r) "vfmadd231ps %%zmm14, %%zmm15, %%zmm" #r "\n\t"
__attribute__((target("avx512f"))) static void multiply_512(void)
{
    uint64_t n = LIMIT_ROUNDS;
    __asm__ volatile(ZERO "1:\n\t" FMA(0) FMA(1) FMA(2) FMA(3) FMA(4) FMA(5) FMA(6) FMA(7) FMA(8) FMA(9)
                         FMA(10) FMA(11) "dec %0\n\tjnz 1b"
                     : "+r"(n)
                     :
                     : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                       "xmm10", "xmm11");
}
#undef FMA
#define FMA(r) "vfmadd231ps %%ymm14, %%ymm15, %%ymm" #r "\n\t"
__attribute__((target("avx2,fma"))) static void multiply_256(void)
{
    uint64_t n = LIMIT_ROUNDS;
    __asm__ volatile(ZERO "1:\n\t" FMA(0) FMA(1) FMA(2) FMA(3) FMA(4) FMA(5) FMA(6) FMA(7) FMA(8) FMA(9)
                         FMA(10) FMA(11) "dec %0\n\tjnz 1b"
                     : "+r"(n)
                     :
                     : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                       "xmm10", "xmm11");
}
#endif

static void multiply_job(void *user, size_t job, unsigned thread)
{
    const limit_work *w = user;
    (void)job;
    (void)thread;
#if defined(__x86_64__)
    if (w->isa == NN_ISA_AVX512) {
        multiply_512();
    } else if (nn_isa_available(NN_ISA_AVX2)) {
        multiply_256();
    }
#else
    (void)w;
#endif
}

static void read_job(void *user, size_t job, unsigned thread)
{
    limit_work *w = user;
    typedef uint32_t wide __attribute__((vector_size(64)));
    const wide *at = (const wide *)(const void *)(w->memory + job * w->floats);
    wide sum[4] = {{0}, {0}, {0}, {0}};
    (void)thread;
    for (size_t i = 0; i < w->floats / 16; i += 4) {
        for (size_t k = 0; k < 4; k++) {
            sum[k] |= at[i + k];
        }
    }
    atomic_fetch_add(&w->sink, sum[0][0] + sum[1][1] + sum[2][2] + sum[3][3]);
}

static double least_time(base_pool *pool, base_pool_fn fn, limit_work *w, size_t jobs, int runs)
{
    double best = 1e9;
    for (int i = 0; i < runs; i++) {
        double start = now();
        base_pool_run(pool, fn, w, jobs);
        double t = now() - start;
        best = t < best ? t : best;
    }
    return best;
}

static double peak_flops(base_pool *pool, nn_isa isa)
{
    limit_work w = {.isa = isa};
    size_t threads = base_pool_threads(pool);
    if (isa == NN_ISA_AMX) {
        cistern_error err = CISTERN_ERROR_INIT;
        nn_limits limits;
        if (nn_limits_measure(pool, isa, NULL, &limits, &err) != CISTERN_OK) {
            stop(&err);
        }
        return limits.flops;
    }
    double lanes = isa == NN_ISA_AVX512 ? 16 : 8;
    return 2 * lanes * 12 * LIMIT_ROUNDS * (double)threads / least_time(pool, multiply_job, &w, threads, 15);
}

static double read_bandwidth(base_pool *pool)
{
    cistern_error err = CISTERN_ERROR_INIT;
    float *memory;
    if (base_pages_new(READ_BYTES, &memory, &err) != CISTERN_OK) {
        stop(&err);
    }
    memset(memory, 1, READ_BYTES);
    limit_work w = {.memory = memory,
                    .floats = READ_BYTES / sizeof(float) / base_pool_threads(pool) / 64 * 64};
    double t = least_time(pool, read_job, &w, base_pool_threads(pool), 5);
    base_pages_free(memory, READ_BYTES);
    return (double)READ_BYTES / t;
}

/* ---- running ---- */

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void print_steps(const nn_session *s, const arguments *a, const double *best, double peak,
                        double bandwidth)
{
    double batch = (double)a->batch, all_flops = 0, conv_seconds = 0;
    printf("%-14s %-15s %9s %10s %10s %8s %8s\n", "layer", "algorithm", "ms", "GFLOP/s", "direct", "% peak",
           "GB/s");
    for (size_t i = 0; i < nn_session_step_count(s); i++) {
        nn_step_report r;
        nn_session_report(s, i, &r);
        printf("%-14s %-15s %9.3f %10.1f %10.1f %8.1f %8.1f\n", r.name, r.algorithm, best[i] * 1e3,
               r.flops * batch / best[i] * 1e-9, r.definition_flops * batch / best[i] * 1e-9,
               100 * r.flops * batch / best[i] / peak, r.weight_bytes / best[i] * 1e-9);
        if (strncmp(r.name, "features", 8) == 0) {
            all_flops += r.flops * batch;
            conv_seconds += best[i];
        }
    }
    printf("convolutions   %.3f ms, %.1f %% of the peak of %.1f GFLOP/s; reading memory: %.1f GB/s\n",
           conv_seconds * 1e3, 100 * all_flops / conv_seconds / peak, peak * 1e-9, bandwidth * 1e-9);
}

static void run(const arguments *a, const made *m, base_pool *pool)
{
    static double times[RUNS_MAX];
    double best[STEPS_MAX];
    cistern_error err = CISTERN_ERROR_INIT;
    nn_session_options o = NN_SESSION_OPTIONS_INIT;
    nn_session *s;
    o.max_batch = a->batch;
    o.height = a->height;
    o.width = a->width;
    o.pool = pool;
    o.isa = a->isa;
    double start = now();
    if (nn_session_new(m->net, &o, NULL, &s, &err) != CISTERN_OK) {
        stop(&err);
    }
    double opened = now() - start;
    size_t floats = a->batch * 3 * a->height * a->width;
    float *x = malloc(floats * sizeof(float)), *logits = malloc(a->batch * a->classes * sizeof(float));
    made noise = {.random = 7};
    for (size_t i = 0; x && i < floats; i++) {
        x[i] = 2 * next_random(&noise);
    }
    for (size_t i = 0; i < STEPS_MAX; i++) {
        best[i] = 1e9;
    }
    for (size_t i = 0; i < a->runs; i++) {
        start = now();
        if (nn_session_run(s, x, a->batch, logits, NULL, &err) != CISTERN_OK) {
            stop(&err);
        }
        times[i] = now() - start;
        for (size_t k = 0; k < nn_session_step_count(s); k++) {
            nn_step_report r;
            nn_session_report(s, k, &r);
            best[k] = r.seconds < best[k] ? r.seconds : best[k];
        }
    }
    double first = times[0];
    qsort(times, a->runs, sizeof(times[0]), compare_doubles);
    if (a->csv) {
        printf("%s,%s,%u,%zu,%zu,%zu,%zu,%.6f,%.6f\n", a->arch, nn_isa_text(nn_session_isa(s)),
               base_pool_threads(pool), a->batch, a->height, a->width, a->classes, times[0],
               times[a->runs / 2]);
    } else {
        printf("%s %s, %u threads, batch %zu, %zu x %zu, %zu classes; session %.1f ms, %.1f MiB\n", a->arch,
               nn_isa_text(nn_session_isa(s)), base_pool_threads(pool), a->batch, a->height, a->width,
               a->classes, opened * 1e3, (double)nn_session_bytes(s) / 1048576);
        print_steps(s, a, best, peak_flops(pool, nn_session_isa(s)), read_bandwidth(pool));
        printf("run            first %.3f ms, least %.3f ms, median %.3f ms, %.2f images/s\n", first * 1e3,
               times[0] * 1e3, times[a->runs / 2] * 1e3, (double)a->batch / times[0]);
    }
    nn_session_free(s);
    free(x);
    free(logits);
}

static void parse(int argc, char **argv, arguments *a)
{
    cistern_error err = CISTERN_ERROR_INIT;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        size_t number = strtoul(value, NULL, 10);
        if (strcmp(argv[i], "--csv") == 0) {
            a->csv = true;
            continue;
        } else if (strcmp(argv[i], "--arch") == 0) {
            a->arch = value;
        } else if (strcmp(argv[i], "--isa") == 0) {
            if (nn_isa_parse(value, &a->isa, &err) != CISTERN_OK) {
                stop(&err);
            }
        } else if (strcmp(argv[i], "--threads") == 0) {
            a->threads = (unsigned)number;
        } else if (strcmp(argv[i], "--batch") == 0) {
            a->batch = number;
        } else if (strcmp(argv[i], "--height") == 0) {
            a->height = number;
        } else if (strcmp(argv[i], "--width") == 0) {
            a->width = number;
        } else if (strcmp(argv[i], "--classes") == 0) {
            a->classes = number;
        } else if (strcmp(argv[i], "--runs") == 0) {
            a->runs = number < RUNS_MAX ? number : RUNS_MAX;
        } else {
            fprintf(stderr, "nn_bench: unknown option '%s'; see the top of bench/nn_bench.c\n", argv[i]);
            exit(2);
        }
        i++;
    }
}

int main(int argc, char **argv)
{
    arguments a = {"vgg16", NN_ISA_AUTO, 0, 1, 224, 224, 1000, 20, false};
    cistern_error err = CISTERN_ERROR_INIT;
    base_pool *pool;
    parse(argc, argv, &a);
    if (a.runs == 0 || base_pool_new(a.threads, &pool, &err) != CISTERN_OK) {
        stop(&err);
    }
    made m = make(&a);
    run(&a, &m, pool);
    nn_net_free(m.net);
    model_index_free(m.index);
    base_pages_free(m.bytes, m.size);
    base_pool_free(pool);
    return 0;
}
