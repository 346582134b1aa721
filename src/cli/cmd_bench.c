/* cistern bench: what this machine can do at most, and what a model makes of it. */
#include "cli_bring.h"
#include "cli_model.h"
#include "cli_verbs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUNS_DEFAULT  10
#define BATCH_DEFAULT 8
#define BATCH_MOST    256
#define LAYERS_MOST   64

typedef struct bench_values {
    unsigned batch, runs;
    bool layers;
    cli_facts facts;
} bench_values;

static const cli_option options[] = {
    {"batch", 'b', "N", CLI_NUMBER, offsetof(bench_values, batch), "images of the larger run (default: 8)"},
    {"runs", 'r', "N", CLI_NUMBER, offsetof(bench_values, runs),
     "runs, of which the median counts (default: 10)"},
    {"layers", 0, NULL, CLI_FLAG, offsetof(bench_values, layers), "each layer of the run of one image"},
    CLI_FACT_ROWS(bench_values),
    {NULL, 0, NULL, CLI_FLAG, 0, NULL},
};

static const char *const examples[] = {"cistern bench", "cistern bench vgg16 --layers", NULL};

typedef struct batch_result {
    uint32_t images;
    double median_ms, least_ms;
} batch_result;

typedef struct job {
    cli *c;
    const bench_values *v;
    cistern_model *model;
    cistern_limits limits;
    batch_result batches[2];
    size_t batch_count;
    cistern_layer_report layers[LAYERS_MOST]; /* the least of all runs */
    size_t layer_count;
} job;

static int compare_times(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void keep_layers(job *j, const cistern_session *s, bool first)
{
    cistern_layer_report now = {.size = sizeof now};
    j->layer_count = 0;
    for (size_t i = 0; i < LAYERS_MOST && cistern_session_layer(s, i, &now); i++) {
        if (first || now.seconds < j->layers[i].seconds)
            j->layers[i] = now;
        j->layer_count++;
    }
}

/* Run a session of `images` images again and again. */
static cistern_status run_batch(job *j, uint32_t images, cistern_error *err)
{
    cistern_session *s = NULL;
    cistern_session_options o = CISTERN_SESSION_OPTIONS_INIT;
    unsigned runs = j->v->runs ? j->v->runs : RUNS_DEFAULT;
    double *took = calloc(runs, sizeof *took);
    float *x = NULL, *logits = NULL;
    o.max_batch = images;
    cistern_status status = took ? cistern_session_new(j->model, &o, &s, err) : CISTERN_NO_MEMORY;
    if (status == CISTERN_OK) {
        size_t pixels = (size_t)3 * cistern_session_height(s) * cistern_session_width(s);
        x = calloc(images, pixels * sizeof *x);
        logits = calloc(images, cistern_session_classes(s) * sizeof *logits);
        status = x && logits ? CISTERN_OK : CISTERN_NO_MEMORY;
        for (size_t i = 0; status == CISTERN_OK && i < images * pixels; i++)
            x[i] = (float)(i * 2654435761u % 4096) / 2048 - 1;
    }
    if (status == CISTERN_NO_MEMORY && err->text[0] == '\0') {
        err->status = status;
        snprintf(err->text, sizeof err->text, "out of memory");
    }
    for (unsigned r = 0; status == CISTERN_OK && r <= runs;
         r++) { /* the first warms caches and is not counted */
        double begun = cli_now_exact_ms();
        status = cistern_session_run(s, x, images, logits, j->c->cancel, err);
        if (status == CISTERN_OK && r > 0)
            took[r - 1] = cli_now_exact_ms() - begun;
        if (status == CISTERN_OK && r > 0 && images == 1)
            keep_layers(j, s, r == 1);
    }
    if (status == CISTERN_OK) {
        qsort(took, runs, sizeof *took, compare_times);
        j->batches[j->batch_count++] = (batch_result){images, took[runs / 2], took[0]};
    }
    cistern_session_free(s);
    free(x);
    free(logits);
    free(took);
    return status;
}

static cistern_status measure(job *j, cistern *context, cistern_error *err)
{
    uint32_t larger = j->v->batch ? j->v->batch : BATCH_DEFAULT;
    j->limits.size = sizeof j->limits;
    cistern_status status = cistern_measure_limits(context, j->c->cancel, &j->limits, err);
    if (status == CISTERN_OK && j->model)
        status = run_batch(j, 1, err);
    if (status == CISTERN_OK && j->model && larger > 1)
        status = run_batch(j, larger, err);
    return status;
}

static double share(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : 0;
}

static void json_layers(term_json *json, const job *j)
{
    term_json_array(json, "layers");
    for (size_t i = 0; i < j->layer_count; i++) {
        const cistern_layer_report *l = &j->layers[i];
        term_json_object(json, NULL);
        term_json_text(json, "name", l->name);
        term_json_text(json, "algorithm", l->algorithm);
        term_json_double(json, "ms", l->seconds * 1e3);
        term_json_double(json, "flops", l->flops);
        term_json_double(json, "definition_flops", l->definition_flops);
        term_json_double(json, "weight_bytes", l->weight_bytes);
        term_json_end(json);
    }
    term_json_end(json);
}

static void put_json(job *j, cistern *context)
{
    term_json json;
    term_json_init(&json, &j->c->out);
    term_json_object(&json, NULL);
    term_json_text(&json, "isa", cistern_isa(context));
    term_json_u64(&json, "threads", cistern_threads(context));
    term_json_double(&json, "peak_flops", j->limits.flops);
    term_json_double(&json, "memory_bytes_per_second", j->limits.memory);
    term_json_array(&json, "batches");
    for (size_t i = 0; i < j->batch_count; i++) {
        term_json_object(&json, NULL);
        term_json_u64(&json, "images", j->batches[i].images);
        term_json_double(&json, "median_ms", j->batches[i].median_ms);
        term_json_double(&json, "least_ms", j->batches[i].least_ms);
        term_json_end(&json);
    }
    term_json_end(&json);
    if (j->v->layers && j->model)
        json_layers(&json, j);
    term_json_end(&json);
}

static int text_layers(job *j)
{
    static const term_column columns[] = {{"layer", false, false},
                                          {"algorithm", false, true},
                                          {"ms", true, false},
                                          {"of peak", true, false},
                                          {"of memory", true, false}};
    cistern_error err = CISTERN_ERROR_INIT;
    term_table *table = NULL;
    if (term_table_new(columns, 5, &table, &err) != CISTERN_OK)
        return cli_fail(j->c, &err);
    for (size_t i = 0; i < j->layer_count; i++) {
        const cistern_layer_report *l = &j->layers[i];
        term_table_put(table, l->name);
        term_table_put(table, l->algorithm);
        term_table_printf(table, "%.3f", l->seconds * 1e3);
        term_table_printf(table, "%.0f %%", share(l->flops / (l->seconds + 1e-12), j->limits.flops));
        term_table_printf(table, "%.0f %%", share(l->weight_bytes / (l->seconds + 1e-12), j->limits.memory));
    }
    cistern_status status = term_table_print(table, 2, &j->c->out, &err);
    term_table_free(table);
    return status == CISTERN_OK ? 0 : cli_fail(j->c, &err);
}

static int put_text(job *j, cistern *context)
{
    term_stream *out = &j->c->out;
    term_stream_printf(out, "machine  %s, %u threads: %.1f GFLOP/s, %.1f GB/s from memory\n",
                       cistern_isa(context), cistern_threads(context), j->limits.flops / 1e9,
                       j->limits.memory / 1e9);
    for (size_t i = 0; i < j->batch_count; i++) {
        const batch_result *b = &j->batches[i];
        term_stream_printf(out, "%-7u  %s: median %.2f ms, least %.2f ms, %.1f images/s\n", b->images,
                           b->images == 1 ? "image" : "images", b->median_ms, b->least_ms,
                           b->images * 1e3 / b->median_ms);
    }
    return j->v->layers && j->model ? text_layers(j) : 0;
}

static int run(cli *c, const void *values, int count, char **arguments)
{
    cistern *context;
    cistern_error err = CISTERN_ERROR_INIT;
    job j = {.c = c, .v = values};
    cistern_pull_options declared = cli_bring_declared(&j.v->facts);
    if (j.v->batch > BATCH_MOST)
        return cli_usage(c, "--batch: %u images, at most %d", j.v->batch, BATCH_MOST);
    if (cli_context(c, &context, &err) != CISTERN_OK ||
        (count > 0 && cli_model_open(c, arguments[0], &declared, &j.model, &err) != CISTERN_OK))
        return cli_fail(c, &err);
    cli_call_begin(c);
    cistern_status status = measure(&j, context, &err);
    cli_call_end(c);
    int code = 0;
    if (status != CISTERN_OK)
        code = cli_fail(c, &err);
    else if (c->json)
        put_json(&j, context);
    else
        code = put_text(&j, context);
    return cli_model_close(c, NULL, j.model, code);
}

const cli_verb cmd_bench = {
    .name = "bench",
    .arguments = "[MODEL]",
    .summary = "how fast this machine is, and a model on it",
    .about =
        "Measure what this machine can do at most (multiplications and additions on registers, bytes from "
        "memory) and, of a model,\n"
        "the time of one image and of a batch when everything is warm. With --layers each layer, its "
        "share of the peak, and the\n"
        "share of the memory's speed at which its weights are read.",
    .options = options,
    .examples = examples,
    .least = 0,
    .most = 1,
    .run = run,
};
