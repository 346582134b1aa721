/* cistern diff: which tensors of two models differ, and by how much. */
#include "cli_model.h"
#include "cli_verbs.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct diff_values {
    bool all, exit_code;
} diff_values;

static const cli_option options[] = {
    {"all", 'a', NULL, CLI_FLAG, offsetof(diff_values, all), "list equal tensors too"},
    {"exit-code", 0, NULL, CLI_FLAG, offsetof(diff_values, exit_code), "exit with 7 if they differ"},
    {NULL, 0, NULL, CLI_FLAG, 0, NULL},
};

static const char *const examples[] = {"cistern diff vgg16:1 vgg16:2", "cistern diff vgg16 ./vgg16.h5",
                                       "cistern diff vgg16:1 vgg16:2 --exit-code --quiet", NULL};

/* Where changes go while they are told. */
typedef struct listing {
    cli *c;
    bool all, json, in_facts;
    term_json j;
    term_table *tensors, *facts;
    size_t rows, fact_rows;
} listing;

static const char *change_text(cistern_change change)
{
    switch (change) {
    case CISTERN_CHANGE_NONE:
        return "equal";
    case CISTERN_CHANGE_VALUES:
        return "values";
    case CISTERN_CHANGE_DTYPE:
        return "type";
    case CISTERN_CHANGE_SHAPE:
        return "shape";
    case CISTERN_CHANGE_LEFT:
        return "only left";
    case CISTERN_CHANGE_RIGHT:
        return "only right";
    }
    return "?";
}

/* "F32 64 x 3 x 3 x 3", or "-". */
static void put_side(term_table *t, const cistern_tensor *tensor)
{
    char text[256] = "-";
    size_t used = 0;
    if (tensor) {
        snprintf(text, sizeof text, "%s", tensor->dtype);
        used = strlen(text);
    }
    for (size_t d = 0; tensor && d < tensor->rank && d < 8 && used < sizeof text; d++) {
        snprintf(text + used, sizeof text - used, "%s%llu", d ? " x " : " ",
                 (unsigned long long)tensor->shape[d]);
        used += strlen(text + used);
    }
    term_table_put(t, text);
}

static void put_row(listing *l, const cistern_tensor_change *change)
{
    term_table *t = l->tensors;
    l->rows++;
    term_table_put(t, change->name);
    term_table_printf(t, "%s%s", change_text(change->change), change->counts ? "" : " (not used)");
    put_side(t, change->left);
    put_side(t, change->right);
    if (change->change != CISTERN_CHANGE_VALUES) {
        term_table_put(t, "");
        term_table_put(t, "");
        term_table_put(t, "");
        return;
    }
    term_table_printf(t, "%llu of %llu", (unsigned long long)change->differing,
                      (unsigned long long)change->count);
    term_table_printf(t, "%.3g", change->max_absolute);
    if (isnan(change->relative))
        term_table_put(t, "-");
    else
        term_table_printf(t, "%.2g", change->relative);
}

static void json_side(term_json *j, const char *key, const cistern_tensor *tensor)
{
    if (!tensor) {
        term_json_text(j, key, NULL);
        return;
    }
    term_json_object(j, key);
    term_json_text(j, "name", tensor->name);
    term_json_text(j, "dtype", tensor->dtype);
    term_json_array(j, "shape");
    for (size_t d = 0; d < tensor->rank && d < 8; d++)
        term_json_u64(j, NULL, tensor->shape[d]);
    term_json_end(j);
    term_json_end(j);
}

static void json_row(term_json *j, const cistern_tensor_change *change)
{
    term_json_object(j, NULL);
    term_json_text(j, "name", change->name);
    term_json_text(j, "change", change_text(change->change));
    term_json_bool(j, "counts", change->counts != 0);
    json_side(j, "left", change->left);
    json_side(j, "right", change->right);
    if (change->count) {
        term_json_u64(j, "elements", change->count);
        term_json_u64(j, "differing", change->differing);
        term_json_double(j, "max_absolute", change->max_absolute);
        term_json_double(j, "relative", change->relative);
        term_json_u64(j, "at", change->at);
    }
    term_json_end(j);
}

static void on_tensor(void *user, const cistern_tensor_change *change)
{
    listing *l = user;
    if (change->change == CISTERN_CHANGE_NONE && !l->all)
        return;
    if (l->json)
        json_row(&l->j, change);
    else
        put_row(l, change);
}

static void begin_facts(listing *l)
{
    if (!l->in_facts && l->json) {
        term_json_end(&l->j);
        term_json_array(&l->j, "facts");
    }
    l->in_facts = true;
}

static void on_fact(void *user, const cistern_fact_change *change)
{
    listing *l = user;
    begin_facts(l);
    if (l->json) {
        term_json_object(&l->j, NULL);
        term_json_text(&l->j, "name", change->name);
        term_json_text_or_null(&l->j, "left", change->left);
        term_json_text_or_null(&l->j, "right", change->right);
        term_json_end(&l->j);
        return;
    }
    l->fact_rows++;
    term_table_put(l->facts, change->name);
    term_table_put(l->facts, change->left[0] ? change->left : "-");
    term_table_put(l->facts, change->right[0] ? change->right : "-");
}

static void end_json(listing *l, const cistern_diff_result *r)
{
    begin_facts(l);
    term_json_end(&l->j);
    term_json_bool(&l->j, "same", r->same != 0);
    term_json_u64(&l->j, "equal", r->equal);
    term_json_u64(&l->j, "different", r->different);
    term_json_u64(&l->j, "only_left", r->only_left);
    term_json_u64(&l->j, "only_right", r->only_right);
    term_json_u64(&l->j, "unused", r->unused);
    term_json_end(&l->j);
}

static void put_verdict(cli *c, const cistern_diff_result *r)
{
    const char *how = r->by_role ? ", compared layer by layer" : ", compared by name";
    if (r->same)
        term_stream_printf(&c->out, "equal: %llu tensors%s", (unsigned long long)r->equal, how);
    else
        term_stream_printf(&c->out,
                           "different: %llu tensors; equal: %llu; only left: %llu; only right: %llu%s",
                           (unsigned long long)r->different, (unsigned long long)r->equal,
                           (unsigned long long)r->only_left, (unsigned long long)r->only_right, how);
    if (r->facts)
        term_stream_printf(&c->out, "; facts that differ: %llu", (unsigned long long)r->facts);
    term_stream_put(&c->out, "\n");
}

static cistern_status end_text(listing *l, const cistern_diff_result *r, cistern_error *err)
{
    cistern_status status = CISTERN_OK;
    if (l->rows)
        status = term_table_print(l->tensors, 0, &l->c->out, err);
    if (l->rows && l->fact_rows)
        term_stream_put(&l->c->out, "\n");
    if (status == CISTERN_OK && l->fact_rows)
        status = term_table_print(l->facts, 0, &l->c->out, err);
    if (l->rows || l->fact_rows)
        term_stream_put(&l->c->out, "\n");
    put_verdict(l->c, r);
    return status;
}

static cistern_status begin(listing *l, char **arguments, cistern_error *err)
{
    static const term_column columns[] = {{"TENSOR", false, true},    {"DIFFERS IN", false, false},
                                          {"LEFT", false, false},     {"RIGHT", false, false},
                                          {"DIFFERING", true, false}, {"LARGEST", true, false},
                                          {"RELATIVE", true, false}};
    static const term_column fact_columns[] = {
        {"FACT", false, false}, {"LEFT", false, true}, {"RIGHT", false, true}};
    cistern_status status = term_table_new(columns, 7, &l->tensors, err);
    if (status == CISTERN_OK)
        status = term_table_new(fact_columns, 3, &l->facts, err);
    if (status != CISTERN_OK || !l->json)
        return status;
    term_json_init(&l->j, &l->c->out);
    term_json_object(&l->j, NULL);
    term_json_text(&l->j, "left", arguments[0]);
    term_json_text(&l->j, "right", arguments[1]);
    term_json_array(&l->j, "tensors");
    return CISTERN_OK;
}

static int compare(cli *c, const diff_values *v, char **arguments, const cistern_model *left,
                   const cistern_model *right)
{
    listing l = {.c = c, .all = v->all, .json = c->json};
    cistern_diff_result r = {.size = sizeof r};
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_call call = cli_call(c, arguments[1]);
    cistern_status status = begin(&l, arguments, &err);
    if (status == CISTERN_OK) {
        cli_call_begin(c);
        status = cistern_diff(left, right, &call, on_tensor, on_fact, &l, &r, &err);
        cli_call_end(c);
    }
    if (status == CISTERN_OK && l.json)
        end_json(&l, &r);
    else if (status == CISTERN_OK)
        status = end_text(&l, &r, &err);
    term_table_free(l.tensors);
    term_table_free(l.facts);
    if (status != CISTERN_OK)
        return cli_fail(c, &err);
    return v->exit_code && !r.same ? cistern_status_exit_code(CISTERN_CONFLICT) : 0;
}

static int run(cli *c, const void *values, int count, char **arguments)
{
    (void)count;
    const diff_values *v = values;
    cistern_model *left = NULL, *right = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_status status = cli_model_open(c, arguments[0], NULL, &left, &err);
    if (status == CISTERN_OK)
        status = cli_model_open(c, arguments[1], NULL, &right, &err);
    int code = status == CISTERN_OK ? compare(c, v, arguments, left, right) : cli_fail(c, &err);
    cistern_model_free(right);
    cistern_model_free(left);
    return code;
}

const cli_verb cmd_diff = {
    .name = "diff",
    .arguments = "MODEL MODEL",
    .summary = "tell which tensors of two models differ, and by how much",
    .about = "Compare two models, each a reference or a weight file. The tensors of two VGGs are compared "
             "layer by "
             "layer, whatever\n"
             "their files call them and however they lay them out: a .pth and an .h5 of the same weights are "
             "equal. Others are\n"
             "compared by name. Listed are the tensors that differ, with the largest difference and that "
             "divided by the largest\n"
             "magnitude on the left, and the facts that differ. The last line says \"equal\" or "
             "\"different\": kinds "
             "of files and\n"
             "preprocessing do not make models different, and neither do counters of training.",
    .options = options,
    .examples = examples,
    .least = 2,
    .most = 2,
    .run = run,
};
