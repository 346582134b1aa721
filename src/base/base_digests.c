/* A sorted array; see base_digests.h. */
#include "base_digests.h"

#include <stdlib.h>
#include <string.h>
#include "base_mem.h"

#define FIRST_CAPACITY 64

void base_digests_init(base_digests *set)
{
    *set = (base_digests){NULL, 0, 0};
}

void base_digests_clear(base_digests *set)
{
    free(set->item);
    base_digests_init(set);
}

cistern_status base_digests_put(base_digests *set, const base_digest *digest, cistern_error *err)
{
    if (set->count == set->capacity) {
        size_t capacity = set->capacity ? set->capacity * 2 : FIRST_CAPACITY, bytes;
        base_digest *grown = NULL;
        if (base_mul_size(capacity, sizeof *grown, &bytes))
            grown = realloc(set->item, bytes);
        if (!grown)
            return base_fail_memory(err, capacity);
        set->item = grown;
        set->capacity = capacity;
    }
    set->item[set->count++] = *digest;
    return CISTERN_OK;
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(base_digest));
}

void base_digests_seal(base_digests *set)
{
    size_t kept = 0;
    if (set->count == 0)
        return;
    qsort(set->item, set->count, sizeof *set->item, compare);
    for (size_t i = 1; i < set->count; i++)
        if (compare(&set->item[kept], &set->item[i]) != 0)
            set->item[++kept] = set->item[i];
    set->count = kept + 1;
}

bool base_digests_has(const base_digests *set, const base_digest *digest)
{
    return set->count > 0 && bsearch(digest, set->item, set->count, sizeof *set->item, compare) != NULL;
}
