/* cistern show: all that is known of one version. */
#include "cli_show.h"
#include "cli_verbs.h"
#include "term_units.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct show_values {
    bool tensors, stats;
} show_values;

static const cli_option options[] = {
    {"tensors", 0, NULL, CLI_FLAG, offsetof(show_values, tensors),
     "list its tensors: name, type, shape, place"},
    {"stats", 0, NULL, CLI_FLAG, offsetof(show_values, stats),
     "the same with minimum, maximum, mean and NaN count: reads all weights"},
    {NULL, 0, NULL, CLI_FLAG, 0, NULL},
};

static const char *const examples[] = {"cistern show vgg16", "cistern show vgg16:2 --tensors",
                                       "cistern show vgg16 --stats", "cistern show vgg16 --json | jq .facts",
                                       NULL};

static void put_pair(term_table *t, const char *key, const char *value, const char *source)
{
    term_table_put_styled(t, TERM_DIM, key);
    if (!value || !value[0])
        term_table_put(t, "-");
    else if (source && source[0] && strcmp(source, "none") != 0)
        term_table_printf(t, "%s (%s)", value, source);
    else
        term_table_put(t, value);
}

/* How a picture is brought to the network's size. */
static void input_text(const cistern_facts *f, char *out, size_t size)
{
    const char *old = strcmp(f->sampling, "legacy") == 0 ? ", not antialiased" : "";
    unsigned height = f->input_height, width = f->input_width;
    unsigned to_height = f->resize_height ? f->resize_height : height,
             to_width = f->resize_width ? f->resize_width : width;
    if (strcmp(f->resize, "squash") == 0 && to_height == height && to_width == width)
        snprintf(out, size, "%ux%u, squashed to it, %s%s", height, width, f->interpolation, old);
    else if (strcmp(f->resize, "squash") == 0)
        snprintf(out, size, "%ux%u, cut from the centre after squashing to %ux%u, %s%s", height, width,
                 to_height, to_width, f->interpolation, old);
    else if (f->resize_short)
        snprintf(out, size, "%ux%u, cut from the centre after resizing the short side to %u, %s%s", height,
                 width, (unsigned)f->resize_short, f->interpolation, old);
    else
        snprintf(out, size, "%ux%u, cut from the centre", height, width);
}

static void put_facts(term_table *t, const cistern_version *v)
{
    char text[160], number[32] = "not known";
    cistern_facts f = {.size = sizeof f};
    cistern_version_facts(v, &f);
    put_pair(t, "kind", f.kind, NULL);
    put_pair(t, "architecture", f.architecture, f.architecture_source);
    put_pair(t, "preprocessing", f.preset, f.preprocess_source);
    input_text(&f, text, sizeof text);
    put_pair(t, "input", text, NULL);
    snprintf(text, sizeof text, "%s from 0 to %s, mean %g %g %g, std %g %g %g",
             strcmp(f.colour, "bgr") == 0 ? "blue, green, red" : "red, green, blue", f.scale,
             (double)f.mean[0], (double)f.mean[1], (double)f.mean[2], (double)f.std[0], (double)f.std[1],
             (double)f.std[2]);
    put_pair(t, "normalised", text, NULL);
    if (f.bn_epsilon > 0) {
        snprintf(text, sizeof text, "variance + %g", f.bn_epsilon);
        put_pair(t, "batch norm", text, f.bn_epsilon_source);
    }
    if (f.data_format && f.data_format[0])
        put_pair(t, "data format", f.data_format, "flag");
    if (strcmp(f.head, "none") == 0)
        snprintf(number, sizeof number, "none: features only");
    else if (f.classes)
        snprintf(number, sizeof number, "%u", (unsigned)f.classes);
    put_pair(t, "classes", number, NULL);
    put_pair(t, "labels", f.label_set && f.label_set[0] ? f.label_set : "none", f.labels_source);
}

static void put_published(term_table *t, const cistern_version *v)
{
    cistern_published p = {.size = sizeof p};
    char text[160];
    if (!cistern_version_published(v, &p))
        return;
    snprintf(text, sizeof text, "%.32s %.64s, %.32s", p.publisher, p.model, p.weights);
    put_pair(t, "published as", text, NULL);
    if (cli_show_accuracy(&p, text, sizeof text))
        put_pair(t, "accuracy", text, "ImageNet-1k, its publisher");
    put_pair(t, "licence", p.licence, NULL);
}

static void put_files(term_table *t, const cistern_version *v)
{
    cistern_file file = {.size = sizeof file};
    for (size_t i = 0; cistern_version_file(v, i, &file); i++) {
        char size[TERM_UNITS_MAX];
        term_units_bytes(file.bytes, size);
        term_table_put_styled(t, TERM_DIM, i ? "" : "files");
        term_table_printf(t, "%.200s, %s", file.path, size);
    }
}

static cistern_status put_text(cli *c, const cistern_version *v, cistern_error *err)
{
    static const term_column columns[] = {{NULL, false, false}, {NULL, false, true}};
    char aliases[512], when[160];
    term_table *t = NULL;
    cistern_status status = term_table_new(columns, 2, &t, err);
    if (status != CISTERN_OK)
        return status;
    cli_show_aliases(v, aliases, sizeof aliases);
    snprintf(when, sizeof when, "%.32s by %.100s", cistern_version_when(v), cistern_version_who(v));
    term_stream_put_styled(&c->out, TERM_BOLD, cistern_version_name(v));
    term_stream_put_styled(&c->out, TERM_BOLD, ":");
    term_stream_put_styled(&c->out, TERM_BOLD, cistern_version_tag(v));
    term_stream_put(&c->out, "\n");
    put_pair(t, "sha256", cistern_version_digest(v), NULL);
    put_pair(t, "aliases", aliases, NULL);
    put_pair(t, "origin", cistern_version_origin(v), NULL);
    put_pair(t, "recorded", when, NULL);
    put_facts(t, v);
    put_published(t, v);
    for (size_t i = 0; cistern_version_note(v, i); i++)
        put_pair(t, i ? "" : "notes", cistern_version_note(v, i), NULL);
    put_files(t, v);
    if (!cistern_version_is_here(v))
        put_pair(t, "here", "no: its bytes are damaged or gone; see: cistern verify", NULL);
    status = term_table_print(t, 2, &c->out, err);
    term_table_free(t);
    return status;
}

static void shape_text(const cistern_tensor *tensor, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t d = 0; d < tensor->rank && d < 8 && used < size; d++) {
        snprintf(out + used, size - used, "%s%llu", d ? " x " : "", (unsigned long long)tensor->shape[d]);
        used += strlen(out + used);
    }
    if (tensor->rank == 0)
        snprintf(out, size, "one number");
}

/* Views by their originals: a foreign tensor is one row, with the name that its layer has here. */
typedef struct tensors {
    const cistern_model *model;
    size_t count;
    size_t *view;                /* of each: the tensor that is a view of it, or SIZE_MAX */
    bool *hidden;                /* it is told with its original */
    cistern_tensor_stats *stats; /* NULL: not asked for */
    bool views;                  /* there are some */
} tensors;

static void tensors_clear(tensors *t)
{
    free(t->view);
    free(t->hidden);
    free(t->stats);
}

static cistern_status tensors_find(cli *c, const cistern_model *model, bool stats, tensors *t,
                                   cistern_error *err)
{
    cistern_status status = CISTERN_OK;
    size_t n = cistern_model_tensor_count(model), original;
    *t = (tensors){.model = model, .count = n};
    t->view = calloc(n + 1, sizeof *t->view);
    t->hidden = calloc(n + 1, sizeof *t->hidden);
    t->stats = stats ? calloc(n + 1, sizeof *t->stats) : NULL;
    if (!t->view || !t->hidden || (stats && !t->stats)) {
        err->status = CISTERN_NO_MEMORY;
        snprintf(err->text, sizeof err->text, "out of memory: %zu tensors", n);
        return CISTERN_NO_MEMORY;
    }
    memset(t->view, 0xff, n * sizeof *t->view); /* SIZE_MAX */
    for (size_t i = 0; i < n; i++) {
        if (!cistern_model_tensor_view_of(model, i, &original) || t->view[original] != SIZE_MAX)
            continue;
        t->view[original] = i;
        t->hidden[i] = t->views = true;
    }
    cli_call_begin(c);
    for (size_t i = 0; stats && status == CISTERN_OK && i < n; i++) {
        t->stats[i].size = sizeof t->stats[i];
        status = cistern_model_tensor_stats(model, i, c->cancel, &t->stats[i], err);
    }
    cli_call_end(c);
    return status;
}

static void put_stats(term_table *table, const cistern_tensor_stats *s)
{
    if (isnan(s->mean)) {
        for (int i = 0; i < 3; i++)
            term_table_put(table, "-");
    } else {
        term_table_printf(table, "%.6g", s->minimum);
        term_table_printf(table, "%.6g", s->maximum);
        term_table_printf(table, "%.6g", s->mean);
    }
    term_table_printf(table, "%llu", (unsigned long long)s->nans);
}

static void put_tensor(term_table *table, const tensors *t, size_t i)
{
    char shape[256];
    cistern_tensor tensor = {.size = sizeof tensor}, view = {.size = sizeof view};
    (void)cistern_model_tensor(t->model, i, &tensor);
    shape_text(&tensor, shape, sizeof shape);
    term_table_put(table, tensor.name);
    if (t->views)
        term_table_put(table, cistern_model_tensor(t->model, t->view[i], &view) ? view.name : "");
    term_table_put(table, tensor.dtype);
    term_table_put(table, shape);
    if (t->stats)
        put_stats(table, &t->stats[i]);
    term_table_printf(table, "%llu", (unsigned long long)tensor.offset);
    term_table_put(table, tensor.file);
}

static cistern_status put_tensors(cli *c, const tensors *t, cistern_error *err)
{
    static const term_column all[] = {
        {"TENSOR", false, true},  {"LAYER", false, false},  {"TYPE", false, false}, {"SHAPE", false, false},
        {"MINIMUM", true, false}, {"MAXIMUM", true, false}, {"MEAN", true, false},  {"NAN", true, false},
        {"OFFSET", true, false},  {"FILE", false, true}};
    term_column columns[sizeof all / sizeof all[0]];
    size_t count = 0;
    term_table *table = NULL;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if ((i == 1 && !t->views) || (i >= 4 && i < 8 && !t->stats))
            continue;
        columns[count++] = all[i];
    }
    cistern_status status = term_table_new(columns, count, &table, err);
    if (status != CISTERN_OK)
        return status;
    for (size_t i = 0; i < t->count; i++) {
        if (!t->hidden[i])
            put_tensor(table, t, i);
    }
    term_stream_put(&c->out, "\n");
    status = term_table_print(table, 0, &c->out, err);
    term_table_free(table);
    return status;
}

static void json_numbers(term_json *j, const char *key, const uint64_t *values, size_t n)
{
    term_json_array(j, key);
    for (size_t i = 0; i < n && i < 8; i++)
        term_json_u64(j, NULL, values[i]);
    term_json_end(j);
}

static void json_stats(term_json *j, const cistern_tensor_stats *s)
{
    term_json_double(j, "minimum", s->minimum);
    term_json_double(j, "maximum", s->maximum);
    term_json_double(j, "mean", s->mean);
    term_json_u64(j, "nans", s->nans);
    term_json_u64(j, "infinities", s->infinities);
}

static void json_tensors(term_json *j, const tensors *t)
{
    cistern_tensor tensor = {.size = sizeof tensor}, original = {.size = sizeof original};
    size_t of;
    term_json_array(j, "tensors");
    for (size_t i = 0; cistern_model_tensor(t->model, i, &tensor); i++) {
        term_json_object(j, NULL);
        term_json_text(j, "name", tensor.name);
        term_json_text(j, "dtype", tensor.dtype);
        json_numbers(j, "shape", tensor.shape, tensor.rank);
        json_numbers(j, "stride", tensor.stride, tensor.rank);
        term_json_text(j, "file", tensor.file);
        term_json_u64(j, "offset", tensor.offset);
        if (t->hidden[i] && cistern_model_tensor_view_of(t->model, i, &of) &&
            cistern_model_tensor(t->model, of, &original))
            term_json_text(j, "view_of", original.name);
        if (t->stats)
            json_stats(j, &t->stats[i]);
        term_json_end(j);
    }
    term_json_end(j);
}

static void put_json(cli *c, const cistern_version *v, const tensors *t)
{
    term_json j;
    term_json_init(&j, &c->out);
    term_json_object(&j, NULL);
    cli_show_json(&j, v);
    if (t->model)
        json_tensors(&j, t);
    term_json_end(&j);
}

static cistern_status open_model(cli *c, cistern *context, const cistern_version *version, const char *title,
                                 cistern_model **out, cistern_error *err)
{
    cistern_call call = cli_call(c, title);
    cli_call_begin(c);
    /* the very version that was found, wherever its alias points by now */
    cistern_status status = cistern_model_open(context, cistern_version_reference(version), &call, out, err);
    cli_call_end(c);
    return status;
}

static int run(cli *c, const void *values, int count, char **arguments)
{
    (void)count;
    const show_values *v = values;
    bool wanted = v->tensors || v->stats;
    cistern *context;
    cistern_version *version = NULL;
    cistern_model *model = NULL;
    tensors t = {0};
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_status status = cli_context(c, &context, &err);
    if (status == CISTERN_OK)
        status = cistern_resolve(context, arguments[0], &version, &err);
    if (status == CISTERN_OK && wanted)
        status = open_model(c, context, version, arguments[0], &model, &err);
    if (status == CISTERN_OK && wanted)
        status = tensors_find(c, model, v->stats, &t, &err);
    if (status == CISTERN_OK && c->json)
        put_json(c, version, &t);
    else if (status == CISTERN_OK)
        status = put_text(c, version, &err);
    if (status == CISTERN_OK && wanted && !c->json)
        status = put_tensors(c, &t, &err);
    tensors_clear(&t);
    cistern_model_free(model);
    cistern_version_free(version);
    return status == CISTERN_OK ? 0 : cli_fail(c, &err);
}

const cli_verb cmd_show = {
    .name = "show",
    .arguments = "REF",
    .summary = "show all that is known of a version",
    .about = "Show all that is known of a version, and in parentheses how it is known: from a flag, from a "
             "config.json, from the\n"
             "table of published files, or from the conventions of the framework that wrote the file.",
    .options = options,
    .examples = examples,
    .least = 1,
    .most = 1,
    .run = run,
};
