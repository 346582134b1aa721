/* One network behind the public library, answering lines as bench/peers/peer_protocol.py describes.
 *
 *   peer_driver MODEL [--store DIR] [--batch 1] [--height 224] [--threads 2] [--isa auto]
 *
 * MODEL is a reference, or a path. Beyond the protocol: `clock` answers {"ghz": …}, the core's clock, by counting additions
 * that wait for each other. The input that `run` uses until the first `logits` is noise.
 */
#include <cistern/cistern.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINE_BYTES     4096
#define RUNS_MAX       1000       /* of one answer */
#define CLOCK_ADDITION 200000000L /* about 60 ms */

typedef struct driver {
    const char *model_text;
    uint32_t batch, height;
    cistern *context;
    cistern_model *model;
    cistern_session *session;
    float *x, *logits;
    size_t x_count, logit_count;
} driver;

static void stop(const cistern_error *err)
{
    char text[2048];
    cistern_error_format(err, text, sizeof(text));
    fprintf(stderr, "peer_driver: %s\n", text);
    exit(1);
}

static void stop_text(const char *what, const char *value)
{
    fprintf(stderr, "peer_driver: %s '%s'\n", what, value);
    exit(2);
}

static double milliseconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void parse(int argc, char **argv, driver *d, cistern_options *options)
{
    cistern_error err = CISTERN_ERROR_INIT;
    d->model_text = argc > 1 ? argv[1] : "";
    d->batch = 1;
    d->height = 224;
    for (int i = 2; i + 1 < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        if (strcmp(name, "--batch") == 0) {
            d->batch = (uint32_t)strtoul(value, NULL, 10);
        } else if (strcmp(name, "--height") == 0) {
            d->height = (uint32_t)strtoul(value, NULL, 10);
        } else if (strncmp(name, "--", 2) != 0) {
            stop_text("no option", name);
        } else if (cistern_options_set(options, name + 2, value, &err) != CISTERN_OK) {
            stop(&err);
        }
    }
}

static void open_session(driver *d)
{
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_session_options o = CISTERN_SESSION_OPTIONS_INIT;
    int is_path;
    o.max_batch = d->batch;
    o.height = o.width = d->height;
    if (cistern_argument_is_path(d->context, d->model_text, &is_path, &err) != CISTERN_OK ||
        (is_path ? cistern_model_open_file(d->context, d->model_text, NULL, NULL, &d->model, &err)
                 : cistern_model_open(d->context, d->model_text, NULL, &d->model, &err)) != CISTERN_OK ||
        cistern_session_new(d->model, &o, &d->session, &err) != CISTERN_OK) {
        stop(&err);
    }
    d->x_count = (size_t)3 * d->batch * d->height * d->height;
    d->logit_count = (size_t)d->batch * cistern_session_classes(d->session);
    d->x = malloc(d->x_count * sizeof(float));
    d->logits = malloc(d->logit_count * sizeof(float));
    if (!d->x || !d->logits) {
        stop_text("no memory for the images of", d->model_text);
    }
    uint64_t random = 7;
    for (size_t i = 0; i < d->x_count; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        d->x[i] = (float)(int32_t)(random >> 32) * 0x1p-30f; /* -2 to 2 */
    }
}

static void run_once(driver *d)
{
    cistern_error err = CISTERN_ERROR_INIT;
    if (cistern_session_run(d->session, d->x, d->batch, d->logits, NULL, &err) != CISTERN_OK) {
        stop(&err);
    }
}

static void answer_logits(driver *d, const char *in, const char *out)
{
    FILE *from = fopen(in, "rb");
    if (!from || fread(d->x, sizeof(float), d->x_count, from) != d->x_count) {
        stop_text("cannot read as many images as --batch says from", in);
    }
    fclose(from);
    run_once(d);
    FILE *to = fopen(out, "wb");
    if (!to || fwrite(d->logits, sizeof(float), d->logit_count, to) != d->logit_count || fclose(to) != 0) {
        stop_text("cannot write", out);
    }
    printf("{}\n");
}

static void print_list(const char *name, const double *values, size_t count, const char *end)
{
    printf("\"%s\": [", name);
    for (size_t i = 0; i < count; i++) {
        printf("%s%.6f", i ? ", " : "", values[i]);
    }
    printf("]%s", end);
}

static void answer_run(driver *d, size_t runs)
{
    double wall[RUNS_MAX], cpu[RUNS_MAX];
    runs = runs < RUNS_MAX ? runs : RUNS_MAX;
    for (size_t i = 0; i < runs; i++) {
        double start = milliseconds(CLOCK_MONOTONIC), before = milliseconds(CLOCK_PROCESS_CPUTIME_ID);
        run_once(d);
        wall[i] = milliseconds(CLOCK_MONOTONIC) - start;
        cpu[i] = milliseconds(CLOCK_PROCESS_CPUTIME_ID) - before;
    }
    printf("{");
    print_list("ms", wall, runs, ", ");
    print_list("cpu_ms", cpu, runs, "}\n");
}

static void answer_clock(void)
{
    double best = 1e9;
    for (int i = 0; i < 5; i++) {
        double start = milliseconds(CLOCK_MONOTONIC);
        for (long n = 0, sum = 0, step = 1; n < CLOCK_ADDITION; n += 8) {
            /* Eight additions, each waiting for the last: one cycle each (of a register: constants are added for nothing by some). */
#if defined(__x86_64__)
            __asm__ volatile("addq %1,%0\n\taddq %1,%0\n\taddq %1,%0\n\taddq %1,%0\n\t"
                             "addq %1,%0\n\taddq %1,%0\n\taddq %1,%0\n\taddq %1,%0"
                             : "+r"(sum)
                             : "r"(step)
                             : "cc");
#else
            __asm__ volatile("add %0,%0,%1\n\tadd %0,%0,%1\n\tadd %0,%0,%1\n\tadd %0,%0,%1\n\t"
                             "add %0,%0,%1\n\tadd %0,%0,%1\n\tadd %0,%0,%1\n\tadd %0,%0,%1"
                             : "+r"(sum)
                             : "r"(step));
#endif
        }
        double took = milliseconds(CLOCK_MONOTONIC) - start;
        best = took < best ? took : best;
    }
    printf("{\"ghz\": %.3f}\n", (double)CLOCK_ADDITION / best * 1e-6);
}

static void serve(driver *d)
{
    char line[LINE_BYTES], first[LINE_BYTES], second[LINE_BYTES];
    size_t runs;
    while (fgets(line, sizeof(line), stdin)) {
        if (sscanf(line, "logits %4095s %4095s", first, second) == 2) {
            answer_logits(d, first, second);
        } else if (sscanf(line, "run %zu", &runs) == 1) {
            answer_run(d, runs);
        } else if (strcmp(line, "clock\n") == 0) {
            answer_clock();
        } else {
            return;
        }
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_options *options;
    driver d = {0};
    if (cistern_options_new(&options, &err) != CISTERN_OK) {
        stop(&err);
    }
    parse(argc, argv, &d, options);
    if (cistern_options_load(options, &err) != CISTERN_OK ||
        cistern_new(options, &d.context, &err) != CISTERN_OK) {
        stop(&err);
    }
    open_session(&d);
    printf("{\"version\": \"%s\", \"isa\": \"%s\", \"threads\": %u}\n", cistern_library_version(),
           cistern_isa(d.context), cistern_threads(d.context));
    fflush(stdout);
    serve(&d);
    free(d.x);
    free(d.logits);
    cistern_session_free(d.session);
    cistern_model_free(d.model);
    cistern_free(d.context);
    cistern_options_free(options);
    return 0;
}
