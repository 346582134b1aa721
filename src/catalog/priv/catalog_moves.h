/* The moves of an alias inside the room: one by number, and adding the next. */
#ifndef CATALOG_MOVES_H
#define CATALOG_MOVES_H

#include "catalog_alias.h"

/** The highest number of an alias's moves, 0 if there are none. @retval DAMAGED  a gap below it. */
cistern_status catalog_moves_highest(const store *s, const char *name, const char *alias, uint32_t *out,
                                     cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Read move `number`, which must be there.
 * @param digest  what its bytes must hash to (the parent that the move above names), or NULL.
 */
cistern_status catalog_moves_load(const store *s, const char *name, const char *alias, uint32_t number,
                                  const char *digest, catalog_move *out,
                                  cistern_error *err) CISTERN_MUST_CHECK;

/** What the next move says. */
typedef struct catalog_next_move {
    const char *name, *alias;
    const catalog_move *after; /* the one that holds; number 0: there is none */
    const char *target;
    uint32_t back;
    bool rollback;
    uint64_t sequence; /* versions and tombstones there are */
    const char *who, *why;
} catalog_next_move;

/**
 * Add move after->number + 1, and write the hint.
 * @retval CONFLICT  another writer was first: read again.
 */
cistern_status catalog_moves_append(store *s, const catalog_next_move *next, catalog_move *out,
                                    cistern_error *err) CISTERN_MUST_CHECK;

#endif
