/* The history of a model, put together from its documents; see catalog_history.h for the order. */
#include "catalog_history.h"
#include "base_mem.h"
#include "catalog_list.h"
#include "catalog_tags.h"
#include "priv/catalog_manifest.h"

#define EVENTS_MAX 4000000u /* events that are taken in at once; a history of more is not shown */

void catalog_history_init(catalog_history *h)
{
    *h = (catalog_history){NULL, 0};
}

static void clear_event(catalog_event *e)
{
    free(e->who);
    free(e->when);
    free(e->why);
}

void catalog_history_clear(catalog_history *h)
{
    for (size_t i = 0; i < h->count; i++)
        clear_event(&h->events[i]);
    free(h->events);
    catalog_history_init(h);
}

const char *catalog_event_kind_text(catalog_event_kind kind)
{
    switch (kind) {
    case CATALOG_EVENT_ADDED:
        return "added";
    case CATALOG_EVENT_MOVED:
        return "moved";
    case CATALOG_EVENT_REMOVED:
        return "removed";
    }
    return "?";
}

/* A history being gathered. */
typedef struct gathering {
    const store *s;
    const catalog_listing *listing;
    catalog_history history;
    size_t capacity;
    const char *alias;            /* the one whose moves are being walked */
    uint64_t sequence;            /* of its last move */
    char at[CATALOG_TAG_MAX + 1]; /* where its last move left it */
} gathering;

/* Add an event; the texts are copied. */
static cistern_status add(gathering *g, const catalog_event *event, const char *who, const char *when,
                          const char *why, cistern_error *err)
{
    catalog_history *h = &g->history;
    if (h->count == EVENTS_MAX)
        return base_fail(err, CISTERN_UNEXPECTED, "the history has more than %u events", EVENTS_MAX);
    if (h->count == g->capacity) {
        size_t capacity = g->capacity ? 2 * g->capacity : 16;
        catalog_event *events = realloc(h->events, capacity * sizeof *events);
        if (!events)
            return base_fail_memory(err, capacity * sizeof *events);
        h->events = events;
        g->capacity = capacity;
    }
    catalog_event e = *event;
    cistern_status st = base_strdup(who, &e.who, err);
    if (st == CISTERN_OK)
        st = base_strdup(when, &e.when, err);
    if (st == CISTERN_OK)
        st = base_strdup(why, &e.why, err);
    if (st == CISTERN_OK)
        h->events[h->count++] = e;
    else
        clear_event(&e);
    return st;
}

/* The sequence of a version that the model has, 0 if it is not there. */
static uint64_t added_at(const catalog_listing *l, const char *tag)
{
    for (size_t i = 0; i < l->version_count; i++)
        if (!l->versions[i].fault && strcmp(l->versions[i].version.tag, tag) == 0)
            return l->versions[i].version.sequence;
    return 0;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static cistern_status gather_version(gathering *g, const catalog_listed *item, cistern_error *err)
{
    const catalog_version *v = &item->version;
    catalog_event added = {.kind = CATALOG_EVENT_ADDED, .sequence = v->sequence};
    if (item->fault) {
        if (err)
            *err = *item->fault;
        return item->fault->status;
    }
    memcpy(added.tag, v->tag, sizeof added.tag);
    memcpy(added.digest, v->digest, sizeof added.digest);
    cistern_status st = add(g, &added, v->who, v->when, v->origin ? v->origin : "", err);
    if (st != CISTERN_OK || !item->removed)
        return st;
    catalog_tombstone stone;
    bool found = false;
    catalog_tombstone_init(&stone);
    st = catalog_tombstone_read(g->s, v->name, v->tag, &stone, &found, err);
    if (st == CISTERN_OK && found) {
        catalog_event removed = {.kind = CATALOG_EVENT_REMOVED,
                                 .sequence = later(stone.sequence, v->sequence + 1)};
        memcpy(removed.tag, v->tag, sizeof removed.tag);
        st = add(g, &removed, stone.who, stone.when, stone.why, err);
    }
    catalog_tombstone_clear(&stone);
    return st;
}

static cistern_status gather_move(void *user, const catalog_move *m, cistern_error *err)
{
    gathering *g = user;
    g->sequence = later(g->sequence, later(m->sequence, added_at(g->listing, m->target)));
    catalog_event moved = {
        .kind = CATALOG_EVENT_MOVED, .sequence = g->sequence, .number = m->number, .rollback = m->rollback};
    memcpy(moved.tag, m->target, sizeof moved.tag);
    memcpy(moved.alias, g->alias, strlen(g->alias) + 1);
    memcpy(moved.from, g->at, sizeof moved.from);
    memcpy(g->at, m->target, sizeof g->at);
    return add(g, &moved, m->who, m->when, m->why, err);
}

static cistern_status gather_alias(gathering *g, const char *alias, cistern_error *err)
{
    g->alias = alias;
    g->sequence = 0;
    g->at[0] = '\0';
    return catalog_alias_walk(g->s, g->listing->model.name, alias, gather_move, g, err);
}

static int compare_events(const void *a, const void *b)
{
    const catalog_event *x = a, *y = b;
    if (x->sequence != y->sequence)
        return x->sequence < y->sequence ? -1 : 1;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    int order = strcmp(x->alias, y->alias);
    if (order == 0)
        order = (x->number > y->number) - (x->number < y->number);
    return order != 0 ? order : catalog_tag_compare(x->tag, y->tag);
}

static cistern_status gather(gathering *g, const char *alias, cistern_error *err)
{
    const catalog_listing *l = g->listing;
    cistern_status st = CISTERN_OK;
    bool found = false;
    for (size_t i = 0; i < l->version_count && st == CISTERN_OK && !alias; i++)
        st = gather_version(g, &l->versions[i], err);
    for (size_t i = 0; i < l->alias_count && st == CISTERN_OK; i++) {
        if (alias && strcmp(alias, l->aliases[i].alias) != 0)
            continue;
        found = true;
        st = gather_alias(g, l->aliases[i].alias, err);
    }
    if (st == CISTERN_OK && alias && !found)
        st = base_fail(err, CISTERN_NOT_FOUND, "%s has no alias '%s'; see: cistern ls %s", l->model.name,
                       alias, l->model.name);
    return st;
}

cistern_status catalog_history_read(const store *s, const char *name, const char *alias, catalog_history *out,
                                    cistern_error *err)
{
    catalog_listing listing;
    gathering g = {.s = s, .listing = &listing};
    catalog_listing_init(&listing);
    cistern_status st = alias ? catalog_tag_check(alias, err) : CISTERN_OK;
    if (st == CISTERN_OK)
        st = catalog_list(s, name, &listing, err);
    if (st == CISTERN_OK)
        st = gather(&g, alias, err);
    if (st == CISTERN_OK) {
        if (g.history.count > 0)
            qsort(g.history.events, g.history.count, sizeof *g.history.events, compare_events);
        catalog_history_clear(out);
        *out = g.history;
        catalog_history_init(&g.history);
    }
    catalog_history_clear(&g.history);
    catalog_listing_clear(&listing);
    return st;
}
