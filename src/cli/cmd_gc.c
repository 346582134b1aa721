/* cistern gc: delete what nothing refers to. */
#include "cli_verbs.h"
#include "term_units.h"

typedef struct gc_values {
    bool dry_run;
} gc_values;

static const cli_option options[] = {
    {"dry-run", 'n', NULL, CLI_FLAG, offsetof(gc_values, dry_run), "only say what would be deleted"},
    {NULL, 0, NULL, CLI_FLAG, 0, NULL},
};

static const char *const examples[] = {"cistern gc --dry-run", "cistern gc --keep-removed 0", NULL};

typedef struct collection {
    cli *c;
    term_json json;
} collection;

static const char *kind_text(cistern_gc_kind kind)
{
    switch (kind) {
    case CISTERN_GC_BLOB:
        return "blob";
    case CISTERN_GC_PARTIAL:
        return "partial";
    case CISTERN_GC_DERIVED:
        return "derived";
    case CISTERN_GC_TEMPORARY:
        return "temporary";
    }
    return "other";
}

static void on_item(void *user, const cistern_gc_item *item)
{
    collection *g = user;
    char size[TERM_UNITS_MAX];
    if (g->c->json) {
        term_json_object(&g->json, NULL);
        term_json_text(&g->json, "kind", kind_text(item->kind));
        term_json_text(&g->json, "name", item->name);
        term_json_u64(&g->json, "bytes", item->bytes);
        term_json_bool(&g->json, "in_use", item->busy != 0);
        term_json_end(&g->json);
        return;
    }
    term_units_bytes(item->bytes, size);
    term_stream_printf(&g->c->out, "%-9s  ", kind_text(item->kind));
    term_stream_put_text(&g->c->out, item->name);
    term_stream_printf(&g->c->out, "  %s%s\n", size, item->busy ? "  in use, left" : "");
}

static void json_totals(term_json *j, const cistern_gc_result *r, bool dry_run)
{
    term_json_end(j);
    term_json_bool(j, "dry_run", dry_run);
    term_json_u64(j, "bytes", r->blob_bytes + r->partial_bytes + r->derived_bytes + r->temporary_bytes);
    term_json_u64(j, "blobs", r->blobs);
    term_json_u64(j, "partials", r->partials);
    term_json_u64(j, "derived", r->derived);
    term_json_u64(j, "temporaries", r->temporaries);
    term_json_u64(j, "in_use", r->busy);
    term_json_u64(j, "versions_kept", r->versions);
    term_json_u64(j, "removed_versions_kept", r->kept_removed);
    term_json_end(j);
}

static void note_totals(cli *c, const cistern_gc_result *r, bool dry_run)
{
    char size[TERM_UNITS_MAX];
    uint64_t items = r->blobs + r->partials + r->derived + r->temporaries;
    term_units_bytes(r->blob_bytes + r->partial_bytes + r->derived_bytes + r->temporary_bytes, size);
    if (items == 0)
        cli_note(c, "nothing to delete");
    else
        cli_note(c, "%s %s", size, dry_run ? "would be freed" : "freed");
    if (r->kept_removed > 0)
        cli_note(c, "%llu removed %s still kept (--keep-removed, pin)", (unsigned long long)r->kept_removed,
                 r->kept_removed == 1 ? "version is" : "versions are");
}

static int run(cli *c, const void *values, int count, char **arguments)
{
    const gc_values *v = values;
    cistern *context;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_gc_result result = {.size = sizeof result};
    collection g = {.c = c};
    (void)count;
    (void)arguments;
    if (cli_context(c, &context, &err) != CISTERN_OK)
        return cli_fail(c, &err);
    term_json_init(&g.json, &c->out);
    if (c->json) {
        term_json_object(&g.json, NULL);
        term_json_array(&g.json, "items");
    }
    cistern_call call = cli_call(c, "gc");
    cli_call_begin(c);
    cistern_status status = cistern_gc(context, v->dry_run, &call, on_item, &g, &result, &err);
    cli_call_end(c);
    if (c->json)
        json_totals(&g.json, &result, v->dry_run);
    if (status != CISTERN_OK)
        return cli_fail(c, &err);
    note_totals(c, &result, v->dry_run);
    return 0;
}

const cli_verb cmd_gc = {
    .name = "gc",
    .arguments = "",
    .summary = "delete what nothing refers to",
    .about =
        "Delete bytes of versions that were removed (rm) more than --keep-removed ago and are not pinned, "
        "unfinished fetches\n"
        "that nobody went on with for --keep-partial, and what was derived from bytes that are gone. It "
        "may run at any time,\n"
        "beside pulls and other collectors. What a process has open is left.",
    .options = options,
    .examples = examples,
    .least = 0,
    .most = 0,
    .run = run,
};
