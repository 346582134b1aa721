/* Settling; see tiers_settle.h. */
#include "tiers_settle.h"

#include "base_host.h"
#include "store_blob.h"
#include "store_condemn.h"
#include "store_fetch.h"

#define TRIES 3 /* a blob that is taken away again and again is taken by something that is no collector */

/* Once more under the blob's name, from an open file, under a claim that nobody else can want. */
static cistern_status put_back(store *s, const store_file *file, int fd, const char *path,
                               const base_run *run, cistern_error *err)
{
    store_fetch_want want = STORE_FETCH_WANT_INIT;
    store_fetch_got got;
    store_fetch *fetch = NULL;
    char nonce[33];
    base_digest key;
    cistern_status st = base_random_hex(16, nonce, err);
    want.sha256 = &file->sha256;
    if (st == CISTERN_OK)
        st = store_fetch_key(NULL, nonce, &key, err);
    if (st == CISTERN_OK)
        st = store_fetch_begin(s, &key, STORE_CONDEMN_WAIT_MS, run, &fetch, err);
    if (st == CISTERN_OK && !fetch)
        st = base_fail(err, CISTERN_UNEXPECTED, "a key of 128 random bits was taken");
    if (st == CISTERN_OK)
        st = store_fetch_add(fetch, fd, path, &want, run, &got, err);
    if (st == CISTERN_OK)
        st = store_fetch_publish(fetch, run, err);
    store_fetch_end(fetch, st, err);
    return st;
}

cistern_status tiers_settle_blob(store *s, const store_file *file, int fd, const char *path,
                                 const base_run *run, cistern_error *err)
{
    for (int tries = 0; tries < TRIES; tries++) {
        bool here = false;
        cistern_status st = store_condemn_wait(s, &file->sha256, STORE_CONDEMN_WAIT_MS, run, err);
        if (st == CISTERN_OK)
            st = store_blob_has(s, &file->sha256, file->size, &here, err);
        if (st != CISTERN_OK || here)
            return st;
        if (fd < 0)
            break;
        st = put_back(s, file, fd, path, run, err);
        if (st != CISTERN_OK)
            return st;
    }
    return base_fail(err, CISTERN_DAMAGED, "the bytes of '%s' went away while they were published; try again",
                     path);
}
