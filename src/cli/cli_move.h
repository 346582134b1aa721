/* What tag and rollback share: telling where an alias points now. */
#ifndef CLI_MOVE_H
#define CLI_MOVE_H

#include "cli.h"

void cli_move_report(cli *c, const char *alias, const cistern_version *version);

#endif
