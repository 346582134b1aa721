/* The tags of a model, from the names of its documents; see catalog_tags.h. */
#include "catalog_tags.h"
#include "priv/catalog_document.h"

#define TAGS_MAX 1000000u /* entries of one directory that are taken in: 130 MB */

/* A growing array of tags. */
typedef struct tag_list {
    catalog_tag *items;
    size_t count, capacity;
} tag_list;

void catalog_tags_init(catalog_tags *t)
{
    *t = (catalog_tags){0};
}

void catalog_tags_clear(catalog_tags *t)
{
    free(t->versions);
    free(t->aliases);
    catalog_tags_init(t);
}

int catalog_tag_compare(const char *a, const char *b)
{
    uint32_t x, y;
    bool x_number = catalog_tag_number(a, &x), y_number = catalog_tag_number(b, &y);
    if (x_number && y_number)
        return (x > y) - (x < y);
    if (x_number != y_number)
        return x_number ? -1 : 1;
    return strcmp(a, b);
}

static int compare_tags(const void *a, const void *b)
{
    return catalog_tag_compare(((const catalog_tag *)a)->text, ((const catalog_tag *)b)->text);
}

static cistern_status append(tag_list *list, const char *tag, bool removed, cistern_error *err)
{
    if (list->count == TAGS_MAX)
        return base_fail(err, CISTERN_DAMAGED, "a directory of tags has more than %u entries", TAGS_MAX);
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 16;
        catalog_tag *items = realloc(list->items, capacity * sizeof *items);
        if (!items)
            return base_fail_memory(err, capacity * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    catalog_tag *item = &list->items[list->count++];
    memcpy(item->text, tag, strlen(tag) + 1);
    item->removed = removed;
    return CISTERN_OK;
}

static cistern_status collect_version(void *user, const char *entry, cistern_error *err)
{
    char tag[CATALOG_TAG_MAX + 1];
    return catalog_entry_tag(entry, tag) ? append(user, tag, false, err) : CISTERN_OK;
}

static cistern_status collect_removed(void *user, const char *entry, cistern_error *err)
{
    char tag[CATALOG_TAG_MAX + 1];
    return catalog_entry_tag(entry, tag) ? append(user, tag, true, err) : CISTERN_OK;
}

/* Sort, and merge a version with its tombstone into one removed entry. */
static void merge(tag_list *list)
{
    size_t kept = 0;
    if (list->count > 0)
        qsort(list->items, list->count, sizeof *list->items, compare_tags);
    for (size_t i = 0; i < list->count; i++) {
        if (kept > 0 && strcmp(list->items[kept - 1].text, list->items[i].text) == 0)
            list->items[kept - 1].removed = true;
        else
            list->items[kept++] = list->items[i];
    }
    list->count = kept;
}

/* For the callback of the aliases' directory. */
typedef struct alias_walk {
    const store *s;
    const char *name;
    tag_list aliases;
} alias_walk;

static cistern_status see_move(void *user, const char *entry, cistern_error *err)
{
    (void)err;
    size_t n = strlen(entry);
    if (n == 13 && strspn(entry, "0123456789") == 8 && strcmp(entry + 8, ".json") == 0)
        *(bool *)user = true;
    return CISTERN_OK;
}

static cistern_status collect_alias(void *user, const char *entry, cistern_error *err)
{
    alias_walk *walk = user;
    char path[STORE_PATH_MAX];
    bool moved = false;
    if (!catalog_tag_valid(entry))
        return CISTERN_OK;
    catalog_document_path(path, walk->name, "/aliases/%s", entry);
    cistern_status st = store_doc_each(walk->s, path, see_move, &moved, err);
    return st == CISTERN_OK && moved ? append(&walk->aliases, entry, false, err) : st;
}

cistern_status catalog_tags_read(const store *s, const char *name, catalog_tags *out, cistern_error *err)
{
    tag_list versions = {0};
    alias_walk walk = {s, name, {0}};
    char path[STORE_PATH_MAX];
    catalog_document_path(path, name, "/versions");
    cistern_status st = store_doc_each(s, path, collect_version, &versions, err);
    catalog_document_path(path, name, "/removed");
    if (st == CISTERN_OK)
        st = store_doc_each(s, path, collect_removed, &versions, err);
    catalog_document_path(path, name, "/aliases");
    if (st == CISTERN_OK)
        st = store_doc_each(s, path, collect_alias, &walk, err);
    if (st != CISTERN_OK) {
        free(versions.items);
        free(walk.aliases.items);
        return st;
    }
    uint64_t documents = versions.count;
    merge(&versions);
    catalog_tags_clear(out);
    *out = (catalog_tags){.versions = versions.items,
                          .version_count = versions.count,
                          .aliases = walk.aliases.items,
                          .alias_count = walk.aliases.count,
                          .documents = documents};
    for (size_t i = 0; i < versions.count; i++) {
        uint32_t number;
        out->live_count += !versions.items[i].removed;
        if (catalog_tag_number(versions.items[i].text, &number))
            out->highest = number; /* they ascend */
    }
    return CISTERN_OK;
}

static const catalog_tag *find(const catalog_tag *items, size_t count, const char *tag)
{
    for (size_t low = 0, high = count; low < high;) {
        size_t middle = low + (high - low) / 2;
        int order = catalog_tag_compare(tag, items[middle].text);
        if (order == 0)
            return &items[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const catalog_tag *catalog_tags_find(const catalog_tags *t, const char *tag)
{
    return find(t->versions, t->version_count, tag);
}

bool catalog_tags_has_live(const catalog_tags *t, const char *tag)
{
    const catalog_tag *found = catalog_tags_find(t, tag);
    return found && !found->removed;
}

bool catalog_tags_has_removed(const catalog_tags *t, const char *tag)
{
    const catalog_tag *found = catalog_tags_find(t, tag);
    return found && found->removed;
}

bool catalog_tags_has_alias(const catalog_tags *t, const char *tag)
{
    return find(t->aliases, t->alias_count, tag) != NULL;
}

/* Append the last `shown` of those that live, and say so when there are more. Returns the new length. */
static size_t put_tags(const catalog_tag *items, size_t count, size_t live, char *out, size_t n, size_t size)
{
    size_t skip = live > CATALOG_TAGS_SHOWN ? live - CATALOG_TAGS_SHOWN : 0;
    const char *before = skip > 0 ? "…, " : "";
    for (size_t i = 0; i < count && n < size; i++) {
        if (items[i].removed)
            continue;
        if (skip > 0) {
            skip--;
            continue;
        }
        n += (size_t)snprintf(out + n, size - n, "%s%s", before, items[i].text);
        before = ", ";
    }
    return n < size ? n : size - 1;
}

void catalog_tags_text(const catalog_tags *t, char *out, size_t size)
{
    size_t n = 0;
    out[0] = '\0';
    if (t->live_count == 0)
        n = (size_t)snprintf(out, size, "no versions");
    else
        n = put_tags(t->versions, t->version_count, t->live_count, out, n, size);
    if (t->alias_count == 0 || n + 1 >= size)
        return;
    n += (size_t)snprintf(out + n, size - n, " and alias%s ", t->alias_count > 1 ? "es" : "");
    if (n < size)
        put_tags(t->aliases, t->alias_count, t->alias_count, out, n, size);
}
