/* The verbs: one row each, one file each (cmd_<verb>.c), and their options as tables. */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include "cli.h"
#include "cli_options.h"

typedef struct cli_verb {
    const char *name;
    const char *arguments;       /* "MODEL IMAGE…" */
    const char *summary;         /* one line, for the list of verbs */
    const char *about;           /* paragraphs for its own help, or NULL */
    const cli_option *options;   /* ended by a row without a name; NULL: none of its own */
    const char *const *examples; /* ended by NULL */
    int least, most;             /* arguments; most -1: any number */
    /** @param values  what the options' rows filled in (zero where not given). @return the exit code. */
    int (*run)(cli *c, const void *values, int count, char **arguments);
} cli_verb;

extern const cli_verb cmd_convert, cmd_diff;
extern const cli_verb cmd_import, cmd_export, cmd_link;
extern const cli_verb cmd_bench, cmd_completion, cmd_doctor, cmd_features, cmd_gc, cmd_pin, cmd_stats,
    cmd_unpin;
extern const cli_verb cmd_add, cmd_classify, cmd_config, cmd_help, cmd_history, cmd_init, cmd_ls, cmd_path,
    cmd_prepare, cmd_pull, cmd_rm, cmd_rollback, cmd_show, cmd_tag, cmd_verify, cmd_version;

/** All verbs in the order of the help; ended by NULL. */
extern const cli_verb *const cli_verbs[];
const cli_verb *cli_verb_find(const char *name); /* NULL: none */
/** The verb that was probably meant, or NULL. */
const char *cli_verb_suggest(const char *name);

/** Help on standard output: of one verb, or (NULL) the overview. */
int cli_verb_help(cli *c, const cli_verb *verb);

#endif
