/* What every verb of the command line is given, and how it speaks.
 *
 * Invariants
 *  1. Data goes to `out`, everything else to `notes`; an error is one line on `notes` and an exit code.
 *  2. Nothing from a document, a server or a file name is written unescaped (room term sees to it). The one exception is
 *     the output of `path`, whose bytes are a path.
 *  3. The library is only asked for a context by verbs that need one; `help` and `version` read no configuration.
 * The command line uses the public headers and room term only.
 */
#ifndef CLI_H
#define CLI_H

#include <stdbool.h>
#include <cistern/cistern.h>
#include "term_json.h"
#include "term_progress.h"
#include "term_stream.h"
#include "term_table.h"

#define CLI_MESSAGE_MAX 2048 /* bytes of one message, with the zero */
#define CLI_VALUES_MAX  256  /* bytes of a verb's option values */

typedef struct cli {
    term_stream out, notes; /* standard output, standard error */
    bool json, quiet, no_color, help, version;
    unsigned verbose;
    bool terminal_is_plain; /* TERM is unset or dumb: neither colour nor progress */
    cistern_options *options;
    cistern *context; /* NULL until cli_context */
    cistern_cancel *cancel;
    term_progress progress;
    const char *verb; /* for usage messages; NULL before it is known */
} cli;

/** The context, made at the first call from flags, environment and configuration files; borrowed. */
cistern_status cli_context(cli *c, cistern **out, cistern_error *err) CISTERN_MUST_CHECK;

/** What long calls take: the cancel token, and progress under `title` where a terminal shows it. */
cistern_call cli_call(cli *c, const char *title);
/** Around calls that watch the cancel token: ^C then waits for them to return. Outside, ^C ends the process at once. */
void cli_call_begin(cli *c);
void cli_call_end(cli *c);

/** One line for people; nothing under --quiet. Arguments are escaped. */
void cli_note(cli *c, const char *fmt, ...) CISTERN_PRINTF(2, 3);
/** Print the error, "cistern: " before it, and return its exit code. */
int cli_fail(cli *c, const cistern_error *err);
/** A mistake in the command: prints it and where to read on; returns 2. */
int cli_usage(cli *c, const char *fmt, ...) CISTERN_PRINTF(2, 3);
/** Keep the first failure of several. */
int cli_first(int before, int now);

/** Milliseconds of a clock that only grows. */
uint64_t cli_now_ms(void);
double cli_now_exact_ms(void);

#endif
