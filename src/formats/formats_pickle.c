/* The pickle machine: memory, look-ups, and the loop over opcodes (formats_opcode.c has what each does).
 *
 * Invariants
 *  1. Nothing is ever called: see formats_global.c. There is one machine, for every kind of file.
 *  2. Each opcode takes at least one byte, moves forward and costs constant time, or time in proportion to the
 *     members that it moves off the stack; so a pickle of n bytes takes O(n).
 *  3. Memory is bounded by formats_limits.h, not by numbers in the file. Strings are never copied.
 *  4. Containers are chains of cells in pools: neither building nor freeing recurses, whatever the nesting, and a
 *     container may even hold itself.
 *  5. A class that is not allowed is a name and nothing else. NEWOBJ makes a record of it, BUILD gives that its state;
 *     whatever would call it (REDUCE) ends the reading.
 * It does not: read protocols 0 and 1 (text opcodes), extension codes, out-of-band buffers.
 */
#include "priv/formats_opcode.h"

#include <assert.h>
#include "base_mem.h"

static const char *const kind_texts[] = {
    [FORMATS_NONE] = "None",         [FORMATS_BOOL] = "a bool",      [FORMATS_INT] = "an integer",
    [FORMATS_LONG] = "an integer",   [FORMATS_REAL] = "a number",    [FORMATS_STRING] = "a string",
    [FORMATS_BYTES] = "bytes",       [FORMATS_TUPLE] = "a tuple",    [FORMATS_LIST] = "a list",
    [FORMATS_SET] = "a set",         [FORMATS_DICT] = "a dict",      [FORMATS_GLOBAL] = "a name",
    [FORMATS_STORAGE] = "a storage", [FORMATS_TENSOR] = "a tensor",  [FORMATS_OPAQUE] = "an object",
    [FORMATS_CLASS] = "a class",     [FORMATS_RECORD] = "an object",
};

static cistern_status machine_new(const uint8_t *bytes, size_t n, uint64_t origin, formats_pickle **out,
                                  cistern_error *err)
{
    formats_pickle *p;
    cistern_status st = base_calloc(1, sizeof *p, &p, err);

    if (st)
        return st;
    base_cursor_init(&p->in, bytes, n);
    p->origin = origin;
    p->err = err;
    formats_pool_init(&p->values, sizeof(formats_value), FORMATS_VALUES_MAX);
    formats_pool_init(&p->cells, sizeof(formats_cell), FORMATS_CELLS_MAX);
    formats_pool_init(&p->storages, sizeof(formats_storage), FORMATS_STORAGES_MAX);
    formats_pool_init(&p->views, sizeof(formats_view), FORMATS_VIEWS_MAX);
    formats_pool_init(&p->classes, sizeof(formats_class), FORMATS_CLASSES_MAX);
    *out = p;
    return CISTERN_OK;
}

void formats_pickle_free(formats_pickle *p)
{
    if (!p)
        return;
    formats_pool_clear(&p->values);
    formats_pool_clear(&p->cells);
    formats_pool_clear(&p->storages);
    formats_pool_clear(&p->views);
    formats_pool_clear(&p->classes);
    free(p->stack);
    free(p->memo);
    free(p);
}

cistern_status formats_pickle_run(const uint8_t *bytes, size_t n, uint64_t origin, formats_pickle **out,
                                  cistern_error *err)
{
    formats_pickle *p;
    cistern_status st = machine_new(bytes, n, origin, &p, err);

    if (st)
        return st;
    st = formats_opcode_protocol(p);
    while (!st && !p->root)
        st = formats_opcode_step(p);
    p->err = NULL; /* the caller's, and perhaps gone before the machine is */
    if (st) {
        formats_pickle_free(p);
        return st;
    }
    *out = p;
    return CISTERN_OK;
}

size_t formats_pickle_length(const formats_pickle *p)
{
    return p->in.pos;
}

const formats_value *formats_pickle_value(const formats_pickle *p, uint32_t value)
{
    return formats_pool_get(&p->values, value);
}

const formats_cell *formats_pickle_cell(const formats_pickle *p, uint32_t cell)
{
    return formats_pool_get(&p->cells, cell);
}

bool formats_pickle_text_is(const formats_value *v, const char *text)
{
    return v->kind == FORMATS_STRING && v->count == strlen(text) && memcmp(v->u.bytes, text, v->count) == 0;
}

const formats_value *formats_pickle_lookup(const formats_pickle *p, const formats_value *dict,
                                           const char *key)
{
    const formats_value *found = NULL;

    if (dict->kind != FORMATS_DICT)
        return NULL;
    for (uint32_t c = dict->u.cells.first; c; c = formats_pickle_cell(p, c)->next) {
        const formats_cell *cell = formats_pickle_cell(p, c);
        if (formats_pickle_text_is(formats_pickle_value(p, cell->key), key))
            found = formats_pickle_value(p, cell->value);
    }
    return found;
}

const char *formats_pickle_kind_text(const formats_value *v)
{
    return kind_texts[v->kind];
}

cistern_status formats_pickle_new_value(formats_pickle *p, formats_kind kind, uint32_t *out)
{
    if (formats_pool_full(&p->values))
        return FORMATS_PICKLE_FAIL(p, "the pickle makes more than %u values", FORMATS_VALUES_MAX);
    cistern_status st = formats_pool_add(&p->values, out, p->err);
    if (st)
        return st;
    ((formats_value *)formats_pool_get(&p->values, *out))->kind = (uint8_t)kind;
    return CISTERN_OK;
}

cistern_status formats_pickle_append(formats_pickle *p, uint32_t container, uint32_t key, uint32_t value)
{
    formats_value *v = formats_pool_get(&p->values, container);
    uint32_t number;

    if (formats_pool_full(&p->cells))
        return FORMATS_PICKLE_FAIL(p, "the pickle's containers have more than %u members", FORMATS_CELLS_MAX);
    cistern_status st = formats_pool_add(&p->cells, &number, p->err);
    if (st)
        return st;
    formats_cell *cell = formats_pool_get(&p->cells, number);
    cell->key = key;
    cell->value = value;
    if (v->u.cells.last)
        ((formats_cell *)formats_pool_get(&p->cells, v->u.cells.last))->next = number;
    else
        v->u.cells.first = number;
    v->u.cells.last = number;
    v->count++;
    return CISTERN_OK;
}

cistern_status formats_pickle_fail_class(const formats_pickle *p, uint32_t number, cistern_error *err)
{
    const formats_class *c = formats_pool_get(&p->classes, number);

    return base_fail_at(err, CISTERN_UNREADABLE, c->at,
                        "holds code: the pickle asks for \"%.*s.%.*s\", which is not allowed; nothing was "
                        "run (of a whole model or checkpoint, save the state_dict() alone)",
                        (int)c->module_len, (const char *)c->module, (int)c->name_len, (const char *)c->name);
}

cistern_status formats_pickle_check_names(const formats_pickle *p, cistern_error *err)
{
    return p->classes.count > 1 ? formats_pickle_fail_class(p, 1, err) : CISTERN_OK;
}
