/* Markers; see store_condemn.h. */
#include "store_condemn.h"

#include <string.h>
#include "priv/store_object.h"
#include "priv/store_owner.h"
#include "priv/store_ticker.h"
#include "store_clock.h"

#define DIR       "gc/condemned"
#define LOOK_MS   20u /* between two looks at a marker */
#define HEX       (BASE_SHA256_HEX - 1)
#define NAME_SIZE (HEX + 1 + 32) /* of "<64 hex>.<32 hex>" */

cistern_status store_condemn_put(store *s, const base_digest *blob, char out_path[STORE_CONDEMN_NAME_MAX],
                                 cistern_error *err)
{
    char hex[BASE_SHA256_HEX], id[33];
    bool created = false;
    base_buf text;
    base_buf_init(&text, STORE_OWNER_MAX);
    base_digest_hex(blob, hex);
    cistern_status status = base_random_hex(16, id, err);
    if (status == CISTERN_OK)
        status = store_owner_encode(&text, err);
    if (status == CISTERN_OK) {
        snprintf(out_path, STORE_CONDEMN_NAME_MAX, DIR "/%s.%s", hex, id);
        status = base_publish_bytes(s->root, out_path, text.data, text.len, &s->modes, &created, err);
    }
    base_buf_clear(&text);
    if (status == CISTERN_OK && !created)
        status = base_fail(err, CISTERN_UNEXPECTED, "'%s' is there already", out_path);
    store_object_fault(s, "condemned");
    return status;
}

void store_condemn_clear(store *s, const char *path)
{
    cistern_status ignored = base_unlink_beneath(s->root, path, NULL);
    (void)ignored; /* the next collector or publisher removes it, for we are dead by then */
}

/* Whether the collector that put it up can delete nothing any more. */
static bool is_left_over(const store *s, const char *path)
{
    base_process owner;
    base_buf text;
    int64_t now, since;
    base_buf_init(&text, STORE_OWNER_MAX + 1);
    bool readable = base_read_beneath(s->root, path, &text, NULL) == CISTERN_OK && text.len > 0;
    if (readable)
        store_owner_decode(text.data, &owner);
    bool dead = readable && base_process_dead(&owner, s->local_disk);
    base_buf_clear(&text);
    return dead || (store_clock_of(s, path, &since) && store_clock_now(s, &now, NULL) == CISTERN_OK &&
                    now - since > STORE_CONDEMN_STALE_NS);
}

typedef struct search {
    store *s;
    const char *hex; /* NULL: any */
    bool found;      /* one that stands */
    size_t removed;
} search;

static cistern_status look_at(void *user, const char *name, cistern_error *err)
{
    search *look = user;
    char path[STORE_CONDEMN_NAME_MAX];
    (void)err;
    if (strlen(name) != NAME_SIZE || name[HEX] != '.' || (look->hex && strncmp(name, look->hex, HEX) != 0))
        return CISTERN_OK; /* not one, or of another blob */
    snprintf(path, sizeof path, DIR "/%s", name);
    if (is_left_over(look->s, path) && store_check_write(look->s, NULL) == CISTERN_OK) {
        store_condemn_clear(look->s, path);
        look->removed++;
    } else {
        look->found = true;
    }
    return CISTERN_OK;
}

cistern_status store_condemn_wait(store *s, const base_digest *blob, uint64_t wait_ms, const base_run *run,
                                  cistern_error *err)
{
    char hex[BASE_SHA256_HEX];
    uint64_t begun = base_monotonic_ms();
    base_digest_hex(blob, hex);
    for (;;) {
        search look = {.s = s, .hex = hex};
        cistern_status status = base_dir_each(s->root, DIR, look_at, &look, err);
        if (status == CISTERN_OK && look.found)
            status = base_check_cancel(store_ticker_cancel(run), err);
        if (status != CISTERN_OK || !look.found)
            return status;
        if (base_monotonic_ms() - begun >= wait_ms)
            return base_fail(
                err, CISTERN_CONFLICT,
                "a collector (gc) is about to delete the bytes %.12s...; try again when it has ended", hex);
        base_sleep_ms(LOOK_MS);
    }
}

cistern_status store_condemn_sweep(store *s, size_t *out_count, cistern_error *err)
{
    search look = {.s = s};
    cistern_status status = base_dir_each(s->root, DIR, look_at, &look, err);
    if (status == CISTERN_OK && out_count)
        *out_count = look.removed;
    return status;
}
