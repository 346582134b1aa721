/* Versions, lists and history as the public API shows them. */
#include "priv/api_types.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base_mem.h"
#include "catalog_history.h"
#include "tiers_index.h"
#include "tiers_open.h"

void cistern_version_free(cistern_version *v)
{
    if (!v)
        return;
    catalog_version_clear(&v->v);
    model_facts_clear(&v->facts);
    for (size_t i = 0; i < v->remark_count; i++)
        free(v->remarks[i]);
    free(v->remarks);
    free(v->aliases);
    free(v->path);
    free(v);
}

static const char *text(const char *s)
{
    return s ? s : "";
}

const char *cistern_version_name(const cistern_version *v)
{
    return v->path ? v->path : v->v.name;
}

const char *cistern_version_tag(const cistern_version *v)
{
    return v->v.tag;
}

const char *cistern_version_digest(const cistern_version *v)
{
    return v->v.digest;
}

const char *cistern_version_reference(const cistern_version *v)
{
    return v->path ? v->path : v->reference;
}

const char *cistern_version_origin(const cistern_version *v)
{
    return text(v->v.origin);
}

const char *cistern_version_when(const cistern_version *v)
{
    return text(v->v.when);
}

const char *cistern_version_who(const cistern_version *v)
{
    return text(v->v.who);
}

uint64_t cistern_version_bytes(const cistern_version *v)
{
    return v->v.size;
}

size_t cistern_version_alias_count(const cistern_version *v)
{
    return v->alias_count;
}

const char *cistern_version_alias(const cistern_version *v, size_t i)
{
    return i < v->alias_count ? v->aliases[i] : "";
}

int cistern_version_is_here(const cistern_version *v)
{
    return v->here;
}

size_t cistern_version_file_count(const cistern_version *v)
{
    return v->v.file_count;
}

int cistern_version_file(const cistern_version *v, size_t i, cistern_file *out)
{
    if (i >= v->v.file_count || !api_sized_usable(out))
        return 0;
    cistern_file file = {sizeof file, v->v.files[i].path, v->v.files[i].sha256, v->v.files[i].size};
    api_sized_give(&file, sizeof file, out);
    return 1;
}

void cistern_version_facts(const cistern_version *v, cistern_facts *out)
{
    const model_facts *f = &v->facts;
    cistern_facts facts = {.size = sizeof facts};
    facts.architecture = f->architecture;
    facts.architecture_source = model_fact_source_text(f->architecture_source);
    facts.preset = f->preset;
    facts.preprocess_source = model_fact_source_text(f->preprocess_source);
    facts.input_height = f->preprocess.height;
    facts.input_width = f->preprocess.width;
    facts.resize_short = f->preprocess.resize_short;
    facts.interpolation = model_interpolation_text(f->preprocess.interpolation);
    memcpy(facts.mean, f->preprocess.mean, sizeof facts.mean);
    memcpy(facts.std, f->preprocess.std, sizeof facts.std);
    facts.classes = f->classes;
    facts.label_set = f->label_set;
    facts.labels_source = model_fact_source_text(f->labels_source);
    facts.kind = v->kind;
    facts.resize = model_resize_text(f->preprocess.resize);
    facts.resize_height = f->preprocess.resize_height;
    facts.resize_width = f->preprocess.resize_width;
    facts.sampling = model_sampling_text(f->preprocess.sampling);
    facts.colour = model_colour_text(f->preprocess.colour);
    facts.scale = model_scale_text(f->preprocess.scale);
    facts.head = model_head_text(f->head);
    facts.bn_epsilon = f->epsilon;
    facts.bn_epsilon_source = model_fact_source_text(f->epsilon_source);
    facts.data_format = model_data_format_text(f->data_format);
    api_sized_give(&facts, sizeof facts, out);
}

const char *cistern_version_note(const cistern_version *v, size_t i)
{
    return i < v->remark_count ? v->remarks[i] : NULL;
}

const char *cistern_version_label(const cistern_version *v, uint32_t class_index)
{
    return v->facts.labels && class_index < v->facts.classes ? v->facts.labels[class_index] : NULL;
}

static cistern_status take_aliases(cistern_version *v, const catalog_listing *listing, cistern_error *err)
{
    cistern_status st;
    if (listing->alias_count == 0)
        return CISTERN_OK;
    st = base_calloc(listing->alias_count, sizeof *v->aliases, &v->aliases, err);
    for (size_t i = 0; st == CISTERN_OK && i < listing->alias_count; i++) {
        if (strcmp(listing->aliases[i].move.target, v->v.tag) == 0)
            memcpy(v->aliases[v->alias_count++], listing->aliases[i].alias, sizeof v->aliases[0]);
    }
    return st;
}

cistern_status api_version_listed(cistern *c, catalog_version *from, const catalog_listing *listing,
                                  cistern_version **out, cistern_error *err)
{
    cistern_version *v = NULL;
    cistern_status st = base_calloc(1, sizeof *v, &v, err);
    if (st != CISTERN_OK)
        return st;
    catalog_version_init(&v->v);
    model_facts_init(&v->facts);
    catalog_version_take(from, &v->v);
    catalog_version_text(&v->v, v->reference);
    st = catalog_version_facts(&v->v, &v->facts, err);
    if (st == CISTERN_OK)
        st = take_aliases(v, listing, err);
    if (st == CISTERN_OK)
        st = tiers_is_here(c->chain, &v->v, &v->here, err);
    if (st != CISTERN_OK) {
        cistern_version_free(v);
        return st;
    }
    *out = v;
    return CISTERN_OK;
}

cistern_status api_version_tell(cistern_version *v, const model_index *index, cistern_error *err)
{
    size_t n = model_index_note_count(index);
    cistern_status st = CISTERN_OK;
    snprintf(v->kind, sizeof v->kind, "%s", model_index_kind(index));
    if (n > 0)
        st = base_calloc(n, sizeof *v->remarks, &v->remarks, err);
    while (st == CISTERN_OK && v->remark_count < n) {
        st = base_strdup(model_index_note_peek(index, v->remark_count), &v->remarks[v->remark_count], err);
        v->remark_count += st == CISTERN_OK;
    }
    return st;
}

/* What only the tensor index says; where that is not at hand it stays unknown. */
static cistern_status tell(cistern *c, cistern_version *v, const model_index *index, cistern_error *err)
{
    model_index *stored = NULL;
    cistern_status st = CISTERN_OK;
    if (!index && tiers_index_get(c->chain, &v->v, &stored, NULL, NULL) == CISTERN_OK)
        index = stored;
    if (index)
        st = api_version_tell(v, index, err);
    model_index_free(stored);
    return st;
}

cistern_status api_version_new(cistern *c, catalog_version *from, const model_index *index,
                               cistern_version **out, cistern_error *err)
{
    catalog_listing listing;
    store *s = NULL;
    cistern_version *v = NULL;
    cistern_status st = tiers_local(c->chain, &s, err);
    catalog_listing_init(&listing);
    if (st == CISTERN_OK)
        st = catalog_list(s, from->name, &listing, err);
    if (st == CISTERN_OK)
        st = api_version_listed(c, from, &listing, &v, err);
    if (st == CISTERN_OK)
        st = tell(c, v, index, err);
    catalog_listing_clear(&listing);
    if (st == CISTERN_OK)
        *out = v;
    else
        cistern_version_free(v);
    return st;
}

cistern_status cistern_resolve(cistern *c, const char *reference, cistern_version **out, cistern_error *err)
{
    catalog_resolved r;
    cistern_status st;
    catalog_resolved_init(&r);
    st = tiers_resolve(c->chain, reference, &r, err);
    if (st == CISTERN_OK)
        st = api_version_new(c, &r.version, NULL, out, err);
    catalog_resolved_clear(&r);
    return st;
}

cistern_status api_store_of(const cistern *c, const char *name, store **out, cistern_error *err)
{
    cistern_status st = tiers_local_if_there(c->chain, out, err);
    if (st == CISTERN_OK && !*out)
        st = base_fail(err, CISTERN_NOT_FOUND, "no model '%s' here: there is no store at %s yet", name,
                       tiers_store_path(c->chain));
    return st;
}

struct cistern_list {
    cistern_version **versions;
    size_t count, capacity;
};

typedef struct list_reading {
    cistern *c;
    store *s;
    cistern_list *list;
} list_reading;

static cistern_status list_reserve(cistern_list *list, size_t more, cistern_error *err)
{
    cistern_version **grown = NULL;
    size_t capacity = list->count + more > list->capacity * 2 ? list->count + more : list->capacity * 2;
    cistern_status st;
    if (list->count + more <= list->capacity)
        return CISTERN_OK;
    st = base_calloc(capacity, sizeof(cistern_version *), &grown, err);
    if (st != CISTERN_OK)
        return st;
    if (list->count)
        memcpy(grown, list->versions, list->count * sizeof *grown);
    free(list->versions);
    list->versions = grown;
    list->capacity = capacity;
    return CISTERN_OK;
}

static cistern_status list_model(void *user, const char *name, cistern_error *err)
{
    list_reading *r = user;
    catalog_listing listing;
    cistern_status st;
    catalog_listing_init(&listing);
    st = catalog_list(r->s, name, &listing, err);
    if (st == CISTERN_OK)
        st = list_reserve(r->list, listing.version_count, err);
    for (size_t i = 0; st == CISTERN_OK && i < listing.version_count; i++) {
        cistern_version *v = NULL;
        if (listing.versions[i].removed)
            continue;
        st = api_version_listed(r->c, &listing.versions[i].version, &listing, &v, err);
        if (st == CISTERN_OK)
            r->list->versions[r->list->count++] = v;
    }
    catalog_listing_clear(&listing);
    return st;
}

cistern_status cistern_list_versions(cistern *c, const char *name, cistern_list **out, cistern_error *err)
{
    list_reading r = {c, NULL, NULL};
    cistern_status st = name ? catalog_name_check(name, err) : CISTERN_OK;
    if (st == CISTERN_OK)
        st = name ? api_store_of(c, name, &r.s, err) : tiers_local_if_there(c->chain, &r.s, err);
    if (st == CISTERN_OK)
        st = base_calloc(1, sizeof *r.list, &r.list, err);
    if (st == CISTERN_OK && r.s)
        st = name ? list_model(&r, name, err) : catalog_model_each(r.s, list_model, &r, err);
    if (st != CISTERN_OK) {
        cistern_list_free(r.list);
        return st;
    }
    *out = r.list;
    return CISTERN_OK;
}

size_t cistern_list_count(const cistern_list *list)
{
    return list->count;
}

const cistern_version *cistern_list_peek(const cistern_list *list, size_t i)
{
    return i < list->count ? list->versions[i] : NULL;
}

void cistern_list_free(cistern_list *list)
{
    if (!list)
        return;
    for (size_t i = 0; i < list->count; i++)
        cistern_version_free(list->versions[i]);
    free(list->versions);
    free(list);
}

struct cistern_history {
    catalog_history h;
};

cistern_status cistern_history_read(cistern *c, const char *name, cistern_history **out, cistern_error *err)
{
    cistern_history *h = NULL;
    store *s = NULL;
    cistern_status st = catalog_name_check(name, err);
    if (st == CISTERN_OK)
        st = api_store_of(c, name, &s, err);
    if (st == CISTERN_OK)
        st = base_calloc(1, sizeof *h, &h, err);
    if (st != CISTERN_OK)
        return st;
    catalog_history_init(&h->h);
    st = catalog_history_read(s, name, NULL, &h->h, err);
    if (st != CISTERN_OK) {
        cistern_history_free(h);
        return st;
    }
    *out = h;
    return CISTERN_OK;
}

size_t cistern_history_count(const cistern_history *h)
{
    return h->h.count;
}

int cistern_history_event(const cistern_history *h, size_t i, cistern_event *out)
{
    const catalog_event *e;
    cistern_event told = {.size = sizeof told};
    if (i >= h->h.count || !api_sized_usable(out))
        return 0;
    e = &h->h.events[i];
    told.kind = e->kind == CATALOG_EVENT_ADDED     ? "add"
                : e->kind == CATALOG_EVENT_REMOVED ? "remove"
                : e->rollback                      ? "rollback"
                                                   : "move";
    told.tag = e->tag;
    told.alias = e->alias;
    told.number = e->number;
    told.from = e->from;
    told.digest = e->digest;
    told.who = e->who;
    told.when = e->when;
    told.why = e->why;
    api_sized_give(&told, sizeof told, out);
    return 1;
}

void cistern_history_free(cistern_history *h)
{
    if (!h)
        return;
    catalog_history_clear(&h->h);
    free(h);
}
