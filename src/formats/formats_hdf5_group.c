/* HDF5 groups: version-1 B-trees with local heaps and symbol nodes, and link messages (specification III.A.1, III.B to D).
 *
 * Invariants
 *  1. A child of a B-tree node of level n has level n-1: a node cannot be its own descendant.
 *  2. Names are unique in a group; they are found by looking at all, not by trusting the order of keys.
 */
#include "priv/formats_hdf5.h"

#include <stdlib.h>
#include <string.h>
#include "base_mem.h"

#define NODE_HEAD    24u /* bytes before the first key of a B-tree node */
#define SYMBOL_HEAD  8u
#define SYMBOL_BYTES 40u
#define CACHED_SOFT  2u /* cache type of a soft link */

typedef struct heap {
    uint64_t at; /* address of the names */
    const uint8_t *names;
    uint64_t size;
} heap;

typedef struct listing {
    formats_hdf5_links *links;
    uint64_t tree, heap; /* addresses of an old group's; UNDEFINED: it has none */
    bool group;
} listing;

static cistern_status add_link(formats_hdf5 *h, formats_hdf5_links *links, const formats_hdf5_link *link)
{
    if (links->count == FORMATS_HDF5_LINKS_MAX)
        return FORMATS_HDF5_FAIL(h, link->at, "a group of more than %u members", FORMATS_HDF5_LINKS_MAX);
    if (links->count == links->capacity) {
        size_t capacity = links->capacity ? links->capacity * 2 : 16;
        formats_hdf5_link *bigger;
        cistern_status st = base_calloc(capacity, sizeof *bigger, &bigger, h->err);
        if (st)
            return st;
        if (links->count)
            memcpy(bigger, links->link, links->count * sizeof *bigger);
        free(links->link);
        links->link = bigger;
        links->capacity = capacity;
    }
    links->link[links->count++] = *link;
    return CISTERN_OK;
}

/* ---- old groups ---- */

static cistern_status read_heap(formats_hdf5 *h, uint64_t address, heap *out)
{
    const uint8_t *p;
    cistern_status st = formats_hdf5_take(h, address, 32, "a group's heap", &p);

    if (st)
        return st;
    if (memcmp(p, "HEAP", 4) != 0)
        return FORMATS_HDF5_FAIL(h, address, "no heap of names where a group should have one");
    out->size = formats_hdf5_le(p + 8, 8);
    out->at = formats_hdf5_le(p + 24, 8);
    return formats_hdf5_take(h, out->at, out->size, "a heap of names", &out->names);
}

/* One of a symbol node's entries. */
static cistern_status read_symbol(formats_hdf5 *h, const heap *names, const uint8_t *p, uint64_t at,
                                  formats_hdf5_link *out)
{
    uint64_t name = formats_hdf5_le(p, 8);
    const uint8_t *end;

    if (name >= names->size)
        return FORMATS_HDF5_FAIL(h, at, "a member's name is byte %llu of a heap of %llu",
                                 (unsigned long long)name, (unsigned long long)names->size);
    out->name = names->names + name;
    if (!(end = memchr(out->name, 0, (size_t)(names->size - name))))
        return FORMATS_HDF5_FAIL(h, names->at + name, "a member's name does not end in its heap");
    out->len = (size_t)(end - out->name);
    out->address = formats_hdf5_le(p + 8, 8);
    out->at = at;
    if (formats_hdf5_le(p + 16, 4) == CACHED_SOFT || out->address == FORMATS_HDF5_UNDEFINED) {
        out->address = FORMATS_HDF5_UNDEFINED;
        out->other = "a soft link";
    }
    return CISTERN_OK;
}

static cistern_status read_symbols(formats_hdf5 *h, const heap *names, uint64_t at, formats_hdf5_links *links)
{
    const uint8_t *p;
    cistern_status st = formats_hdf5_take(h, at, SYMBOL_HEAD, "a symbol node", &p);

    if (st)
        return st;
    if (memcmp(p, "SNOD", 4) != 0)
        return FORMATS_HDF5_FAIL(h, at, "no symbol node where a group should have one");
    uint64_t count = formats_hdf5_le(p + 6, 2);
    st = formats_hdf5_take(h, at + SYMBOL_HEAD, count * SYMBOL_BYTES, "a symbol node", &p);
    for (uint64_t i = 0; !st && i < count; i++) {
        formats_hdf5_link link = {0};
        st = read_symbol(h, names, p + i * SYMBOL_BYTES, at + SYMBOL_HEAD + i * SYMBOL_BYTES, &link);
        if (!st)
            st = add_link(h, links, &link);
    }
    return st;
}

/* A B-tree node on the way down. */
typedef struct level {
    const uint8_t *entries; /* key, child, key, child … */
    unsigned level, count, next;
} level;

static cistern_status enter_node(formats_hdf5 *h, uint64_t at, unsigned above, level *out)
{
    const uint8_t *p;
    cistern_status st = formats_hdf5_take(h, at, NODE_HEAD, "a B-tree node", &p);

    if (st)
        return st;
    if (memcmp(p, "TREE", 4) != 0 || p[4] != 0)
        return FORMATS_HDF5_FAIL(h, at, "no B-tree node where a group should have one");
    if (above ? p[5] != above - 1 : p[5] >= FORMATS_HDF5_DEPTH_MAX)
        return FORMATS_HDF5_FAIL(h, at, "a B-tree node of level %u where it should be %s%u: a loop?", p[5],
                                 above ? "" : "below ", above ? above - 1 : FORMATS_HDF5_DEPTH_MAX);
    *out = (level){.level = p[5], .count = (unsigned)formats_hdf5_le(p + 6, 2)};
    return formats_hdf5_take(h, at + NODE_HEAD, out->count * (uint64_t)16 + 8, "a B-tree node",
                             &out->entries);
}

static cistern_status walk_tree(formats_hdf5 *h, uint64_t root, const heap *names, formats_hdf5_links *links)
{
    level stack[FORMATS_HDF5_DEPTH_MAX];
    size_t depth = 1;
    cistern_status st = enter_node(h, root, 0, &stack[0]);

    while (!st && depth) {
        level *top = &stack[depth - 1];
        if (top->next == top->count) {
            depth--;
            continue;
        }
        uint64_t child = formats_hdf5_le(top->entries + (size_t)top->next++ * 16 + 8, 8);
        if (top->level == 0)
            st = read_symbols(h, names, child, links);
        else
            st = enter_node(h, child, top->level, &stack[depth++]);
    }
    return st;
}

static cistern_status list_old(formats_hdf5 *h, const listing *l)
{
    heap names;
    cistern_status st = read_heap(h, l->heap, &names);

    return st ? st : walk_tree(h, l->tree, &names, l->links);
}

/* ---- new groups ---- */

/* A link message (IV.A.2.g). */
static cistern_status read_link(formats_hdf5 *h, const formats_hdf5_message *m, formats_hdf5_links *links)
{
    formats_hdf5_link link = {.at = m->at, .address = FORMATS_HDF5_UNDEFINED};
    unsigned flags = m->size >= 2 ? m->data[1] : 0, kind = 0, width = 1u << (flags & 3);
    size_t at = 2u + (flags & 8 ? 1u : 0u) + (flags & 4 ? 8u : 0u) + (flags & 0x10 ? 1u : 0u);

    if (m->size < at + width || m->data[0] != 1)
        return FORMATS_HDF5_FAIL(h, m->at, "a link message that is cut or of another version than 1");
    if (flags & 8)
        kind = m->data[2];
    uint64_t len = formats_hdf5_le(m->data + at, width);
    at += width;
    if (len > m->size - at || (kind == 0 && m->size - at - len < 8))
        return FORMATS_HDF5_FAIL(h, m->at, "a link message whose name reaches beyond it");
    link.name = m->data + at;
    link.len = (size_t)len;
    if (kind == 0)
        link.address = formats_hdf5_le(m->data + at + link.len, 8);
    else
        link.other = kind == 1    ? "a soft link"
                     : kind == 64 ? "an external link"
                                  : "a link of an unknown kind";
    return add_link(h, links, &link);
}

/* Link info (IV.A.2.c): where further links are, when there are many. */
static cistern_status check_link_info(formats_hdf5 *h, const formats_hdf5_message *m)
{
    size_t at = 2 + (m->size >= 2 && (m->data[1] & 1) ? 8 : 0);

    if (m->size < at + 8)
        return FORMATS_HDF5_FAIL(h, m->at, "a link info message that is cut");
    if (formats_hdf5_le(m->data + at, 8) != FORMATS_HDF5_UNDEFINED)
        return FORMATS_HDF5_FAIL(
            h, m->at,
            "a group with dense links (written with libver='latest' or track_order), which "
            "this version does not read: save the file again with h5py's defaults");
    return CISTERN_OK;
}

static cistern_status list_message(formats_hdf5 *h, void *user, const formats_hdf5_message *m)
{
    listing *l = user;

    switch (m->type) {
    case FORMATS_HDF5_SYMBOL_TABLE:
        if (m->size < 16 || m->shared)
            return FORMATS_HDF5_FAIL(h, m->at, "a symbol table message of %zu bytes, 16 are needed", m->size);
        l->tree = formats_hdf5_le(m->data, 8);
        l->heap = formats_hdf5_le(m->data + 8, 8);
        return CISTERN_OK;
    case FORMATS_HDF5_LINK_INFO:
        return check_link_info(h, m);
    case FORMATS_HDF5_LINK:
        return read_link(h, m, l->links);
    default:
        return CISTERN_OK;
    }
}

/* ---- the whole ---- */

static int compare(const void *a, size_t a_len, const void *b, size_t b_len)
{
    size_t n = a_len < b_len ? a_len : b_len;
    int order = n ? memcmp(a, b, n) : 0;

    return order ? order : (a_len < b_len ? -1 : a_len > b_len);
}

static int by_name(const void *a, const void *b)
{
    const formats_hdf5_link *x = a, *y = b;

    return compare(x->name, x->len, y->name, y->len);
}

cistern_status formats_hdf5_list(formats_hdf5 *h, uint64_t address, formats_hdf5_links *out)
{
    listing l = {.links = out, .tree = FORMATS_HDF5_UNDEFINED};
    cistern_status st = formats_hdf5_messages(h, address, list_message, &l);

    if (!st && l.tree != FORMATS_HDF5_UNDEFINED)
        st = list_old(h, &l);
    if (st)
        return st;
    if (out->count)
        qsort(out->link, out->count, sizeof *out->link, by_name);
    for (size_t i = 1; i < out->count; i++) {
        const formats_hdf5_link *link = &out->link[i];
        if (by_name(link - 1, link) == 0)
            return FORMATS_HDF5_FAIL(h, link->at, "two members of a group are called '%.*s'",
                                     (int)(link->len < 80 ? link->len : 80), (const char *)link->name);
    }
    return CISTERN_OK;
}

void formats_hdf5_links_clear(formats_hdf5_links *links)
{
    free(links->link);
    *links = (formats_hdf5_links){0};
}

const formats_hdf5_link *formats_hdf5_find(const formats_hdf5_links *links, const void *name, size_t len)
{
    size_t low = 0, high = links->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = compare(links->link[mid].name, links->link[mid].len, name, len);
        if (order == 0)
            return &links->link[mid];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

cistern_status formats_hdf5_follow(formats_hdf5 *h, const formats_hdf5_link *link, uint64_t *out)
{
    if (link->other)
        return FORMATS_HDF5_FAIL(h, link->at, "'%.*s' is %s, which is never followed",
                                 (int)(link->len < 80 ? link->len : 80), (const char *)link->name,
                                 link->other);
    *out = link->address;
    return CISTERN_OK;
}

cistern_status formats_hdf5_path(formats_hdf5 *h, uint64_t group, const void *path, size_t len, uint64_t *out)
{
    const char *p = path, *end = p + len;
    uint64_t at = group;
    cistern_status st = CISTERN_OK;

    while (!st && p < end && at != FORMATS_HDF5_UNDEFINED) {
        formats_hdf5_links links = {0};
        const char *slash = memchr(p, '/', (size_t)(end - p));
        size_t n = (size_t)((slash ? slash : end) - p);
        st = formats_hdf5_list(h, at, &links);
        const formats_hdf5_link *link = st ? NULL : formats_hdf5_find(&links, p, n);
        at = FORMATS_HDF5_UNDEFINED;
        if (link)
            st = formats_hdf5_follow(h, link, &at);
        formats_hdf5_links_clear(&links);
        p += n + (slash ? 1 : 0);
    }
    if (!st)
        *out = at;
    return st;
}
