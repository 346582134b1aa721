/* Options as tables: one row per option makes its parsing and its line in the help.
 *
 * Invariants
 *  1. Every option of the library (options.h) but credentials, which other users of the machine could read off a command
 *     line, is a flag here under the same name, and goes to it as text: the library judges the value.
 *  2. A verb's options and the options of every verb may stand anywhere after the verb; those of every verb also before it.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stddef.h>
#include "cli.h"

typedef enum cli_kind {
    CLI_FLAG,         /* bool at offset becomes true */
    CLI_MORE,         /* unsigned at offset is counted up */
    CLI_TEXT,         /* const char * at offset; the last one given counts */
    CLI_NUMBER,       /* unsigned at offset: a decimal number from 1 */
    CLI_LIBRARY,      /* to cistern_options_set under its own name */
    CLI_LIBRARY_FLAG, /* the same; without a value: "yes" */
} cli_kind;

typedef struct cli_option {
    const char *name;
    char letter;          /* '\0': none */
    const char *argument; /* shown in the help; NULL where there is none */
    cli_kind kind;
    size_t offset; /* into the values of the verb, or into cli for the options of every verb */
    const char *help;
} cli_option;

extern const cli_option cli_options_common[]; /* of every verb; ended by a row without a name */

/**
 * Read options.
 * @param own        the verb's rows; NULL: only the common ones, up to the first argument that is none.
 * @param values     CLI_VALUES_MAX bytes for the verb's rows.
 * @param out_first  index of the first argument that is no option; arguments are moved behind the options.
 * @return 0, or the exit code after the message was printed.
 */
int cli_options_parse(cli *c, const cli_option *own, void *values, int argc, char **argv, int *out_first);

/** Rows as lines of help. */
cistern_status cli_options_help(cli *c, const cli_option *rows, cistern_error *err) CISTERN_MUST_CHECK;

#endif
