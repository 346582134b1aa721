/* The store object, and the step hook of its tests. */
#ifndef STORE_OBJECT_H
#define STORE_OBJECT_H

#include <limits.h>
#include "base_host.h"
#include "base_sha256.h"
#include "base_thread.h"
#include "store_open.h"

#define STORE_ID_HEX   32
#define STORE_NAME_MAX 256 /* bytes of a path of this room's own making, with the zero */

struct store {
    int root;
    char *path;
    char id[STORE_ID_HEX + 1];
    store_role role;
    store_sharing sharing;
    base_modes modes;
    uint32_t owner;
    bool local_disk;         /* no network file system */
    char why_read_only[256]; /* empty: it may be written */
    bool verify_always;
    char *state_dir; /* or NULL */
    unsigned takeover_ms;
    void (*fault)(void *user, const char *point);
    void *fault_user;
};

/** A step between two changes on disk is done: tests of crashes end the process here. */
static inline void store_object_fault(const store *s, const char *point)
{
    if (s->fault)
        s->fault(s->fault_user, point);
}

#endif
