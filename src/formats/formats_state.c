/* Which of the things in a pickle are the model's tensors, and what they are called.
 *
 * Invariants
 *  1. A dict that holds tensors itself is the state_dict. One that holds none, but a dict under one of the usual
 *     wrapper keys, is stepped into: so a checkpoint's optimizer and its moments are left out.
 *  2. Where neither fits, every tensor in nested dicts, lists and tuples counts, named by its path.
 *  3. Of a record, which stands for a whole saved module, the tensors are those in its _parameters and _buffers and in
 *     the records in its _modules, named as its state_dict() would name them. Nothing else of it is looked at.
 *  4. No recursion: the path is an explicit stack; members looked at are counted, because a container may be met
 *     many times and may hold itself.
 */
#include "priv/formats_state.h"

#include "base_mem.h"

/* In order of preference; source: what training scripts and model zoos use. */
static const char *const wrappers[] = {
    "state_dict", "model_state_dict", "model_state",    "model",     "net", "network", "weights",
    "params",     "params_ema",       "state_dict_ema", "model_ema", "ema", "module",  "backbone",
};
#define WRAPPERS_LEN (sizeof wrappers / sizeof wrappers[0])

typedef struct level {
    const formats_value *container;
    uint32_t cell;   /* the next one to look at */
    uint32_t number; /* its place, for lists and tuples */
    size_t name_len; /* of the path so far */
} level;

typedef struct walk {
    const formats_pickle *p;
    model_index *index;
    uint32_t file;
    uint32_t steps, depth;
    level at[FORMATS_WALK_DEPTH_MAX];
    char name[MODEL_NAME_MAX + 2]; /* a dot and a zero fit behind the longest */
    cistern_error *err;
} walk;

/* What a module keeps its tensors in; later ones are looked at first. */
static const char *const module_parts[] = {"_modules", "_buffers", "_parameters"};
#define MODULE_PARTS_LEN ((uint32_t)(sizeof module_parts / sizeof module_parts[0]))

/* The dict that a record has under a name, or NULL. */
static const formats_value *record_part(const formats_pickle *p, const formats_value *record,
                                        const char *name)
{
    const formats_value *part =
        record->u.number ? formats_pickle_lookup(p, formats_pickle_value(p, record->u.number), name) : NULL;
    return part && part->kind == FORMATS_DICT ? part : NULL;
}

static bool is_module(const formats_pickle *p, const formats_value *v)
{
    return v->kind == FORMATS_RECORD && (record_part(p, v, "_modules") || record_part(p, v, "_parameters"));
}

/* Whether what is looked for begins here: a state_dict, or a module that was saved whole. */
static bool holds_tensors(const formats_pickle *p, const formats_value *dict)
{
    if (is_module(p, dict))
        return true;
    if (dict->kind != FORMATS_DICT)
        return false;
    for (uint32_t c = dict->u.cells.first; c; c = formats_pickle_cell(p, c)->next) {
        if (formats_pickle_value(p, formats_pickle_cell(p, c)->value)->kind == FORMATS_TENSOR)
            return true;
    }
    return false;
}

/* The wrapped dict that holds tensors itself, or NULL. */
static const formats_value *wrapped_state(const formats_pickle *p, const formats_value *dict)
{
    for (size_t i = 0; i < WRAPPERS_LEN; i++) {
        const formats_value *inner = formats_pickle_lookup(p, dict, wrappers[i]);
        if (inner && holds_tensors(p, inner))
            return inner;
    }
    return NULL;
}

/* The first wrapped dict, or NULL. */
static const formats_value *wrapped_dict(const formats_pickle *p, const formats_value *dict)
{
    for (size_t i = 0; i < WRAPPERS_LEN; i++) {
        const formats_value *inner = formats_pickle_lookup(p, dict, wrappers[i]);
        if (inner && inner->kind == FORMATS_DICT)
            return inner;
    }
    return NULL;
}

static const formats_value *choose(const formats_pickle *p, const formats_value *root)
{
    const formats_value *v = root;

    for (uint32_t i = 0; v && i <= FORMATS_WRAPPERS_MAX; i++) {
        if (holds_tensors(p, v))
            return v;
        const formats_value *inner = wrapped_state(p, v);
        v = inner ? inner : wrapped_dict(p, v);
    }
    return root;
}

/* ---- the walk ---- */

static bool is_container(const formats_value *v)
{
    return v->kind == FORMATS_DICT || v->kind == FORMATS_LIST || v->kind == FORMATS_TUPLE ||
           v->kind == FORMATS_RECORD;
}

/* Text of a member's key behind the path; false: this key gives no name (it is skipped). */
static bool key_text(const walk *w, const level *l, const formats_cell *cell, char number[24],
                     const char **out, size_t *out_n)
{
    *out = number;
    if (!cell->key) {
        *out_n = (size_t)snprintf(number, 24, "%u", l->number);
        return true;
    }
    const formats_value *key = formats_pickle_value(w->p, cell->key);
    if (key->kind == FORMATS_INT) {
        *out_n = (size_t)snprintf(number, 24, "%lld", (long long)key->u.integer);
        return true;
    }
    *out = (const char *)key->u.bytes;
    *out_n = key->count;
    return key->kind == FORMATS_STRING;
}

static cistern_status append_name(walk *w, const level *l, const char *text, size_t n, size_t *out_len)
{
    size_t dot = l->name_len ? 1 : 0;

    if (n > MODEL_NAME_MAX || l->name_len + dot + n > MODEL_NAME_MAX)
        return base_fail(w->err, CISTERN_UNREADABLE, "a tensor's name has more than %d bytes: '%.*s…'",
                         MODEL_NAME_MAX, (int)(n < 60 ? n : 60), text);
    if (n == 0 || memchr(text, 0, n))
        return base_fail(w->err, CISTERN_UNREADABLE, "a tensor's name %s",
                         n ? "holds a zero byte" : "is empty");
    if (dot)
        w->name[l->name_len] = '.';
    memcpy(w->name + l->name_len + dot, text, n);
    *out_len = l->name_len + dot + n;
    w->name[*out_len] = 0;
    return CISTERN_OK;
}

static cistern_status add_tensor(walk *w, uint32_t number)
{
    const formats_view *view = formats_pool_get(&w->p->views, number);
    const formats_storage *s = formats_pool_get(&w->p->storages, view->storage);
    model_tensor t = {.name = w->name, .dtype = view->dtype, .file = w->file, .rank = view->rank};

    memcpy(t.shape, view->shape, sizeof t.shape);
    memcpy(t.stride, view->stride, sizeof t.stride);
    if (s->decoded)
        t.file = s->file;
    t.offset = s->data_offset + (s->viewed ? s->view_start : 0) + view->start;
    return model_index_add(w->index, &t, w->err);
}

static cistern_status too_many_steps(const walk *w)
{
    return base_fail(w->err, CISTERN_UNREADABLE, "more than %u members in nested containers",
                     FORMATS_WALK_STEPS_MAX);
}

static cistern_status enter_one(walk *w, const formats_value *container, size_t name_len)
{
    if (w->depth == FORMATS_WALK_DEPTH_MAX)
        return base_fail(w->err, CISTERN_UNREADABLE, "containers are nested more than %u deep",
                         FORMATS_WALK_DEPTH_MAX);
    w->at[w->depth++] =
        (level){.container = container, .cell = container->u.cells.first, .name_len = name_len};
    return CISTERN_OK;
}

static cistern_status enter(walk *w, const formats_value *container, size_t name_len)
{
    cistern_status st = CISTERN_OK;

    if (container->kind != FORMATS_RECORD)
        return enter_one(w, container, name_len);
    if (container->u.number) /* what the look-ups below pass over */
        w->steps += MODULE_PARTS_LEN * formats_pickle_value(w->p, container->u.number)->count;
    if (w->steps > FORMATS_WALK_STEPS_MAX)
        return too_many_steps(w);
    for (uint32_t i = 0; !st && i < MODULE_PARTS_LEN; i++) {
        const formats_value *part = record_part(w->p, container, module_parts[i]);
        if (part)
            st = enter_one(w, part, name_len);
    }
    return st;
}

/* Look at the next member of the innermost container. */
static cistern_status visit(walk *w)
{
    level *l = &w->at[w->depth - 1];
    const formats_cell *cell = formats_pickle_cell(w->p, l->cell);
    const formats_value *v = formats_pickle_value(w->p, cell->value);
    char number[24];
    const char *text;
    size_t n, len;
    bool named = key_text(w, l, cell, number, &text, &n);

    l->cell = cell->next;
    l->number++;
    if (++w->steps > FORMATS_WALK_STEPS_MAX)
        return too_many_steps(w);
    if (!named || (v->kind != FORMATS_TENSOR && !is_container(v)))
        return CISTERN_OK;
    cistern_status st = append_name(w, l, text, n, &len);
    if (st)
        return st;
    return v->kind == FORMATS_TENSOR ? add_tensor(w, v->u.number) : enter(w, v, len);
}

static cistern_status walk_all(walk *w, const formats_value *from)
{
    cistern_status st = enter(w, from, 0);

    while (!st && w->depth) {
        if (w->at[w->depth - 1].cell)
            st = visit(w);
        else
            w->depth--;
    }
    return st;
}

cistern_status formats_state_add(const formats_pickle *p, uint32_t file, model_index *index,
                                 cistern_error *err)
{
    const formats_value *root = choose(p, formats_pickle_value(p, p->root));
    size_t before = model_index_count(index);
    walk *w;
    cistern_status st = base_calloc(1, sizeof *w, &w, err);

    if (st)
        return st;
    w->p = p;
    w->index = index;
    w->file = file;
    w->err = err;
    if (root->kind == FORMATS_TENSOR) {
        memcpy(w->name, "tensor", sizeof "tensor"); /* a lone tensor has no name of its own */
        st = add_tensor(w, root->u.number);
    } else if (is_container(root)) {
        st = walk_all(w, root);
    }
    if (!st && is_module(p, root))
        model_index_note(index, "a whole module was saved: its tensors are used, its classes are not");
    if (!st && model_index_count(index) == before)
        st = formats_pickle_check_names(p, err);
    if (!st && model_index_count(index) == before)
        st = base_fail(err, CISTERN_UNREADABLE, "holds no tensors, only %s", formats_pickle_kind_text(root));
    free(w);
    return st;
}

/* ---- storages ---- */

static int by_key(const void *a, const void *b)
{
    const formats_storage *x = *(formats_storage *const *)a, *y = *(formats_storage *const *)b;
    int order = memcmp(x->key, y->key, x->key_len < y->key_len ? x->key_len : y->key_len);

    return order ? order : (x->key_len < y->key_len ? -1 : x->key_len > y->key_len);
}

cistern_status formats_state_storages(const formats_pickle *p, formats_storage ***out, size_t *out_n,
                                      cistern_error *err)
{
    size_t n = p->storages.count - 1;
    formats_storage **list;
    cistern_status st = base_calloc(n + 1, sizeof(formats_storage *), &list, err);

    if (st)
        return st;
    for (size_t i = 0; i < n; i++)
        list[i] = formats_pool_get(&p->storages, (uint32_t)i + 1);
    qsort(list, n, sizeof(formats_storage *), by_key);
    for (size_t i = 1; i < n; i++) {
        const formats_storage *a = list[i - 1], *b = list[i];
        if (by_key(&list[i - 1], &list[i]) == 0 && (a->dtype != b->dtype || a->numel != b->numel)) {
            st = base_fail_at(err, CISTERN_UNREADABLE, a->at > b->at ? a->at : b->at,
                              "storage '%.*s' is mentioned with two sizes or dtypes", (int)b->key_len,
                              (const char *)b->key);
            free(list);
            return st;
        }
    }
    *out = list;
    *out_n = n;
    return CISTERN_OK;
}
