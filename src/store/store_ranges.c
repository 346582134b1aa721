/* Sets of byte ranges; see priv/store_ranges.h. */
#include "priv/store_ranges.h"
#include "base_mem.h"

cistern_status store_ranges_add(store_ranges *r, uint64_t first, uint64_t end, cistern_error *err)
{
    if (first >= end)
        return CISTERN_OK;
    if (r->count == r->capacity) {
        size_t capacity = r->capacity ? 2 * r->capacity : 64;
        if (capacity > STORE_RANGES_MAX)
            return base_fail(err, CISTERN_DAMAGED, "more than %zu ranges", STORE_RANGES_MAX);
        store_range *grown = realloc(r->item, capacity * sizeof *grown);
        if (!grown)
            return base_fail_memory(err, capacity * sizeof *grown);
        r->item = grown;
        r->capacity = capacity;
    }
    r->item[r->count++] = (store_range){first, end};
    return CISTERN_OK;
}

static int compare_ranges(const void *a, const void *b)
{
    const store_range *left = a, *right = b;
    return left->first < right->first ? -1 : left->first > right->first;
}

void store_ranges_merge(store_ranges *r)
{
    size_t kept = 0;
    if (r->count == 0)
        return;
    qsort(r->item, r->count, sizeof *r->item, compare_ranges);
    for (size_t i = 1; i < r->count; i++) {
        store_range *last = &r->item[kept];
        if (r->item[i].first > last->end)
            r->item[++kept] = r->item[i];
        else if (r->item[i].end > last->end)
            last->end = r->item[i].end;
    }
    r->count = kept + 1;
}

void store_ranges_clear(store_ranges *r)
{
    free(r->item);
    *r = (store_ranges){0};
}

uint64_t store_ranges_bytes(const store_ranges *r)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < r->count; i++)
        sum += r->item[i].end - r->item[i].first;
    return sum;
}
