/* cistern prepare: make the packed weights of stored versions ahead. */
#include "cli_signal.h"
#include "cli_each.h"
#include "cli_verbs.h"
#include "term_units.h"

static const char *const examples[] = {"cistern prepare vgg16", "cistern prepare vgg16:3 --isa avx2", NULL};

static void report(cli *c, const char *reference, const char *isa, const cistern_prepare_result *r,
                   term_json *j)
{
    char size[TERM_UNITS_MAX];
    if (c->json) {
        term_json_object(j, NULL);
        term_json_text(j, "reference", reference);
        term_json_text(j, "isa", isa);
        term_json_u64(j, "bytes", r->bytes);
        term_json_bool(j, "made", r->made != 0);
        term_json_end(j);
    }
    term_units_bytes(r->bytes, size);
    cli_note(c, r->made ? "%s: packed for %s, %s" : "%s: was packed for %s already, %s", reference, isa,
             size);
}

static int prepare_one(cli *c, cistern *context, const void *values, const char *reference, term_json *j)
{
    (void)values;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_prepare_result result = {sizeof result, 0, 0};
    cistern_call call = cli_call(c, reference);
    cli_call_begin(c);
    cistern_status status = cistern_prepare(context, reference, &call, &result, &err);
    cli_call_end(c);
    if (status != CISTERN_OK)
        return cli_fail(c, &err);
    report(c, reference, cistern_isa(context), &result, j);
    return 0;
}

static int run(cli *c, const void *values, int count, char **arguments)
{
    return cli_each(c, "prepared", prepare_one, values, count, arguments);
}

const cli_verb cmd_prepare = {
    .name = "prepare",
    .arguments = "REF…",
    .summary = "make packed weights ahead, so that the first run starts at once",
    .about =
        "Rearrange the weights for this machine's kernels and keep them in the store, for image builds and "
        "init containers.\n"
        "Without it the first run does the same in memory and keeps it afterwards.",
    .examples = examples,
    .least = 1,
    .most = -1,
    .run = run,
};
