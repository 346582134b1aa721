/* What a model has; see catalog_list.h. */
#include "catalog_list.h"
#include "base_mem.h"
#include "catalog_tags.h"
#include "priv/catalog_manifest.h"

void catalog_listing_init(catalog_listing *l)
{
    *l = (catalog_listing){.versions = NULL};
}

void catalog_listing_clear(catalog_listing *l)
{
    for (size_t i = 0; i < l->version_count; i++) {
        catalog_version_clear(&l->versions[i].version);
        free(l->versions[i].fault);
    }
    for (size_t i = 0; i < l->alias_count; i++) {
        catalog_move_clear(&l->aliases[i].move);
        free(l->aliases[i].fault);
    }
    free(l->versions);
    free(l->aliases);
    catalog_listing_init(l);
}

/* What a damaged document becomes in a listing: a copy of its error; anything else is passed on. */
static cistern_status keep_fault(cistern_status st, const cistern_error *why, cistern_error **out,
                                 cistern_error *err)
{
    if (st == CISTERN_DAMAGED || st == CISTERN_CONFLICT) {
        st = base_calloc(1, sizeof **out, out, err);
        if (st == CISTERN_OK)
            **out = *why;
        return st;
    }
    if (st != CISTERN_OK && err)
        *err = *why;
    return st;
}

static cistern_status list_version(const store *s, const catalog_model *model, const catalog_tag *tag,
                                   catalog_listing *out, cistern_error *err)
{
    catalog_listed *item = &out->versions[out->version_count];
    cistern_error why = CISTERN_ERROR_INIT;
    bool found = false;
    catalog_version_init(&item->version);
    cistern_status st = catalog_version_load(s, model, tag->text, &item->version, &found, &why);
    st = keep_fault(st, &why, &item->fault, err);
    if (st != CISTERN_OK || (!found && !item->fault))
        return st; /* a tombstone without a version has nothing to show */
    memcpy(item->version.tag, tag->text, sizeof item->version.tag);
    item->removed = tag->removed;
    out->version_count++;
    out->live_count += !tag->removed && !item->fault;
    return CISTERN_OK;
}

static cistern_status list_alias(const store *s, const char *alias, catalog_listing *out, cistern_error *err)
{
    catalog_listed_alias *item = &out->aliases[out->alias_count];
    cistern_error why = CISTERN_ERROR_INIT;
    catalog_move_init(&item->move);
    cistern_status st = catalog_alias_read(s, out->model.name, alias, &item->move, &why);
    st = keep_fault(st, &why, &item->fault, err);
    if (st != CISTERN_OK)
        return st;
    memcpy(item->alias, alias, strlen(alias) + 1);
    out->alias_count++;
    return CISTERN_OK;
}

/* Damaged ones last: they have no place in the order. */
static int compare_listed(const void *a, const void *b)
{
    const catalog_listed *x = a, *y = b;
    if (!x->fault != !y->fault)
        return x->fault ? 1 : -1;
    return catalog_version_order(&x->version, &y->version);
}

cistern_status catalog_list(const store *s, const char *name, catalog_listing *out, cistern_error *err)
{
    catalog_listing l;
    catalog_tags tags;
    catalog_listing_init(&l);
    catalog_tags_init(&tags);
    cistern_status st = catalog_model_read(s, name, &l.model, err);
    if (st == CISTERN_OK)
        st = catalog_tags_read(s, name, &tags, err);
    if (st == CISTERN_OK)
        st = base_calloc(tags.version_count + 1, sizeof *l.versions, &l.versions, err);
    if (st == CISTERN_OK)
        st = base_calloc(tags.alias_count + 1, sizeof *l.aliases, &l.aliases, err);
    for (size_t i = 0; i < tags.version_count && st == CISTERN_OK; i++)
        st = list_version(s, &l.model, &tags.versions[i], &l, err);
    for (size_t i = 0; i < tags.alias_count && st == CISTERN_OK; i++)
        st = list_alias(s, tags.aliases[i].text, &l, err);
    if (st == CISTERN_OK) {
        qsort(l.versions, l.version_count, sizeof *l.versions, compare_listed);
        catalog_listing_clear(out);
        *out = l;
        catalog_listing_init(&l);
    }
    catalog_listing_clear(&l);
    catalog_tags_clear(&tags);
    return st;
}
