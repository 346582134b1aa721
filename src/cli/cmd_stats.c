/* cistern stats: what the store holds. */
#include "cli_verbs.h"
#include "term_units.h"

static const char *const examples[] = {"cistern stats", "cistern stats --json", NULL};

static void put_json(cli *c, const cistern_stats *s)
{
    term_json j;
    term_json_init(&j, &c->out);
    term_json_object(&j, NULL);
    term_json_u64(&j, "models", s->models);
    term_json_u64(&j, "versions", s->versions);
    term_json_u64(&j, "removed_versions_kept", s->kept_removed);
    term_json_u64(&j, "blobs", s->blobs);
    term_json_u64(&j, "blob_bytes", s->blob_bytes);
    term_json_u64(&j, "chunk_bytes", s->chunk_bytes);
    term_json_u64(&j, "derived_bytes", s->derived_bytes);
    term_json_u64(&j, "partials", s->partials);
    term_json_u64(&j, "partial_bytes", s->partial_bytes);
    term_json_u64(&j, "damaged", s->damaged);
    term_json_u64(&j, "damaged_bytes", s->damaged_bytes);
    term_json_u64(&j, "removable_bytes", s->removable_bytes);
    term_json_u64(&j, "free_bytes", s->free_bytes);
    term_json_end(&j);
}

static void put_row(term_table *table, const char *what, uint64_t count, uint64_t bytes, const char *about)
{
    char size[TERM_UNITS_MAX];
    term_units_bytes(bytes, size);
    term_table_put(table, what);
    if (count != UINT64_MAX)
        term_table_printf(table, "%llu", (unsigned long long)count);
    else
        term_table_put(table, "");
    term_table_put(table, size);
    term_table_put(table, about);
}

static int put_text(cli *c, const cistern_stats *s)
{
    static const term_column columns[] = {
        {NULL, false, false}, {NULL, true, false}, {NULL, true, false}, {NULL, false, true}};
    cistern_error err = CISTERN_ERROR_INIT;
    term_table *table = NULL;
    if (term_table_new(columns, 4, &table, &err) != CISTERN_OK)
        return cli_fail(c, &err);
    term_table_put(table, "versions");
    term_table_printf(table, "%llu", (unsigned long long)s->versions);
    term_table_put(table, "");
    term_table_printf(table, "of %llu %s", (unsigned long long)s->models,
                      s->models == 1 ? "model" : "models");
    put_row(table, "blobs", s->blobs, s->blob_bytes, "the files as published");
    put_row(table, "chunk lists", UINT64_MAX, s->chunk_bytes, "digests of each 4 MiB");
    put_row(table, "derived", UINT64_MAX, s->derived_bytes, "can be made again");
    put_row(table, "partial", s->partials, s->partial_bytes, "unfinished fetches");
    put_row(table, "damaged", s->damaged, s->damaged_bytes, "set aside");
    put_row(table, "removable", UINT64_MAX, s->removable_bytes, "by cistern gc, now");
    put_row(table, "free", UINT64_MAX, s->free_bytes, "on its file system");
    cistern_status status = term_table_print(table, 0, &c->out, &err);
    term_table_free(table);
    return status == CISTERN_OK ? 0 : cli_fail(c, &err);
}

static int run(cli *c, const void *values, int count, char **arguments)
{
    cistern *context;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_stats stats = {.size = sizeof stats};
    (void)values;
    (void)count;
    (void)arguments;
    if (cli_context(c, &context, &err) != CISTERN_OK)
        return cli_fail(c, &err);
    cistern_call call = cli_call(c, "stats");
    cli_call_begin(c);
    cistern_status status = cistern_stats_read(context, &call, &stats, &err);
    cli_call_end(c);
    if (status != CISTERN_OK)
        return cli_fail(c, &err);
    if (c->json)
        put_json(c, &stats);
    return c->json ? 0 : put_text(c, &stats);
}

const cli_verb cmd_stats = {
    .name = "stats",
    .arguments = "",
    .summary = "what the store holds, and what gc would free",
    .about =
        "Print how much the store holds, by kind, how much gc would free now, and how much room there is.",
    .examples = examples,
    .least = 0,
    .most = 0,
    .run = run,
};
