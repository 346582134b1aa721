/* Telling what import, export and link did: see cli_carry.h. */
#include "cli_carry.h"
#include "cli_bring.h"
#include <stdio.h>
#include <string.h>

void cli_carry_begin(cli_carry *carry, cli *c, bool adopting)
{
    memset(carry, 0, sizeof *carry);
    carry->c = c;
    carry->adopting = adopting;
    if (!c->json)
        return;
    term_json_init(&carry->json, &c->out);
    term_json_object(&carry->json, NULL);
    term_json_array(&carry->json, adopting ? "imported" : "placed");
}

static void put_json(cli_carry *carry, const cistern_carried *carried)
{
    term_json *j = &carry->json;
    term_json_object(j, NULL);
    term_json_text_or_null(j, "file", carried->file);
    term_json_text_or_null(j, "reference", carried->reference);
    if (carried->status != CISTERN_OK)
        term_json_text(j, "error", carried->message);
    else if (carry->adopting)
        term_json_text(j, "outcome", cli_bring_outcome(carried->outcome));
    else
        term_json_bool(j, "was_there", carried->was_there != 0);
    term_json_end(j);
}

static void put_text(cli_carry *carry, const cistern_carried *carried)
{
    cli *c = carry->c;
    if (carry->adopting) {
        cli_note(c, "%s: %s", carried->file,
                 carried->outcome == CISTERN_PULL_FETCHED ? "added" : cli_bring_outcome(carried->outcome));
        term_stream_put_text(&c->out, carried->reference);
    } else {
        cli_note(c, "%s%s", carried->reference, carried->was_there ? " is there already" : "");
        term_stream_put(&c->out, carried->file); /* as it is: scripts open it */
    }
    term_stream_put(&c->out, "\n");
}

void cli_carry_tell(void *user, const cistern_carried *carried)
{
    cli_carry *carry = user;
    carry->count++;
    if (carried->status != CISTERN_OK) {
        cistern_error err = CISTERN_ERROR_INIT;
        err.status = carried->status;
        snprintf(err.text, sizeof err.text, "%s", carried->message);
        carry->code = cli_first(carry->code, cli_fail(carry->c, &err));
    } else if (!carry->c->json) {
        put_text(carry, carried);
    }
    if (carry->c->json)
        put_json(carry, carried);
}

int cli_carry_end(cli_carry *carry, cistern_status status, const cistern_error *err)
{
    if (carry->c->json) {
        term_json_end(&carry->json);
        term_json_end(&carry->json);
    }
    if (status == CISTERN_OK)
        return 0;
    return carry->code == cistern_status_exit_code(status) ? carry->code : cli_fail(carry->c, err);
}

int cli_carry_place(cli *c, bool hardlink, bool symlink, bool force, cistern_place_options *out)
{
    if (hardlink && symlink)
        return cli_usage(c, "--hardlink and --symlink exclude each other");
    out->how = hardlink ? CISTERN_PLACE_HARDLINK : symlink ? CISTERN_PLACE_SYMLINK : CISTERN_PLACE_COPY;
    out->force = force;
    return 0;
}
