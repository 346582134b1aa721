/* models/<name>/aliases/<alias>/<8 digits>.json: the moves of an alias; the highest number holds.
 *
 * Invariants
 *  1. Moves are numbered densely from 1 and never freed. Each names its parent, the SHA-256 of the bytes of
 * the move before it ("" for the first). A gap or a wrong parent is damage: reading says so, and no writer
 * goes on.
 *  2. Move n+1 is made by create-if-absent, so that one of any number of writers from one state wins:
 * compare-and-swap. A writer that finds its own id under n+1 has won (its reply was lost).
 *  3. `back` is the number of the move that a rollback returns to, always lower than the move's own; 0: none.
 * A move stores the number before it; a rollback copies target and back from the move it returns to, so that
 * repeating it walks back. Removed targets, and the target it is at, are skipped.
 *  4. An alias names a version, never an alias. Versions and aliases share one namespace; should two writers
 * ever race past the checks, the version is what the tag means.
 *  5. A move onto the present target is success and makes no document.
 * Threads: any.
 */
#ifndef CATALOG_ALIAS_H
#define CATALOG_ALIAS_H

#include "catalog_version.h"

typedef struct catalog_move {
    uint32_t number; /* 1 …; 0: there is no move, the alias does not exist */
    uint32_t back;
    bool rollback;                    /* kind "rollback", else "move" */
    char target[CATALOG_TAG_MAX + 1]; /* a version's tag */
    char id[CATALOG_ID_HEX];
    char parent[BASE_SHA256_HEX]; /* "": the first */
    char digest[BASE_SHA256_HEX]; /* SHA-256 of this document's bytes */
    uint64_t sequence;            /* versions and tombstones there were; 0: not recorded */
    const char *who, *when, *why; /* for people; why may be "" */
    json_t *document;             /* owns the text above */
} catalog_move;

void catalog_move_init(catalog_move *m);
void catalog_move_clear(catalog_move *m);
void catalog_move_take(catalog_move *from, catalog_move *to);

/**
 * The move that holds, its parent checked.
 * @param out       initialised; number 0 if the alias does not exist (which is no error).
 * @retval DAMAGED  a gap, a wrong parent, a bad document: named by path.
 */
cistern_status catalog_alias_read(const store *s, const char *name, const char *alias, catalog_move *out,
                                  cistern_error *err) CISTERN_MUST_CHECK;

/** What an alias is to be moved to. All borrowed. */
typedef struct catalog_alias_change {
    const char *name;
    const char *alias;
    const char *target; /* a live version's tag */
    const char
        *expect;     /* the version that the alias must name now ("": none yet), else CONFLICT; NULL: any */
    const char *who; /* NULL: base_who() */
    const char *why; /* NULL: "" */
} catalog_alias_change;

/**
 * Move an alias, made if it does not exist.
 * @param out         initialised; the move that holds now. @param out_moved  false: it was there already.
 * @retval NOT_FOUND  no such model, or no such live version. @retval USAGE  not a tag, or a number as alias.
 * @retval CONFLICT   `alias` is a version or was one; `target` is an alias; the alias is not at `expect` (the
 * message says where it is). @retval DAMAGED  its moves. @retval NETWORK  the model's home is elsewhere.
 */
cistern_status catalog_alias_move(store *s, const catalog_alias_change *c, catalog_move *out, bool *out_moved,
                                  cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Undo the last move (see invariant 3).
 * @retval NOT_FOUND  no such alias, or nothing to go back to. @retval CONFLICT  another moved it meanwhile.
 */
cistern_status catalog_alias_rollback(store *s, const char *name, const char *alias, const char *who,
                                      const char *why, catalog_move *out,
                                      cistern_error *err) CISTERN_MUST_CHECK;

/** Call fn for each alias that exists with the move that holds (borrowed for the call), sorted by alias. */
typedef cistern_status (*catalog_alias_fn)(void *user, const char *alias, const catalog_move *move,
                                           cistern_error *err);
cistern_status catalog_alias_each(const store *s, const char *name, catalog_alias_fn fn, void *user,
                                  cistern_error *err) CISTERN_MUST_CHECK;

/** Call fn for each move of one alias, oldest first, the whole chain of parents checked. */
typedef cistern_status (*catalog_move_fn)(void *user, const catalog_move *move, cistern_error *err);
cistern_status catalog_alias_walk(const store *s, const char *name, const char *alias, catalog_move_fn fn,
                                  void *user, cistern_error *err) CISTERN_MUST_CHECK;

#endif
