/* cistern classify: the most probable classes of images.
 *
 * Images are decoded and run in small batches, because the large layers' weights are then read once for several images.
 * An image that cannot be read is told and left out; the others are classified all the same.
 */
#include "cli_bring.h"
#include "cli_model.h"
#include "cli_verbs.h"
#include <stdio.h>
#include <stdlib.h>

#define TOP_DEFAULT 5
#define BATCH_MOST  4 /* images: more make the scratch memory grow, and save little */

typedef struct classify_values {
    unsigned top;
    bool timings;
    cli_facts facts;
} classify_values;

static const cli_option options[] = {
    {"top", 'n', "N", CLI_NUMBER, offsetof(classify_values, top),
     "so many classes of each image (default: 5)"},
    {"timings", 0, NULL, CLI_FLAG, offsetof(classify_values, timings), "say what took how long"},
    CLI_FACT_ROWS(classify_values),
    {NULL, 0, NULL, CLI_FLAG, 0, NULL},
};

static const char *const examples[] = {
    "cistern classify vgg16 cat.jpg dog.png",
    "cistern classify ./vgg16_pretrained.pth cat.jpg      # a file, no store needed",
    "cistern classify vgg16:3 cat.jpg --top 1 --json",
    NULL,
};

/* Milliseconds. */
typedef struct timings {
    double open, prepare, decode, run, whole;
} timings;

typedef struct job {
    cli *c;
    const cistern_version *version;
    cistern_session *session;
    uint32_t classes, batch, top;
    size_t pixels; /* floats of one input */
    float *input, *logits, *probabilities;
    cistern_prediction *best;
    term_json json;
    timings took;
    size_t images, classified;
    bool headings; /* several images: each list under its name */
} job;

static int fail_memory(cli *c, size_t bytes)
{
    cistern_error err = CISTERN_ERROR_INIT;
    err.status = CISTERN_NO_MEMORY;
    snprintf(err.text, sizeof err.text, "out of memory: %zu bytes wanted", bytes);
    return cli_fail(c, &err);
}

static int allocate(job *j)
{
    j->input = calloc(j->batch, j->pixels * sizeof *j->input);
    j->logits = calloc(j->batch, j->classes * sizeof *j->logits);
    j->probabilities = calloc(j->batch, j->classes * sizeof *j->probabilities);
    j->best = calloc(j->top, sizeof *j->best);
    if (!j->input || !j->logits || !j->probabilities || !j->best)
        return fail_memory(j->c, j->batch * (j->pixels + 2 * (size_t)j->classes) * sizeof(float));
    return 0;
}

static int prepare(job *j, cistern_model *model, int count, unsigned top)
{
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_session_options o = CISTERN_SESSION_OPTIONS_INIT;
    double begun = cli_now_exact_ms();
    o.max_batch = j->batch = count < BATCH_MOST ? (uint32_t)count : BATCH_MOST;
    if (cistern_session_new(model, &o, &j->session, &err) != CISTERN_OK)
        return cli_fail(j->c, &err);
    j->version = cistern_model_version(model);
    j->classes = cistern_session_classes(j->session);
    j->top = top < j->classes ? top : j->classes;
    j->pixels = (size_t)3 * cistern_session_height(j->session) * cistern_session_width(j->session);
    j->took.prepare = cli_now_exact_ms() - begun;
    return allocate(j);
}

/* Decode one image into the slot of a batch; 0 or the exit code after the message. */
static int load(job *j, const char *path, float *slot)
{
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_image *image = NULL;
    double begun = cli_now_exact_ms();
    cistern_status status = cistern_image_open(path, &image, &err);
    if (status == CISTERN_OK)
        status = cistern_session_preprocess(j->session, image, slot, &err);
    cistern_image_free(image);
    j->took.decode += cli_now_exact_ms() - begun;
    return status == CISTERN_OK ? 0 : cli_fail(j->c, &err);
}

static void json_image(job *j, const char *path, const float *logits, const float *probabilities)
{
    term_json_object(&j->json, NULL);
    term_json_text(&j->json, "image", path);
    term_json_array(&j->json, "top");
    uint32_t n = cistern_top(logits, j->classes, j->top, j->best);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t class_index = j->best[i].class_index;
        term_json_object(&j->json, NULL);
        term_json_u64(&j->json, "class", class_index);
        term_json_text(&j->json, "label", cistern_version_label(j->version, class_index));
        term_json_float(&j->json, "probability", probabilities[class_index]);
        term_json_float(&j->json, "logit", logits[class_index]);
        term_json_end(&j->json);
    }
    term_json_end(&j->json);
    term_json_end(&j->json);
}

static int text_image(job *j, const char *path, const float *logits, const float *probabilities)
{
    static const term_column columns[] = {
        {NULL, true, false}, {NULL, false, true}, {NULL, false, false}, {NULL, true, false}};
    cistern_error err = CISTERN_ERROR_INIT;
    term_table *table = NULL;
    if (term_table_new(columns, 4, &table, &err) != CISTERN_OK)
        return cli_fail(j->c, &err);
    if (j->headings) {
        term_stream_put_styled(&j->c->out, TERM_BOLD, path);
        term_stream_put(&j->c->out, "\n");
    }
    uint32_t n = cistern_top(logits, j->classes, j->top, j->best);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t class_index = j->best[i].class_index;
        const char *label = cistern_version_label(j->version, class_index);
        term_table_printf(table, "%.2f %%", 100 * (double)probabilities[class_index]);
        if (label)
            term_table_put_styled(table, i == 0 ? TERM_GREEN : TERM_PLAIN, label);
        else
            term_table_printf(table, "class %u", (unsigned)class_index);
        if (label)
            term_table_printf(table, "class %u", (unsigned)class_index);
        else
            term_table_put(table, "");
        term_table_printf(table, "logit %.3f", (double)logits[class_index]);
    }
    cistern_status status = term_table_print(table, 2, &j->c->out, &err);
    term_table_free(table);
    return status == CISTERN_OK ? 0 : cli_fail(j->c, &err);
}

/* Decode and run up to a batch of images, and print what came out. */
static int classify_batch(job *j, char **paths, uint32_t count)
{
    cistern_error err = CISTERN_ERROR_INIT;
    const char *loaded[BATCH_MOST];
    uint32_t n = 0;
    int code = 0;
    for (uint32_t i = 0; i < count; i++) {
        int now = load(j, paths[i], j->input + n * j->pixels);
        if (now == 0)
            loaded[n++] = paths[i];
        code = cli_first(code, now);
    }
    if (n == 0)
        return code;
    double begun = cli_now_exact_ms();
    cli_call_begin(j->c);
    cistern_status status = cistern_session_run(j->session, j->input, n, j->logits, j->c->cancel, &err);
    cli_call_end(j->c);
    if (status != CISTERN_OK)
        return cli_first(code, cli_fail(j->c, &err));
    cistern_softmax(j->logits, n, j->classes, j->probabilities);
    j->took.run += cli_now_exact_ms() - begun;
    for (uint32_t i = 0; i < n; i++) {
        const float *logits = j->logits + (size_t)i * j->classes,
                    *p = j->probabilities + (size_t)i * j->classes;
        if (j->c->json)
            json_image(j, loaded[i], logits, p);
        else
            code = cli_first(code, text_image(j, loaded[i], logits, p));
        j->classified++;
    }
    return code;
}

static void begin_json(job *j)
{
    const char *reference = cistern_version_reference(j->version);
    term_json_init(&j->json, &j->c->out);
    term_json_object(&j->json, NULL);
    term_json_text(&j->json, "model", reference[0] ? reference : cistern_version_name(j->version));
    term_json_array(&j->json, "results");
}

static void end_json(job *j, bool with_timings)
{
    term_json_end(&j->json);
    if (with_timings) {
        term_json_object(&j->json, "timings_ms");
        term_json_double(&j->json, "open", j->took.open);
        term_json_double(&j->json, "prepare", j->took.prepare);
        term_json_double(&j->json, "images", j->took.decode);
        term_json_double(&j->json, "network", j->took.run);
        term_json_double(&j->json, "whole", j->took.whole);
        term_json_end(&j->json);
    }
    term_json_end(&j->json);
}

static void note_timings(job *j)
{
    double each = j->classified ? j->took.run / (double)j->classified : 0;
    cli_note(
        j->c,
        "open %.1f ms, prepare %.1f ms, images %.1f ms, network %.1f ms (%.1f ms an image), whole %.1f ms",
        j->took.open, j->took.prepare, j->took.decode, j->took.run, each, j->took.whole);
}

static void note_labels(job *j, const char *model)
{
    if (j->classified == 0 || j->c->json || cistern_version_label(j->version, 0))
        return;
    if (cistern_version_tag(j->version)[0])
        cli_note(j->c,
                 "the classes of %s have no names; pull or add it again with --labels FILE (one name a line)",
                 model);
    else
        cli_note(j->c, "the classes of %s have no names; give them with --labels FILE (one name a line)",
                 model);
}

static int classify(job *j, const classify_values *v, int count, char **arguments, cistern_model *model)
{
    int code = prepare(j, model, count, v->top ? v->top : TOP_DEFAULT);
    if (code)
        return code;
    if (j->c->json)
        begin_json(j);
    for (uint32_t i = 0; i < (uint32_t)count; i += j->batch) {
        uint32_t left = (uint32_t)count - i;
        int now = classify_batch(j, arguments + i, left < j->batch ? left : j->batch);
        code = cli_first(code, now);
        if (now == cistern_status_exit_code(CISTERN_CANCELLED))
            break;
    }
    return code;
}

static int run(cli *c, const void *values, int count, char **arguments)
{
    const classify_values *v = values;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_model *model = NULL;
    job j = {.c = c, .headings = count > 2};
    cistern_pull_options declared = cli_bring_declared(&v->facts);
    double begun = cli_now_exact_ms();
    if (cli_model_open(c, arguments[0], &declared, &model, &err) != CISTERN_OK)
        return cli_fail(c, &err);
    j.took.open = cli_now_exact_ms() - begun;
    int code = classify(&j, v, count - 1, arguments + 1, model);
    j.took.whole = cli_now_exact_ms() - begun;
    if (c->json && j.session && j.best)
        end_json(&j, v->timings);
    if (j.version)
        note_labels(&j, arguments[0]);
    if (v->timings && !c->json)
        note_timings(&j);
    free(j.input);
    free(j.logits);
    free(j.probabilities);
    free(j.best);
    return cli_model_close(c, j.session, model, code);
}

const cli_verb cmd_classify = {
    .name = "classify",
    .arguments = "MODEL IMAGE…",
    .summary = "print the most probable classes of images",
    .about = "Print the most probable classes of images (JPEG, PNG, WebP): probability, name, class, logit. "
             "MODEL is a reference\n"
             "(vgg16, vgg16:3, vgg16:production, …@sha256:HEX) or the path of a weight file; what begins "
             "with / ./ ../ or ~, or\n"
             "names an existing file with a usual suffix, is a path. Of several images each is tried; the "
             "exit code is that of\n"
             "the first failure.",
    .options = options,
    .examples = examples,
    .least = 2,
    .most = -1,
    .run = run,
};
