/* A version as JSON and as text, for the verbs that show one. */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include "cli.h"

/** Its aliases, separated by ", "; cut to size. */
void cli_show_aliases(const cistern_version *v, char *out, size_t size);
/** "71.592 % top 1, 90.382 % top 5"; false: it was not published. */
bool cli_show_accuracy(const cistern_published *p, char *out, size_t size);
/** The members of a version's object (facts and files among them), into the object that is open. */
void cli_show_json(term_json *j, const cistern_version *v);

#endif
