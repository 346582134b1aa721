/* Storages and views out of a pickle.
 *
 * Invariants
 *  1. Every number is an integer of the right kind and not negative before it is used.
 *  2. A view that leaves this file lies wholly inside its storage (inside the view of it, where there is one):
 *     start + sum((size - 1) * stride) elements, each product and sum checked for overflow.
 * What a storage really holds is checked by the container's reader against the bytes in the file.
 * Source: torch/_utils.py (_rebuild_tensor and its kin), torch/serialization.py (persistent_load).
 */
#include "priv/formats_rebuild.h"

#include "base_mem.h"

#define ARGS_MAX 8u /* _rebuild_tensor_v3 takes eight */

/* Up to ARGS_MAX members of a tuple; *out_n is their number. */
static cistern_status unpack(formats_pickle *p, uint32_t tuple, const char *what, const formats_value **out,
                             uint32_t *out_n)
{
    const formats_value *v = formats_pickle_value(p, tuple);
    uint32_t n = 0;

    if (v->kind != FORMATS_TUPLE || v->count > ARGS_MAX)
        return FORMATS_PICKLE_FAIL(p, "%s is given %s of %u members, not a tuple of at most %u", what,
                                   formats_pickle_kind_text(v), v->kind == FORMATS_TUPLE ? v->count : 0,
                                   ARGS_MAX);
    for (uint32_t c = v->u.cells.first; c; c = formats_pickle_cell(p, c)->next)
        out[n++] = formats_pickle_value(p, formats_pickle_cell(p, c)->value);
    *out_n = n;
    return CISTERN_OK;
}

static cistern_status natural(formats_pickle *p, const formats_value *v, const char *what, uint64_t *out)
{
    if (v->kind != FORMATS_INT)
        return FORMATS_PICKLE_FAIL(p, "%s is %s, not an integer of at most 8 bytes", what,
                                   formats_pickle_kind_text(v));
    if (v->u.integer < 0)
        return FORMATS_PICKLE_FAIL(p, "%s is %lld, which is negative", what, (long long)v->u.integer);
    *out = (uint64_t)v->u.integer;
    return CISTERN_OK;
}

static cistern_status naturals(formats_pickle *p, const formats_value *tuple, const char *what,
                               uint64_t out[MODEL_RANK_MAX], uint32_t *out_n)
{
    uint32_t n = 0;

    if (tuple->kind != FORMATS_TUPLE && tuple->kind != FORMATS_LIST)
        return FORMATS_PICKLE_FAIL(p, "a tensor's %s is %s, not a tuple", what,
                                   formats_pickle_kind_text(tuple));
    if (tuple->count > MODEL_RANK_MAX)
        return FORMATS_PICKLE_FAIL(p, "a tensor has %u dimensions, at most %d allowed", tuple->count,
                                   MODEL_RANK_MAX);
    for (uint32_t c = tuple->u.cells.first; c; c = formats_pickle_cell(p, c)->next, n++) {
        const formats_value *v = formats_pickle_value(p, formats_pickle_cell(p, c)->value);
        cistern_status st = natural(p, v, what, &out[n]);
        if (st)
            return st;
    }
    *out_n = n;
    return CISTERN_OK;
}

/* Elements from the first to the end of the last, counted from `offset`; false: more than 2^64. */
static bool reach(const formats_view *view, uint64_t offset, uint64_t *out)
{
    uint64_t count = 1, end = offset, step;
    bool empty = false;

    for (uint32_t i = 0; i < view->rank; i++) {
        if (!view->shape[i]) {
            empty = true;
            continue;
        }
        if (!base_mul_u64(count, view->shape[i], &count) ||
            !base_mul_u64(view->shape[i] - 1, view->stride[i], &step) || !base_add_u64(end, step, &end))
            return false;
    }
    if (empty)
        end = offset;
    else if (!base_add_u64(end, 1, &end))
        return false;
    *out = end;
    return true;
}

static cistern_status place_view(formats_pickle *p, formats_view *view, uint64_t offset)
{
    const formats_storage *s = formats_pool_get(&p->storages, view->storage);
    uint64_t element = model_dtype_bytes(view->dtype), end, end_bytes;
    uint64_t room = s->viewed ? s->view_size : s->bytes;

    if (!reach(view, offset, &end) || !base_mul_u64(end, element, &end_bytes))
        return FORMATS_PICKLE_FAIL(p, "a tensor's extent overflows");
    if (end_bytes > room)
        return FORMATS_PICKLE_FAIL(p, "a tensor reaches to element %llu of storage '%.*s', which has %llu",
                                   (unsigned long long)end, (int)s->key_len, (const char *)s->key,
                                   (unsigned long long)(room / element));
    view->start = offset * element;
    return CISTERN_OK;
}

/* (storage, offset, size, stride, …); `dtype` 0: the storage's own. */
static cistern_status rebuild_tensor(formats_pickle *p, const formats_value *const *arg, model_dtype dtype,
                                     uint32_t *out)
{
    formats_view view = {.dtype = dtype};
    uint64_t offset;
    uint32_t strides, number;
    cistern_status st;

    if (arg[0]->kind != FORMATS_STORAGE)
        return FORMATS_PICKLE_FAIL(p, "a tensor is made of %s, not of a storage",
                                   formats_pickle_kind_text(arg[0]));
    view.storage = arg[0]->u.number;
    if (!view.dtype)
        view.dtype = ((formats_storage *)formats_pool_get(&p->storages, view.storage))->dtype;
    if (!view.dtype)
        return FORMATS_PICKLE_FAIL(p, "a tensor of an untyped storage has no dtype");
    if ((st = natural(p, arg[1], "a tensor's storage offset", &offset)) ||
        (st = naturals(p, arg[2], "size", view.shape, &view.rank)) ||
        (st = naturals(p, arg[3], "stride", view.stride, &strides)))
        return st;
    if (strides != view.rank)
        return FORMATS_PICKLE_FAIL(p, "a tensor has %u sizes and %u strides", view.rank, strides);
    if ((st = place_view(p, &view, offset)))
        return st;
    if (formats_pool_full(&p->views))
        return FORMATS_PICKLE_FAIL(p, "the pickle makes more than %u tensors", FORMATS_VIEWS_MAX);
    if ((st = formats_pool_add(&p->views, &number, p->err)) ||
        (st = formats_pickle_new_value(p, FORMATS_TENSOR, out)))
        return st;
    *(formats_view *)formats_pool_get(&p->views, number) = view;
    ((formats_value *)formats_pool_get(&p->values, *out))->u.number = number;
    return CISTERN_OK;
}

static cistern_status rebuild_v3(formats_pickle *p, const formats_value *const *arg, uint32_t *out)
{
    const formats_global *g = arg[6]->kind == FORMATS_GLOBAL ? formats_global_peek(arg[6]->u.number) : NULL;

    if (!g || g->kind != FORMATS_GLOBAL_DTYPE)
        return FORMATS_PICKLE_FAIL(p, "a tensor's dtype is %s", formats_pickle_kind_text(arg[6]));
    return rebuild_tensor(p, arg, g->dtype, out);
}

/* A parameter is its tensor: the value itself is what the caller of REDUCE gets. */
static cistern_status rebuild_parameter(formats_pickle *p, uint32_t args, const formats_value *data,
                                        uint32_t *out)
{
    if (data->kind != FORMATS_TENSOR)
        return FORMATS_PICKLE_FAIL(p, "a parameter is made of %s, not of a tensor",
                                   formats_pickle_kind_text(data));
    *out = formats_pickle_cell(p, formats_pickle_value(p, args)->u.cells.first)->value;
    return CISTERN_OK;
}

/* A pair of Python 2's OrderedDict arguments, as a list or a tuple. */
static cistern_status add_pair(formats_pickle *p, uint32_t dict, uint32_t pair)
{
    const formats_value *v = formats_pickle_value(p, pair);

    if ((v->kind != FORMATS_LIST && v->kind != FORMATS_TUPLE) || v->count != 2)
        return FORMATS_PICKLE_FAIL(p, "an OrderedDict is made of %s, not of pairs",
                                   formats_pickle_kind_text(v));
    const formats_cell *key = formats_pickle_cell(p, v->u.cells.first);
    return formats_pickle_append(p, dict, key->value, formats_pickle_cell(p, key->next)->value);
}

/* OrderedDict() or, from Python 2, OrderedDict([[key, value], …]). */
static cistern_status ordered_dict(formats_pickle *p, const formats_value *const *arg, uint32_t n,
                                   uint32_t *out)
{
    uint32_t dict;
    cistern_status st = formats_pickle_new_value(p, FORMATS_DICT, &dict);

    if (st)
        return st;
    if (n > 1 || (n == 1 && arg[0]->kind != FORMATS_LIST))
        return FORMATS_PICKLE_FAIL(p, "an OrderedDict is made of %u arguments", n);
    for (uint32_t c = n ? arg[0]->u.cells.first : 0; c && !st; c = formats_pickle_cell(p, c)->next)
        st = add_pair(p, dict, formats_pickle_cell(p, c)->value);
    *out = dict;
    return st;
}

static cistern_status torch_size(formats_pickle *p, const formats_value *sizes, uint32_t args, uint32_t *out)
{
    if (sizes->kind != FORMATS_TUPLE && sizes->kind != FORMATS_LIST)
        return FORMATS_PICKLE_FAIL(p, "a torch.Size is made of %s", formats_pickle_kind_text(sizes));
    *out = formats_pickle_cell(p, formats_pickle_value(p, args)->u.cells.first)->value;
    return CISTERN_OK;
}

static cistern_status check_args(formats_pickle *p, const formats_global *g, uint32_t n, uint32_t least,
                                 uint32_t most)
{
    if (n < least || n > most)
        return FORMATS_PICKLE_FAIL(p, "%s.%s is given %u arguments, %u to %u are right", g->module, g->name,
                                   n, least, most);
    return CISTERN_OK;
}

cistern_status formats_rebuild_call(formats_pickle *p, uint32_t callable, uint32_t args, uint32_t *out)
{
    const formats_value *c = formats_pickle_value(p, callable);
    const formats_value *arg[ARGS_MAX];
    uint32_t n;
    cistern_status st;

    if (c->kind == FORMATS_CLASS)
        return formats_pickle_fail_class(p, c->u.number, p->err);
    if (c->kind != FORMATS_GLOBAL)
        return FORMATS_PICKLE_FAIL(p, "the pickle calls %s", formats_pickle_kind_text(c));
    const formats_global *g = formats_global_peek(c->u.number);
    if ((st = unpack(p, args, g->name, arg, &n)))
        return st;
    switch (g->kind) {
    case FORMATS_GLOBAL_ORDERED_DICT:
        return ordered_dict(p, arg, n, out);
    case FORMATS_GLOBAL_SIZE:
        st = check_args(p, g, n, 1, 1);
        return st ? st : torch_size(p, arg[0], args, out);
    case FORMATS_GLOBAL_IGNORED:
        return formats_pickle_new_value(p, FORMATS_OPAQUE, out);
    case FORMATS_GLOBAL_SET: /* its members are of no interest */
        st = check_args(p, g, n, 0, 1);
        return st ? st : formats_pickle_new_value(p, FORMATS_SET, out);
    case FORMATS_GLOBAL_REBUILD_TENSOR:
        st = check_args(p, g, n, 4, 4);
        return st ? st : rebuild_tensor(p, arg, 0, out);
    case FORMATS_GLOBAL_REBUILD_TENSOR_V2:
        st = check_args(p, g, n, 5, 7);
        return st ? st : rebuild_tensor(p, arg, 0, out);
    case FORMATS_GLOBAL_REBUILD_TENSOR_V3:
        st = check_args(p, g, n, 7, 8);
        return st ? st : rebuild_v3(p, arg, out);
    case FORMATS_GLOBAL_REBUILD_PARAMETER:
        st = check_args(p, g, n, 1, 4);
        return st ? st : rebuild_parameter(p, args, arg[0], out);
    case FORMATS_GLOBAL_STORAGE:
    case FORMATS_GLOBAL_UNTYPED:
    case FORMATS_GLOBAL_TYPED:
    case FORMATS_GLOBAL_DTYPE:
        break;
    }
    return FORMATS_PICKLE_FAIL(p, "the pickle calls %s.%s, which is no function", g->module, g->name);
}

/* ---- storages ---- */

/* ('storage', class, key, location, numel, …): class and numel. */
static cistern_status storage_type(formats_pickle *p, const formats_value *type, formats_storage *s)
{
    const formats_global *g = type->kind == FORMATS_GLOBAL ? formats_global_peek(type->u.number) : NULL;

    if (!g || (g->kind != FORMATS_GLOBAL_STORAGE && g->kind != FORMATS_GLOBAL_UNTYPED))
        return FORMATS_PICKLE_FAIL(p, "a storage's class is %s",
                                   g ? g->name : formats_pickle_kind_text(type));
    s->dtype = g->dtype;
    s->element = g->dtype ? (uint32_t)model_dtype_bytes(g->dtype) : 1;
    return CISTERN_OK;
}

/* (view_key, offset, size): a storage that is a part of another, in files of PyTorch before 0.4. */
static cistern_status storage_view(formats_pickle *p, const formats_value *v, formats_storage *s)
{
    uint64_t start, size, end;
    cistern_status st;

    if (v->kind == FORMATS_NONE)
        return CISTERN_OK;
    if (v->kind != FORMATS_TUPLE || v->count != 3)
        return FORMATS_PICKLE_FAIL(p, "a storage's view is %s, not a tuple of three",
                                   formats_pickle_kind_text(v));
    const formats_cell *second = formats_pickle_cell(p, formats_pickle_cell(p, v->u.cells.first)->next);
    const formats_cell *third = formats_pickle_cell(p, second->next);
    if ((st = natural(p, formats_pickle_value(p, second->value), "a storage view's offset", &start)) ||
        (st = natural(p, formats_pickle_value(p, third->value), "a storage view's size", &size)))
        return st;
    if (!base_add_u64(start, size, &end) || end > s->numel)
        return FORMATS_PICKLE_FAIL(
            p, "a view of elements %llu to %llu + %llu leaves storage '%.*s', which has %llu",
            (unsigned long long)start, (unsigned long long)start, (unsigned long long)size, (int)s->key_len,
            (const char *)s->key, (unsigned long long)s->numel);
    s->viewed = true;
    s->view_start = start * s->element;
    s->view_size = size * s->element;
    return CISTERN_OK;
}

static cistern_status fill_storage(formats_pickle *p, const formats_value *const *part, uint32_t n,
                                   formats_storage *s)
{
    cistern_status st;

    if (n < 5 || n > 6 || !formats_pickle_text_is(part[0], "storage"))
        return FORMATS_PICKLE_FAIL(p, "a persistent id of %u members is not that of a storage", n);
    if ((st = storage_type(p, part[1], s)))
        return st;
    if (part[2]->kind != FORMATS_STRING || part[2]->count == 0 || part[2]->count > FORMATS_GLOBAL_BYTES_MAX)
        return FORMATS_PICKLE_FAIL(p, "a storage's key is %s, not a string of 1 to %u bytes",
                                   formats_pickle_kind_text(part[2]), FORMATS_GLOBAL_BYTES_MAX);
    s->key = part[2]->u.bytes;
    s->key_len = part[2]->count;
    if ((st = natural(p, part[4], "a storage's number of elements", &s->numel)))
        return st;
    if (!base_mul_u64(s->numel, s->element, &s->bytes))
        return FORMATS_PICKLE_FAIL(p, "a storage of %llu elements overflows", (unsigned long long)s->numel);
    return n == 6 ? storage_view(p, part[5], s) : CISTERN_OK;
}

/* ('module', class, file, source): PyTorch's older files say so at the first mention of a module's class. The class is
 * what counts; the source is text. */
static cistern_status module_class(formats_pickle *p, uint32_t id, const formats_value *const *part,
                                   uint32_t n, uint32_t *out)
{
    if (n != 4 || part[1]->kind != FORMATS_CLASS)
        return FORMATS_PICKLE_FAIL(p, "a persistent id of a module has %u members and names %s, not a class",
                                   n, n > 1 ? formats_pickle_kind_text(part[1]) : "nothing");
    const formats_cell *first = formats_pickle_cell(p, formats_pickle_value(p, id)->u.cells.first);
    *out = formats_pickle_cell(p, first->next)->value;
    return CISTERN_OK;
}

cistern_status formats_rebuild_storage(formats_pickle *p, uint32_t id, uint32_t *out)
{
    const formats_value *part[ARGS_MAX];
    formats_storage s = {.at = p->origin + p->op_at};
    uint32_t n, number;
    cistern_status st = unpack(p, id, "a persistent id", part, &n);

    if (!st && n && formats_pickle_text_is(part[0], "module"))
        return module_class(p, id, part, n, out);
    if (!st)
        st = fill_storage(p, part, n, &s);
    if (st)
        return st;
    if (formats_pool_full(&p->storages))
        return FORMATS_PICKLE_FAIL(p, "the pickle mentions storages more than %u times",
                                   FORMATS_STORAGES_MAX);
    if ((st = formats_pool_add(&p->storages, &number, p->err)) ||
        (st = formats_pickle_new_value(p, FORMATS_STORAGE, out)))
        return st;
    *(formats_storage *)formats_pool_get(&p->storages, number) = s;
    ((formats_value *)formats_pool_get(&p->values, *out))->u.number = number;
    return CISTERN_OK;
}
