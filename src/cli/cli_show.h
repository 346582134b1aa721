/* A version as JSON and as text, for the verbs that show one. */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include "cli.h"

/** Its aliases, separated by ", "; cut to size. */
void cli_show_aliases(const cistern_version *v, char *out, size_t size);
/** The members of a version's object (facts and files among them), into the object that is open. */
void cli_show_json(term_json *j, const cistern_version *v);

#endif
