/* What happened to a model, oldest first, without trusting any clock.
 *
 * The order: versions and tombstones record `sequence`, one more than the number of both that their writer saw;
 * moves record the number itself. Events are ordered by it; among equals additions come first (by tag), then removals
 * (by tag), then moves (by alias, then number). Whatever a document says, a move never comes before the addition of its
 * target or the move before it, nor a removal before the addition of what it removed. So an event stands after every
 * event that its writer knew of, except that moves of different aliases between two changes of the versions stand in a
 * fixed but arbitrary order. `when` is shown to people and decides nothing.
 */
#ifndef CATALOG_HISTORY_H
#define CATALOG_HISTORY_H

#include "catalog_remove.h"

typedef enum catalog_event_kind {
    CATALOG_EVENT_ADDED = 0,
    CATALOG_EVENT_REMOVED = 1,
    CATALOG_EVENT_MOVED = 2, /* an alias, by a move or a rollback */
} catalog_event_kind;
/** "added", "removed", "moved". */
const char *catalog_event_kind_text(catalog_event_kind kind);

typedef struct catalog_event {
    catalog_event_kind kind;
    uint64_t sequence;               /* after the corrections above */
    char tag[CATALOG_TAG_MAX + 1];   /* the version added, removed or pointed to */
    char alias[CATALOG_TAG_MAX + 1]; /* "": not a move */
    char from[CATALOG_TAG_MAX + 1];  /* of a move: where the alias was; "": it was new */
    uint32_t number;                 /* of the move; else 0 */
    bool rollback;
    char digest[BASE_SHA256_HEX]; /* of the version added; else "" */
    char *who, *when, *why;       /* never NULL; owned */
} catalog_event;

typedef struct catalog_history {
    catalog_event *events;
    size_t count;
} catalog_history;

void catalog_history_init(catalog_history *h);
void catalog_history_clear(catalog_history *h);

/**
 * @param alias       NULL: the whole model; else the moves of that alias only.
 * @param out         initialised; filled on success.
 * @retval NOT_FOUND  no such model or alias. @retval DAMAGED  a document or a chain of moves.
 */
cistern_status catalog_history_read(const store *s, const char *name, const char *alias, catalog_history *out,
                                    cistern_error *err) CISTERN_MUST_CHECK;

#endif
