/* One store: a directory in the layout of docs/store-format.md. Opening, making, what it is.
 *
 * Invariants
 *  1. `cistern.json` is created once, by create-if-absent, before anything else, and never changes.
 *  2. A reading call never creates anything in the store; only store_init makes one.
 *  3. A store object never changes after it was opened: any thread may use it.
 *  4. Everything is opened beneath the root descriptor, without following links.
 * It knows nothing of models, versions or aliases: those are the catalogue's documents.
 */
#ifndef STORE_OPEN_H
#define STORE_OPEN_H

#include <stdbool.h>
#include "base_file.h"

#define STORE_FORMAT 1 /* of the layout; what a store of a higher format holds is not for this program */

typedef enum store_role {
    STORE_HOME = 1,  /* the models' own store: the only copy */
    STORE_CACHE = 2, /* copies of what another store holds */
} store_role;

typedef enum store_sharing {
    STORE_SHARING_USER = 1,  /* its owner only */
    STORE_SHARING_GROUP = 2, /* written by a group */
    STORE_SHARING_ALL = 3,   /* written by a group, read by all */
} store_sharing;

/** How a store is opened. Text is copied. Start from STORE_OPTIONS_INIT. */
typedef struct store_options {
    size_t size;           /* sizeof(store_options) */
    bool read_only;        /* every writing call is DENIED */
    bool verify_always;    /* no identity record is believed: each open hashes the whole blob */
    const char *state_dir; /* "$XDG_STATE_HOME/cistern": where identity records are kept; NULL: nowhere */
    unsigned takeover_ms;  /* a claim whose counter stands still for so long may be taken over; 0: 20000 */
    /* For tests of crashes: called with the name of each step between two changes on disk; NULL: nothing. */
    void (*fault)(void *user, const char *point);
    void *fault_user;
} store_options;

#define STORE_OPTIONS_INIT                                                                                   \
    {                                                                                                        \
        sizeof(store_options), false, false, NULL, 0, NULL, NULL                                             \
    }

typedef struct store store;

/**
 * Open an existing store.
 * @param path     of its directory; links on the way there are followed.
 * @param options  borrowed for the call; NULL: STORE_OPTIONS_INIT.
 * @param out      freed with store_free.
 * @retval NOT_FOUND  no such directory, or an empty one.
 * @retval DAMAGED    not empty and no cistern.json; a broken one; a newer format or an unknown read feature
 * (both named, with what to do).
 * @retval DENIED     may not be read. @retval USAGE not a directory. @retval NO_MEMORY, UNEXPECTED
 * An unknown write feature, or sharing that this version cannot write, makes it read-only: see
 * store_check_write.
 */
cistern_status store_open(const char *path, const store_options *options, store **out,
                          cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Make a store in a directory that is absent or empty, and open it. One that is there already is opened: so
 * many processes may do this at once.
 * @param out_created  may be NULL.
 * @retval DAMAGED   not empty and no store. @retval CONFLICT  a store of another role or sharing.
 * @retval USAGE     a role or sharing that this version does not support, a network file system (its type
 * named), or options->read_only.
 * @retval others    as store_open; NO_SPACE.
 */
cistern_status store_init(const char *path, store_role role, store_sharing sharing,
                          const store_options *options, store **out, bool *out_created,
                          cistern_error *err) CISTERN_MUST_CHECK;

void store_free(store *s); /* NULL allowed; every fetch on it has ended */

const char *store_id(const store *s);   /* 32 hexadecimal digits; borrowed while the store lives */
const char *store_path(const store *s); /* absolute if it could be made so; borrowed likewise */
int store_root_fd(const store *s);      /* borrowed likewise */
store_role store_role_of(const store *s);
store_sharing store_sharing_of(const store *s);
const base_modes *store_modes(const store *s); /* from its sharing; borrowed likewise */
uint32_t store_owner(const store *s);          /* the user who owns cistern.json */

/** Whether this store may be written at all. @retval DENIED  why not: opened read-only, an unknown write
 * feature. */
cistern_status store_check_write(const store *s, cistern_error *err) CISTERN_MUST_CHECK;

const char *store_role_text(store_role role);          /* "home", "cache" */
const char *store_sharing_text(store_sharing sharing); /* "user", "group", "all" */

#endif
