/* Verbs that do one thing to each reference they are given: rm, pin, prepare. */
#ifndef CLI_EACH_H
#define CLI_EACH_H

#include "cli.h"
#include "term_json.h"

/** Do it to one; with --json an object is put into the list. @return its exit code, told already */
typedef int (*cli_each_fn)(cli *c, cistern *context, const void *values, const char *reference,
                           term_json *json);

/**
 * Every argument in turn; an interruption ends it.
 * @param list  what the list is called with --json. @return the first failure's exit code
 */
int cli_each(cli *c, const char *list, cli_each_fn fn, const void *values, int count, char **arguments);

#endif
