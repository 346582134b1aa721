/* Nodes of a graph, found by name. See the header for the invariants.
 *
 * Names are found by binary search in a sorted table: no choice of names makes that slow, as it could a hash.
 */
#include "priv/formats_graph.h"

#include <assert.h>
#include <string.h>
#include "base_mem.h"
#include "formats_limits.h"
#include "priv/formats_pool.h"

typedef struct row {
    formats_text name;
    uint32_t node; /* its number in the pool */
} row;

struct formats_graph {
    formats_pool nodes;
    struct {
        formats_text name;
        uint64_t size[4];
    } pictures[FORMATS_PICTURES_MAX];
    size_t picture_count;
    formats_text end; /* the chain's; empty: it is looked for */
    row *rows;        /* sorted by name; of nodes that have one */
    size_t count;
};

cistern_status formats_graph_new(formats_graph **out, cistern_error *err)
{
    cistern_status st = base_calloc(1, sizeof(formats_graph), out, err);

    if (!st)
        formats_pool_init(&(*out)->nodes, sizeof(formats_node), FORMATS_NODES_MAX);
    return st;
}

void formats_graph_free(formats_graph *g)
{
    if (!g)
        return;
    formats_pool_clear(&g->nodes);
    free(g->rows);
    free(g);
}

void formats_node_init(formats_node *node)
{
    *node = (formats_node){.stride = {1, 1}, .dilation = {1, 1}, .groups = 1, .tensor = FORMATS_NO_TENSOR};
}

cistern_status formats_graph_add(formats_graph *g, const formats_node *node, cistern_error *err)
{
    uint32_t number;
    cistern_status st;

    assert(!g->rows);
    if (formats_pool_full(&g->nodes))
        return base_fail(err, CISTERN_UNREADABLE, "more than %u nodes and constants in its graph",
                         FORMATS_NODES_MAX);
    if (!(st = formats_pool_add(&g->nodes, &number, err)))
        *(formats_node *)formats_pool_get(&g->nodes, number) = *node;
    return st;
}

void formats_graph_add_picture(formats_graph *g, formats_text name, const uint64_t size[4])
{
    if (g->picture_count == FORMATS_PICTURES_MAX || (size[1] != 3 && size[3] != 3))
        return;
    g->pictures[g->picture_count].name = name;
    memcpy(g->pictures[g->picture_count++].size, size, 4 * sizeof size[0]);
}

const uint64_t *formats_graph_picture(const formats_graph *g, formats_text name)
{
    size_t i = formats_graph_find(g, name);

    if (i != SIZE_MAX)
        return formats_graph_get(g, i)->size;
    for (i = 0; i < g->picture_count; i++) {
        if (formats_text_compare(g->pictures[i].name, name) == 0)
            return g->pictures[i].size;
    }
    return NULL;
}

size_t formats_graph_count(const formats_graph *g)
{
    return g->nodes.count - 1;
}

formats_node *formats_graph_get(const formats_graph *g, size_t i)
{
    assert(i < formats_graph_count(g));
    return formats_pool_get(&g->nodes, (uint32_t)i + 1);
}

static int by_name(const void *a, const void *b)
{
    const row *x = a, *y = b;

    return formats_text_compare(x->name, y->name);
}

cistern_status formats_graph_settle(formats_graph *g, cistern_error *err)
{
    size_t n = formats_graph_count(g);
    cistern_status st = base_calloc(n ? n : 1, sizeof *g->rows, &g->rows, err);

    for (size_t i = 0; !st && i < n; i++) {
        formats_text name = formats_graph_get(g, i)->name;
        if (name.len)
            g->rows[g->count++] = (row){name, (uint32_t)i};
    }
    if (st || !g->count)
        return st;
    qsort(g->rows, g->count, sizeof *g->rows, by_name);
    for (size_t i = 1; i < g->count; i++) {
        formats_text name = g->rows[i].name;
        if (formats_text_compare(g->rows[i - 1].name, name) == 0)
            return base_fail(err, CISTERN_UNREADABLE, "its graph makes '%.*s' twice",
                             (int)(name.len < 64 ? name.len : 64), name.at);
    }
    return CISTERN_OK;
}

const formats_node *formats_graph_behind(const formats_graph *g, formats_text name)
{
    for (unsigned steps = 0; steps < FORMATS_CHAIN_MAX; steps++) {
        size_t i = formats_graph_find(g, name);
        if (i == SIZE_MAX)
            return NULL;
        const formats_node *n = formats_graph_get(g, i);
        if (n->op != FORMATS_OP_PASS || !n->inputs)
            return n;
        name = n->input[0];
    }
    return NULL;
}

void formats_graph_end_at(formats_graph *g, formats_text name)
{
    g->end = name;
}

const formats_node *formats_graph_said_end(const formats_graph *g)
{
    size_t i = formats_graph_find(g, g->end);

    return i == SIZE_MAX ? NULL : formats_graph_get(g, i);
}

size_t formats_graph_find(const formats_graph *g, formats_text name)
{
    row key = {.name = name};
    const row *found = g->count && name.len ? bsearch(&key, g->rows, g->count, sizeof key, by_name) : NULL;

    return found ? found->node : SIZE_MAX;
}
