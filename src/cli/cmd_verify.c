/* cistern verify: read and hash every byte. */
#include "cli_signal.h"
#include "cli_verbs.h"
#include "term_units.h"
#include <stdio.h>
#include <string.h>

typedef struct verify_values {
    bool repair;
} verify_values;

static const cli_option options[] = {
    {"repair", 0, NULL, CLI_FLAG, offsetof(verify_values, repair),
     "fetch damaged parts again from where the version came from"},
    {NULL, 0, NULL, CLI_FLAG, 0, NULL},
};

static const char *const examples[] = {"cistern verify", "cistern verify vgg16:3 vgg16:4",
                                       "cistern verify --repair", NULL};

typedef struct verification {
    cli *c;
    term_json json;
    bool repair;
    size_t files, derived, repaired; /* repaired: of files */
    uint64_t bytes;
} verification;

static void put_json(verification *v, const cistern_verify_result *r)
{
    term_json *j = &v->json;
    term_json_object(j, NULL);
    term_json_text(j, "reference", r->reference);
    term_json_text(j, "path", r->path);
    term_json_text(j, "sha256", r->sha256);
    term_json_u64(j, "bytes", r->bytes);
    term_json_text(j, "status", cistern_status_name(r->status));
    term_json_text_or_null(j, "message", r->message);
    term_json_bool(j, "derived", r->derived != 0);
    if (v->repair) {
        term_json_bool(j, "repaired", r->repaired != 0);
        term_json_u64(j, "bytes_received", r->received);
    }
    term_json_end(j);
}

static void put_line(cli *c, const cistern_verify_result *r)
{
    bool good = r->status == CISTERN_OK;
    char size[TERM_UNITS_MAX], which[300];
    term_units_bytes(r->bytes, size);
    snprintf(which, sizeof which, "%.*s", (int)strcspn(r->reference, "@"), r->reference);
    term_stream_put_styled(&c->out, good ? TERM_GREEN : TERM_RED, good ? "ok  " : "BAD ");
    term_stream_put_text(&c->out, which);
    term_stream_put(&c->out, r->derived ? "  made here: " : "  ");
    term_stream_put_text(&c->out, r->derived ? strrchr(r->path, '/') + 1 : r->path);
    term_stream_printf(&c->out, "  %s", size);
    if (!good) {
        term_stream_put(&c->out, "  ");
        term_stream_put_text(&c->out, r->message);
    }
    if (r->repaired && r->derived) {
        term_stream_put(&c->out, "  made again");
    } else if (r->repaired) {
        term_units_bytes(r->received, size);
        term_stream_printf(&c->out, "  repaired, %s fetched", size);
    }
    term_stream_put(&c->out, "\n");
}

static void on_file(void *user, const cistern_verify_result *r)
{
    verification *v = user;
    if (r->derived) {
        v->derived++;
    } else {
        v->files++;
        v->bytes += r->bytes;
        v->repaired += r->repaired != 0;
    }
    term_progress_clear(&v->c->progress);
    if (v->c->json)
        put_json(v, r);
    else
        put_line(v->c, r);
    /* each file's line as soon as it is known; a failed write is found at the end */
    (void)!term_stream_flush(&v->c->notes, "standard error", NULL);
    (void)!term_stream_flush(&v->c->out, "standard output", NULL);
}

static int verify_one(verification *v, cistern *context, const char *reference)
{
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_call call = cli_call(v->c, reference ? reference : "all");
    cli_call_begin(v->c);
    cistern_status status = v->repair ? cistern_repair(context, reference, &call, on_file, v, &err)
                                      : cistern_verify(context, reference, &call, on_file, v, &err);
    cli_call_end(v->c);
    return status == CISTERN_OK ? 0 : cli_fail(v->c, &err);
}

static int run(cli *c, const void *values, int count, char **arguments)
{
    cistern *context;
    cistern_error err = CISTERN_ERROR_INIT;
    verification v = {.c = c, .repair = ((const verify_values *)values)->repair};
    char size[TERM_UNITS_MAX];
    int code = 0;
    if (cli_context(c, &context, &err) != CISTERN_OK)
        return cli_fail(c, &err);
    term_json_init(&v.json, &c->out);
    if (c->json) {
        term_json_object(&v.json, NULL);
        term_json_array(&v.json, "files");
    }
    if (count == 0)
        code = verify_one(&v, context, NULL);
    for (int i = 0; i < count; i++) {
        int now = verify_one(&v, context, arguments[i]);
        code = cli_first(code, now);
        if (now == cistern_status_exit_code(CISTERN_CANCELLED))
            break;
    }
    if (c->json) {
        term_json_end(&v.json);
        term_json_bool(&v.json, "ok", code == 0);
        term_json_end(&v.json);
    }
    term_units_bytes(v.bytes, size);
    if (v.repaired > 0)
        cli_note(c, "%zu %s repaired; what was damaged lies in damaged/ of the store", v.repaired,
                 v.repaired == 1 ? "file was" : "files were");
    if (code == 0)
        cli_note(c, "%zu %s, %s: all as they were published; %zu made here from them: as they were made",
                 v.files, v.files == 1 ? "file" : "files", size, v.derived);
    return code;
}

const cli_verb cmd_verify = {
    .name = "verify",
    .arguments = "[REF…]",
    .summary = "read every byte again and compare its digest",
    .about = "Read and hash every byte of the versions named, or of all, and say which file is not what it "
             "was and where;\n"
             "and what was made here from them (tensor indexes, decoded and packed weights), which opening "
             "takes on trust.\n"
             "With --repair what is damaged or gone is made whole from the address that the version records: "
             "only the damaged parts\n"
             "are fetched, and the damaged file is set aside. What was made here is made again.",
    .options = options,
    .examples = examples,
    .least = 0,
    .most = -1,
    .run = run,
};
