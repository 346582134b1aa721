/* The opcodes of the pickle machine (Python: Lib/pickletools.py is the reference for their arguments).
 *
 * Invariants
 *  1. Every operand is checked for presence and kind before anything is changed: a SETITEM on what is no dict, a
 *     memo number that was never put, a MARK that is not there are errors at that opcode.
 *  2. Integers from the file are used as sizes only after they were compared with the bytes that are left.
 */
#include "priv/formats_opcode.h"

#include "base_mem.h"
#include "priv/formats_rebuild.h"

enum opcode {
    OP_MARK = '(',
    OP_EMPTY_TUPLE = ')',
    OP_STOP = '.',
    OP_BINBYTES = 'B',
    OP_SHORT_BINBYTES = 'C',
    OP_BINFLOAT = 'G',
    OP_BININT = 'J',
    OP_BININT1 = 'K',
    OP_BININT2 = 'M',
    OP_NONE = 'N',
    OP_BINPERSID = 'Q',
    OP_REDUCE = 'R',
    OP_BINSTRING = 'T',
    OP_SHORT_BINSTRING = 'U',
    OP_BINUNICODE = 'X',
    OP_EMPTY_LIST = ']',
    OP_APPEND = 'a',
    OP_BUILD = 'b',
    OP_GLOBAL = 'c',
    OP_APPENDS = 'e',
    OP_BINGET = 'h',
    OP_LONG_BINGET = 'j',
    OP_BINPUT = 'q',
    OP_LONG_BINPUT = 'r',
    OP_SETITEM = 's',
    OP_TUPLE = 't',
    OP_SETITEMS = 'u',
    OP_EMPTY_DICT = '}',
    OP_PROTO = 0x80,
    OP_NEWOBJ = 0x81,
    OP_TUPLE1 = 0x85,
    OP_TUPLE2 = 0x86,
    OP_TUPLE3 = 0x87,
    OP_NEWTRUE = 0x88,
    OP_NEWFALSE = 0x89,
    OP_LONG1 = 0x8a,
    OP_LONG4 = 0x8b,
    OP_SHORT_BINUNICODE = 0x8c,
    OP_BINUNICODE8 = 0x8d,
    OP_BINBYTES8 = 0x8e,
    OP_EMPTY_SET = 0x8f,
    OP_ADDITEMS = 0x90,
    OP_STACK_GLOBAL = 0x93,
    OP_MEMOIZE = 0x94,
    OP_FRAME = 0x95,
    OP_BYTEARRAY8 = 0x96,
};

static cistern_status cut_short(formats_pickle *p)
{
    return FORMATS_PICKLE_FAIL(p, "the pickle is cut short");
}

/* ---- operands ---- */

static cistern_status read_le(formats_pickle *p, unsigned bytes, uint64_t *out)
{
    const uint8_t *b;
    uint64_t value = 0;

    if (!base_cursor_take(&p->in, bytes, &b))
        return cut_short(p);
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)b[i] << (8 * i);
    *out = value;
    return CISTERN_OK;
}

/* ---- the stack ---- */

/* Doubles a table of numbers up to its maximum; the caller has checked that it is not there yet. */
static cistern_status grow(formats_pickle *p, uint32_t **table, uint32_t *capacity, uint32_t need,
                           uint32_t max)
{
    uint32_t *bigger;
    uint32_t n = *capacity ? *capacity : 256;

    while (n < need)
        n *= 2;
    n = n < max ? n : max;
    cistern_status st = base_calloc(n, sizeof *bigger, &bigger, p->err);
    if (st)
        return st;
    if (*capacity)
        memcpy(bigger, *table, *capacity * sizeof *bigger);
    free(*table);
    *table = bigger;
    *capacity = n;
    return CISTERN_OK;
}

static cistern_status push(formats_pickle *p, uint32_t value)
{
    if (p->depth == FORMATS_STACK_MAX)
        return FORMATS_PICKLE_FAIL(p, "the pickle keeps more than %u values on its stack", FORMATS_STACK_MAX);
    if (p->depth == p->stack_capacity) {
        cistern_status st = grow(p, &p->stack, &p->stack_capacity, p->depth + 1, FORMATS_STACK_MAX);
        if (st)
            return st;
    }
    p->stack[p->depth++] = value;
    return CISTERN_OK;
}

/* Values above the last MARK: opcodes must not reach below it. */
static uint32_t above_mark(const formats_pickle *p)
{
    return p->depth - (p->mark_count ? p->mark[p->mark_count - 1] : 0);
}

static cistern_status need(formats_pickle *p, uint32_t n)
{
    if (above_mark(p) < n)
        return FORMATS_PICKLE_FAIL(p, "the pickle's stack holds %u values, %u are needed", above_mark(p), n);
    return CISTERN_OK;
}

static uint32_t pop(formats_pickle *p)
{
    return p->stack[--p->depth];
}

static cistern_status need_mark(formats_pickle *p)
{
    if (!p->mark_count)
        return FORMATS_PICKLE_FAIL(p, "the pickle closes a MARK that it never opened");
    return CISTERN_OK;
}

static formats_value *value_at(const formats_pickle *p, uint32_t value)
{
    return formats_pool_get(&p->values, value);
}

static cistern_status push_new(formats_pickle *p, formats_kind kind, formats_value **out)
{
    uint32_t v;
    cistern_status st = formats_pickle_new_value(p, kind, &v);

    if (!st)
        st = push(p, v);
    if (!st && out)
        *out = value_at(p, v);
    return st;
}

/* ---- numbers and strings ---- */

static cistern_status op_integer(formats_pickle *p, formats_kind kind, int64_t integer)
{
    formats_value *v;
    cistern_status st = push_new(p, kind, &v);

    if (!st)
        v->u.integer = integer;
    return st;
}

static cistern_status op_binint(formats_pickle *p, unsigned bytes)
{
    uint64_t raw;
    cistern_status st = read_le(p, bytes, &raw);

    if (st)
        return st;
    return op_integer(p, FORMATS_INT, bytes == 4 ? (int32_t)(uint32_t)raw : (int64_t)raw);
}

static cistern_status op_binfloat(formats_pickle *p)
{
    formats_value *v;
    double real;

    if (!base_cursor_f64_be(&p->in, &real))
        return cut_short(p);
    cistern_status st = push_new(p, FORMATS_REAL, &v);
    if (!st)
        v->u.real = real;
    return st;
}

/* A length of `length_bytes`, then so many bytes. */
static cistern_status take_counted(formats_pickle *p, unsigned length_bytes, const uint8_t **out,
                                   uint32_t *out_n)
{
    uint64_t n;
    cistern_status st = read_le(p, length_bytes, &n);

    if (st)
        return st;
    if (n > base_cursor_left(&p->in) || n > UINT32_MAX)
        return FORMATS_PICKLE_FAIL(p, "the pickle is cut short: %llu bytes announced, %zu left",
                                   (unsigned long long)n, base_cursor_left(&p->in));
    if (!base_cursor_take(&p->in, n, out))
        return cut_short(p);
    *out_n = (uint32_t)n;
    return CISTERN_OK;
}

static cistern_status op_bytes(formats_pickle *p, formats_kind kind, unsigned length_bytes)
{
    const uint8_t *bytes;
    uint32_t n;
    formats_value *v;
    cistern_status st = take_counted(p, length_bytes, &bytes, &n);

    if (!st)
        st = push_new(p, kind, &v);
    if (st)
        return st;
    v->u.bytes = bytes;
    v->count = n;
    return CISTERN_OK;
}

/* Two's complement, little endian, any length; more than 8 bytes stay bytes. */
static cistern_status op_long(formats_pickle *p, unsigned length_bytes)
{
    const uint8_t *bytes;
    uint32_t n;
    formats_value *v;
    cistern_status st = take_counted(p, length_bytes, &bytes, &n);
    if (st)
        return st;
    st = push_new(p, n > 8 ? FORMATS_LONG : FORMATS_INT, &v);
    if (st)
        return st;
    if (n > 8) {
        v->u.bytes = bytes;
        v->count = n;
        return CISTERN_OK;
    }
    uint64_t raw = n && (bytes[n - 1] & 0x80) ? UINT64_MAX : 0;
    for (uint32_t i = n; i-- > 0;)
        raw = raw << 8 | bytes[i];
    v->u.integer = (int64_t)raw;
    return CISTERN_OK;
}

/* ---- containers ---- */

static cistern_status op_mark(formats_pickle *p)
{
    if (p->mark_count == FORMATS_MARKS_MAX)
        return FORMATS_PICKLE_FAIL(p, "the pickle opens more than %u MARKs", FORMATS_MARKS_MAX);
    p->mark[p->mark_count++] = p->depth;
    return CISTERN_OK;
}

/* The n topmost values, in order, become the members of `container` (pairs of key and value for a dict). */
static cistern_status move_members(formats_pickle *p, uint32_t container, uint32_t n)
{
    bool pairs = value_at(p, container)->kind == FORMATS_DICT;
    uint32_t from = p->depth - n;

    for (uint32_t i = from; i < p->depth; i += pairs ? 2 : 1) {
        cistern_status st = pairs ? formats_pickle_append(p, container, p->stack[i], p->stack[i + 1])
                                  : formats_pickle_append(p, container, 0, p->stack[i]);
        if (st)
            return st;
    }
    p->depth = from;
    return CISTERN_OK;
}

static cistern_status op_tuple(formats_pickle *p, uint32_t n)
{
    uint32_t tuple;
    cistern_status st = need(p, n);

    if (!st)
        st = formats_pickle_new_value(p, FORMATS_TUPLE, &tuple);
    if (!st)
        st = move_members(p, tuple, n);
    return st ? st : push(p, tuple);
}

static cistern_status op_tuple_marked(formats_pickle *p)
{
    cistern_status st = need_mark(p);

    if (st)
        return st;
    uint32_t n = above_mark(p);
    p->mark_count--;
    return op_tuple(p, n);
}

static cistern_status check_container(formats_pickle *p, uint32_t value, formats_kind want, uint32_t n)
{
    static const char *const verb[] = {
        [FORMATS_LIST] = "appends to", [FORMATS_DICT] = "sets items of", [FORMATS_SET] = "adds items to"};
    const formats_value *v = value_at(p, value);

    if (v->kind != want)
        return FORMATS_PICKLE_FAIL(p, "the pickle %s %s", verb[want], formats_pickle_kind_text(v));
    if (want == FORMATS_DICT && n % 2 != 0)
        return FORMATS_PICKLE_FAIL(p, "the pickle sets items of a dict from %u values, not from pairs", n);
    return CISTERN_OK;
}

/* APPEND and SETITEM: n values are on top of the container. */
static cistern_status op_add(formats_pickle *p, formats_kind want, uint32_t n)
{
    cistern_status st = need(p, n + 1);

    if (st)
        return st;
    uint32_t container = p->stack[p->depth - n - 1];
    st = check_container(p, container, want, n);
    return st ? st : move_members(p, container, n);
}

/* APPENDS, SETITEMS, ADDITEMS: everything above the mark. */
static cistern_status op_add_marked(formats_pickle *p, formats_kind want)
{
    cistern_status st = need_mark(p);

    if (st)
        return st;
    uint32_t n = above_mark(p);
    p->mark_count--;
    return op_add(p, want, n);
}

/* ---- the memo ---- */

static cistern_status op_put(formats_pickle *p, uint64_t id)
{
    cistern_status st = need(p, 1);

    if (st)
        return st;
    if (id >= FORMATS_MEMO_MAX)
        return FORMATS_PICKLE_FAIL(p, "the pickle numbers a memo entry %llu, at most %u are allowed",
                                   (unsigned long long)id, FORMATS_MEMO_MAX);
    if (id >= p->memo_capacity) {
        st = grow(p, &p->memo, &p->memo_capacity, (uint32_t)id + 1, FORMATS_MEMO_MAX);
        if (st)
            return st;
    }
    if (!p->memo[id])
        p->memo_count++;
    p->memo[id] = p->stack[p->depth - 1];
    return CISTERN_OK;
}

static cistern_status op_binput(formats_pickle *p, unsigned bytes)
{
    uint64_t id;
    cistern_status st = read_le(p, bytes, &id);

    return st ? st : op_put(p, id);
}

static cistern_status op_binget(formats_pickle *p, unsigned bytes)
{
    uint64_t id;
    cistern_status st = read_le(p, bytes, &id);

    if (st)
        return st;
    if (id >= p->memo_capacity || !p->memo[id])
        return FORMATS_PICKLE_FAIL(p, "the pickle gets memo entry %llu, which it never put",
                                   (unsigned long long)id);
    return push(p, p->memo[id]);
}

/* ---- names and what is built with them ---- */

static cistern_status push_global(formats_pickle *p, const uint8_t *module, size_t module_len,
                                  const uint8_t *name, size_t name_len)
{
    uint32_t number;
    bool known;
    formats_value *v;
    cistern_status st = formats_global_find(p, module, module_len, name, name_len, &known, &number);

    if (st)
        return st;
    if (!known && formats_pool_full(&p->classes))
        return FORMATS_PICKLE_FAIL(p, "the pickle asks for more than %u classes", FORMATS_CLASSES_MAX);
    if (!known && (st = formats_pool_add(&p->classes, &number, p->err)))
        return st;
    if (!known)
        *(formats_class *)formats_pool_get(&p->classes, number) =
            (formats_class){module, name, (uint32_t)module_len, (uint32_t)name_len, p->origin + p->op_at};
    st = push_new(p, known ? FORMATS_GLOBAL : FORMATS_CLASS, &v);
    if (!st)
        v->u.number = number;
    return st;
}

static cistern_status read_line(formats_pickle *p, const uint8_t **out, size_t *out_n)
{
    const uint8_t *from = p->in.base + p->in.pos;
    size_t left = base_cursor_left(&p->in);
    size_t look = left < FORMATS_GLOBAL_BYTES_MAX + 1 ? left : FORMATS_GLOBAL_BYTES_MAX + 1;
    const uint8_t *end = look ? memchr(from, '\n', look) : NULL;

    if (!end && look == left)
        return cut_short(p);
    if (!end)
        return FORMATS_PICKLE_FAIL(p, "the pickle asks for a name of more than %u bytes",
                                   FORMATS_GLOBAL_BYTES_MAX);
    *out = from;
    *out_n = (size_t)(end - from);
    return base_cursor_skip(&p->in, *out_n + 1) ? CISTERN_OK : cut_short(p);
}

static cistern_status op_global(formats_pickle *p)
{
    const uint8_t *module, *name;
    size_t module_len, name_len;
    cistern_status st = read_line(p, &module, &module_len);

    if (!st)
        st = read_line(p, &name, &name_len);
    return st ? st : push_global(p, module, module_len, name, name_len);
}

static cistern_status op_stack_global(formats_pickle *p)
{
    cistern_status st = need(p, 2);

    if (st)
        return st;
    const formats_value *name = value_at(p, pop(p));
    const formats_value *module = value_at(p, pop(p));
    if (name->kind != FORMATS_STRING || module->kind != FORMATS_STRING)
        return FORMATS_PICKLE_FAIL(p, "the pickle asks for a name made of %s and %s",
                                   formats_pickle_kind_text(module), formats_pickle_kind_text(name));
    return push_global(p, module->u.bytes, module->count, name->u.bytes, name->count);
}

static cistern_status op_reduce(formats_pickle *p)
{
    uint32_t result;
    cistern_status st = need(p, 2);

    if (st)
        return st;
    uint32_t args = pop(p);
    uint32_t callable = pop(p);
    st = formats_rebuild_call(p, callable, args, &result);
    return st ? st : push(p, result);
}

/* An object: of a class that is not allowed a record without a state yet, whatever its arguments. */
static cistern_status op_newobj(formats_pickle *p)
{
    cistern_status st = need(p, 2);

    if (st)
        return st;
    if (value_at(p, p->stack[p->depth - 2])->kind != FORMATS_CLASS)
        return op_reduce(p);
    if (value_at(p, p->stack[p->depth - 1])->kind != FORMATS_TUPLE)
        return FORMATS_PICKLE_FAIL(p, "the pickle makes an object from %s, not from a tuple",
                                   formats_pickle_kind_text(value_at(p, p->stack[p->depth - 1])));
    p->depth -= 2;
    return push_new(p, FORMATS_RECORD, NULL);
}

static cistern_status op_binpersid(formats_pickle *p)
{
    uint32_t storage;
    cistern_status st = need(p, 1);

    if (!st)
        st = formats_rebuild_storage(p, pop(p), &storage);
    return st ? st : push(p, storage);
}

/* The dict in a state: itself, or the first of the pair that objects with slots have; 0: neither. */
static uint32_t state_dict(const formats_pickle *p, uint32_t state)
{
    const formats_value *v = value_at(p, state);

    if (v->kind == FORMATS_TUPLE && v->count == 2)
        state = formats_pickle_cell(p, v->u.cells.first)->value;
    return value_at(p, state)->kind == FORMATS_DICT ? state : 0;
}

/* The state of an OrderedDict (its _metadata: versions of modules) is read and dropped, that of a record is kept. */
static cistern_status op_build(formats_pickle *p)
{
    cistern_status st = need(p, 2);

    if (st)
        return st;
    uint32_t state = pop(p);
    formats_value *target = value_at(p, p->stack[p->depth - 1]);
    if (target->kind == FORMATS_RECORD)
        target->u.number = state_dict(p, state);
    else if (target->kind != FORMATS_DICT && target->kind != FORMATS_TENSOR)
        return FORMATS_PICKLE_FAIL(p, "the pickle sets the state of %s", formats_pickle_kind_text(target));
    return CISTERN_OK;
}

static cistern_status op_stop(formats_pickle *p)
{
    if (p->depth != 1 || p->mark_count)
        return FORMATS_PICKLE_FAIL(
            p, "the pickle ends with %u values and %u MARKs on its stack, not with one value", p->depth,
            p->mark_count);
    p->root = pop(p);
    return CISTERN_OK;
}

static cistern_status op_frame(formats_pickle *p)
{
    uint64_t n;
    cistern_status st = read_le(p, 8, &n);

    if (!st && n > base_cursor_left(&p->in))
        st = FORMATS_PICKLE_FAIL(p, "the pickle is cut short: a frame of %llu bytes, %zu left",
                                 (unsigned long long)n, base_cursor_left(&p->in));
    return st;
}

cistern_status formats_opcode_protocol(formats_pickle *p)
{
    uint8_t op, version;

    if (!base_cursor_u8(&p->in, &op) || !base_cursor_u8(&p->in, &version))
        return cut_short(p);
    if (op != OP_PROTO || version < 2 || version > 5)
        return FORMATS_PICKLE_FAIL(p, "not a pickle of protocol 2 to 5 (it begins %02x %02x)", op, version);
    return CISTERN_OK;
}

static cistern_status other(formats_pickle *p, uint8_t op)
{
    if (op == 'i' || op == 'o' || op == 0x92)
        return FORMATS_PICKLE_FAIL(
            p,
            "holds code: the pickle makes an object of a class (opcode 0x%02x), which is "
            "not allowed; nothing was run",
            op);
    return FORMATS_PICKLE_FAIL(p, "the pickle has opcode 0x%02x, which is not allowed", op);
}

cistern_status formats_opcode_step(formats_pickle *p)
{
    uint8_t op;

    p->op_at = p->in.pos;
    if (!base_cursor_u8(&p->in, &op))
        return cut_short(p);
    switch (op) {
    case OP_MARK:
        return op_mark(p);
    case OP_EMPTY_TUPLE:
        return push_new(p, FORMATS_TUPLE, NULL);
    case OP_EMPTY_LIST:
        return push_new(p, FORMATS_LIST, NULL);
    case OP_EMPTY_DICT:
        return push_new(p, FORMATS_DICT, NULL);
    case OP_EMPTY_SET:
        return push_new(p, FORMATS_SET, NULL);
    case OP_NONE:
        return push_new(p, FORMATS_NONE, NULL);
    case OP_NEWTRUE:
        return op_integer(p, FORMATS_BOOL, 1);
    case OP_NEWFALSE:
        return op_integer(p, FORMATS_BOOL, 0);
    case OP_BININT:
        return op_binint(p, 4);
    case OP_BININT1:
        return op_binint(p, 1);
    case OP_BININT2:
        return op_binint(p, 2);
    case OP_LONG1:
        return op_long(p, 1);
    case OP_LONG4:
        return op_long(p, 4);
    case OP_BINFLOAT:
        return op_binfloat(p);
    case OP_SHORT_BINSTRING:
    case OP_SHORT_BINUNICODE:
        return op_bytes(p, FORMATS_STRING, 1);
    case OP_BINSTRING:
    case OP_BINUNICODE:
        return op_bytes(p, FORMATS_STRING, 4);
    case OP_BINUNICODE8:
        return op_bytes(p, FORMATS_STRING, 8);
    case OP_SHORT_BINBYTES:
        return op_bytes(p, FORMATS_BYTES, 1);
    case OP_BINBYTES:
        return op_bytes(p, FORMATS_BYTES, 4);
    case OP_BINBYTES8:
    case OP_BYTEARRAY8:
        return op_bytes(p, FORMATS_BYTES, 8);
    case OP_TUPLE:
        return op_tuple_marked(p);
    case OP_TUPLE1:
        return op_tuple(p, 1);
    case OP_TUPLE2:
        return op_tuple(p, 2);
    case OP_TUPLE3:
        return op_tuple(p, 3);
    case OP_APPEND:
        return op_add(p, FORMATS_LIST, 1);
    case OP_APPENDS:
        return op_add_marked(p, FORMATS_LIST);
    case OP_SETITEM:
        return op_add(p, FORMATS_DICT, 2);
    case OP_SETITEMS:
        return op_add_marked(p, FORMATS_DICT);
    case OP_ADDITEMS:
        return op_add_marked(p, FORMATS_SET);
    case OP_BINPUT:
        return op_binput(p, 1);
    case OP_LONG_BINPUT:
        return op_binput(p, 4);
    case OP_MEMOIZE:
        return op_put(p, p->memo_count);
    case OP_BINGET:
        return op_binget(p, 1);
    case OP_LONG_BINGET:
        return op_binget(p, 4);
    case OP_GLOBAL:
        return op_global(p);
    case OP_STACK_GLOBAL:
        return op_stack_global(p);
    case OP_REDUCE:
        return op_reduce(p);
    case OP_NEWOBJ:
        return op_newobj(p);
    case OP_BINPERSID:
        return op_binpersid(p);
    case OP_BUILD:
        return op_build(p);
    case OP_FRAME:
        return op_frame(p);
    case OP_STOP:
        return op_stop(p);
    default:
        return other(p, op);
    }
}
