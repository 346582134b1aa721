/* Telling where an alias points: see cli_move.h. */
#include "cli_move.h"

void cli_move_report(cli *c, const char *alias, const cistern_version *version)
{
    cli_note(c, "%s:%s is now version %s", cistern_version_name(version), alias,
             cistern_version_tag(version));
    if (!c->json) {
        term_stream_put_text(&c->out, cistern_version_reference(version));
        term_stream_put(&c->out, "\n");
        return;
    }
    term_json j;
    term_json_init(&j, &c->out);
    term_json_object(&j, NULL);
    term_json_text(&j, "alias", alias);
    term_json_text(&j, "reference", cistern_version_reference(version));
    term_json_text(&j, "name", cistern_version_name(version));
    term_json_text(&j, "tag", cistern_version_tag(version));
    term_json_text(&j, "digest", cistern_version_digest(version));
    term_json_end(&j);
}
