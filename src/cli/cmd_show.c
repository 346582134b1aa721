/* cistern show: all that is known of one version. */
#include "cli_show.h"
#include "cli_verbs.h"
#include "term_units.h"
#include <stdio.h>
#include <string.h>

typedef struct show_values {
    bool tensors;
} show_values;

static const cli_option options[] = {
    {"tensors", 0, NULL, CLI_FLAG, offsetof(show_values, tensors),
     "list its tensors: name, type, shape, place"},
    {NULL, 0, NULL, CLI_FLAG, 0, NULL},
};

static const char *const examples[] = {"cistern show vgg16", "cistern show vgg16:2 --tensors",
                                       "cistern show vgg16 --json | jq .facts", NULL};

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

static cistern_status put_tensors(cli *c, const cistern_model *model, cistern_error *err)
{
    static const term_column columns[] = {{"TENSOR", false, true},
                                          {"TYPE", false, false},
                                          {"SHAPE", false, false},
                                          {"OFFSET", true, false},
                                          {"FILE", false, true}};
    term_table *t = NULL;
    cistern_tensor tensor = {.size = sizeof tensor};
    cistern_status status = term_table_new(columns, 5, &t, err);
    if (status != CISTERN_OK)
        return status;
    for (size_t i = 0; cistern_model_tensor(model, i, &tensor); i++) {
        char shape[256];
        shape_text(&tensor, shape, sizeof shape);
        term_table_put(t, tensor.name);
        term_table_put(t, tensor.dtype);
        term_table_put(t, shape);
        term_table_printf(t, "%llu", (unsigned long long)tensor.offset);
        term_table_put(t, tensor.file);
    }
    term_stream_put(&c->out, "\n");
    status = term_table_print(t, 0, &c->out, err);
    term_table_free(t);
    return status;
}

static void json_numbers(term_json *j, const char *key, const uint64_t *values, size_t n)
{
    term_json_array(j, key);
    for (size_t i = 0; i < n && i < 8; i++)
        term_json_u64(j, NULL, values[i]);
    term_json_end(j);
}

static void json_tensors(term_json *j, const cistern_model *model)
{
    cistern_tensor tensor = {.size = sizeof tensor};
    term_json_array(j, "tensors");
    for (size_t i = 0; cistern_model_tensor(model, i, &tensor); i++) {
        term_json_object(j, NULL);
        term_json_text(j, "name", tensor.name);
        term_json_text(j, "dtype", tensor.dtype);
        json_numbers(j, "shape", tensor.shape, tensor.rank);
        json_numbers(j, "stride", tensor.stride, tensor.rank);
        term_json_text(j, "file", tensor.file);
        term_json_u64(j, "offset", tensor.offset);
        term_json_end(j);
    }
    term_json_end(j);
}

static void put_json(cli *c, const cistern_version *v, const cistern_model *model)
{
    term_json j;
    term_json_init(&j, &c->out);
    term_json_object(&j, NULL);
    cli_show_json(&j, v);
    if (model)
        json_tensors(&j, model);
    term_json_end(&j);
}

static int run(cli *c, const void *values, int count, char **arguments)
{
    (void)count;
    const show_values *v = values;
    cistern *context;
    cistern_version *version = NULL;
    cistern_model *model = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_status status = cli_context(c, &context, &err);
    if (status == CISTERN_OK)
        status = cistern_resolve(context, arguments[0], &version, &err);
    if (status == CISTERN_OK && v->tensors) {
        cistern_call call = cli_call(c, arguments[0]);
        cli_call_begin(c);
        /* the very version that was found, wherever its alias points by now */
        status = cistern_model_open(context, cistern_version_reference(version), &call, &model, &err);
        cli_call_end(c);
    }
    if (status == CISTERN_OK && c->json)
        put_json(c, version, model);
    else if (status == CISTERN_OK)
        status = put_text(c, version, &err);
    if (status == CISTERN_OK && model && !c->json)
        status = put_tensors(c, model, &err);
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
