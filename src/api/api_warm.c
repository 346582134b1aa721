/* Before a session's first run; see priv/api_warm.h. */
#include "priv/api_types.h"

#include <stdlib.h>
#include <unistd.h>
#include "base_mem.h"
#include "base_pages.h"
#include "nn_scratch.h"

#define STEP ((size_t)2 << 20) /* bytes: a huge page, which the kernel zeroes in some 80 us */
static size_t steps_of(const api_warm_part *part)
{
    return part->bytes / STEP + (part->bytes % STEP != 0);
}

static void warm_step(void *user, size_t step)
{
    const api_warm *w = user;
    const api_warm_part *part = w->parts;
    while (step >= steps_of(part))
        step -= steps_of(part++);
    size_t at = step * STEP, left = part->bytes - at, n = left < STEP ? left : STEP;
    if (part->scratch)
        base_pages_touch((uint8_t *)part->scratch + at, n);
    else
        base_map_touch(part->file + at, n);
}

static void add_file(api_warm *w, const base_map *map)
{
    if (map->data)
        w->parts[w->count++] = (api_warm_part){.file = map->data, .bytes = map->size};
}

/* In the order of their use. Whole files: their mappings begin at pages, as what is in them need not. */
static void list_parts(cistern_session *s, api_warm *w)
{
    const cistern_model *m = s->model;
    nn_scratch_part scratch[NN_SCRATCH_PARTS];
    size_t n = nn_scratch_list(s->session, 1, scratch, NN_SCRATCH_PARTS);
    for (size_t i = 0; i < n; i++) {
        size_t before = (uintptr_t)scratch[i].data % BASE_PAGES_ALIGN;
        w->parts[w->count++] = (api_warm_part){.scratch = (uint8_t *)scratch[i].data - before,
                                               .bytes = scratch[i].bytes + before};
    }
    add_file(w, &m->packed.map.whole);
    for (size_t i = 0; i < m->file_count; i++)
        add_file(w, m->decoded.data && i + 1 == m->file_count ? &m->decoded : &m->files[i]);
}

void api_warm_begin(cistern_session *s)
{
    api_warm *w = &s->warm;
    base_pool *pool = NULL;
    size_t steps = 0;
    if (api_pool(s->model->context, &pool, NULL) != CISTERN_OK || base_pool_threads(pool) == 1 ||
        base_calloc(NN_SCRATCH_PARTS + 1 + s->model->file_count, sizeof *w->parts, &w->parts, NULL) !=
            CISTERN_OK)
        return;
    list_parts(s, w);
    for (size_t i = 0; i < w->count; i++)
        steps += steps_of(&w->parts[i]);
    w->pool = pool;
    w->process = getpid();
    base_pool_beside(pool, warm_step, w, steps);
}

void api_warm_end(cistern_session *s)
{
    api_warm *w = &s->warm;
    if (w->pool && w->process == getpid()) /* in a forked child its threads are not */
        base_pool_beside_end(w->pool, w);
    free(w->parts);
    *w = (api_warm){0};
}
