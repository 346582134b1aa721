/* What import, export and link share: telling what became of each file or version. */
#ifndef CLI_CARRY_H
#define CLI_CARRY_H

#include "cli_options.h"

/** For cistern_carried_fn's user: start with cli_carry_begin. */
typedef struct cli_carry {
    cli *c;
    term_json json;
    bool adopting; /* references are the data; else paths are */
    size_t count;  /* told */
    int code;      /* of the first failure told; 0: none */
} cli_carry;

/** @param adopting  whether files become versions (import), or versions files (export, link). */
void cli_carry_begin(cli_carry *carry, cli *c, bool adopting);
/** Print one: data where it went well, else an error. */
void cli_carry_tell(void *user, const cistern_carried *carried);
/** End the data. @param status  of the whole call: what was not told yet is printed. Returns the exit code. */
int cli_carry_end(cli_carry *carry, cistern_status status, const cistern_error *err);

/** The members of a verb's values, and their rows: how files are placed. */
#define CLI_PLACE_VALUES bool hardlink, symlink, force
#define CLI_PLACE_ROWS(type)                                                                                 \
    {"hardlink",                                                                                             \
     0,                                                                                                      \
     NULL,                                                                                                   \
     CLI_FLAG,                                                                                               \
     offsetof(type, hardlink),                                                                               \
     "another name of the store's own file: who writes to it damages the store"},                            \
        {"symlink", 0, NULL, CLI_FLAG, offsetof(type, symlink), "a symbolic link to the store's own file"},  \
    {                                                                                                        \
        "force", 'f', NULL, CLI_FLAG, offsetof(type, force), "replace files that have other bytes"           \
    }
/** Returns a usage error's exit code, or 0. */
int cli_carry_place(cli *c, bool hardlink, bool symlink, bool force, cistern_place_options *out);

#endif
