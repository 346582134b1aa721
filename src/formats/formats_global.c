/* The allow-list.
 *
 * Invariants
 *  1. A name that is not in the table is a name and nothing else, see formats_pickle.h; nothing is looked up elsewhere.
 *  2. The table names no function that this program has: each row is a number for formats_rebuild.c.
 * Source of the names: torch/_weights_only_unpickler.py, torch/_utils.py, torch/storage.py.
 */
#include "priv/formats_global.h"

#include <assert.h>

#define STORAGE(text, dt)                                                                                    \
    {"torch", text "Storage", FORMATS_GLOBAL_STORAGE, dt},                                                   \
    {                                                                                                        \
        "torch.cuda", text "Storage", FORMATS_GLOBAL_STORAGE, dt                                             \
    }
#define DTYPE(text, dt)                                                                                      \
    {                                                                                                        \
        "torch", text, FORMATS_GLOBAL_DTYPE, dt                                                              \
    }

static const formats_global table[] = {
    {"collections", "OrderedDict", FORMATS_GLOBAL_ORDERED_DICT, 0},
    {"torch._utils", "_rebuild_tensor", FORMATS_GLOBAL_REBUILD_TENSOR, 0},
    {"torch._utils", "_rebuild_tensor_v2", FORMATS_GLOBAL_REBUILD_TENSOR_V2, 0},
    {"torch._utils", "_rebuild_tensor_v3", FORMATS_GLOBAL_REBUILD_TENSOR_V3, 0},
    {"torch._utils", "_rebuild_parameter", FORMATS_GLOBAL_REBUILD_PARAMETER, 0},
    {"torch._utils", "_rebuild_parameter_with_state", FORMATS_GLOBAL_REBUILD_PARAMETER, 0},
    {"torch", "Size", FORMATS_GLOBAL_SIZE, 0},
    {"builtins", "set", FORMATS_GLOBAL_SET, 0}, /* of protocols below 4, in every saved module */
    {"__builtin__", "set", FORMATS_GLOBAL_SET, 0},
    {"torch", "device", FORMATS_GLOBAL_IGNORED, 0},
    {"_codecs", "encode", FORMATS_GLOBAL_IGNORED, 0},
    STORAGE("Float", MODEL_F32),
    STORAGE("Half", MODEL_F16),
    STORAGE("BFloat16", MODEL_BF16),
    STORAGE("Double", MODEL_F64),
    STORAGE("Long", MODEL_I64),
    STORAGE("Int", MODEL_I32),
    STORAGE("Short", MODEL_I16),
    STORAGE("Char", MODEL_I8),
    STORAGE("Byte", MODEL_U8),
    STORAGE("Bool", MODEL_BOOL),
    {"torch.storage", "UntypedStorage", FORMATS_GLOBAL_UNTYPED, 0},
    {"torch.storage", "_UntypedStorage", FORMATS_GLOBAL_UNTYPED, 0},
    {"torch", "UntypedStorage", FORMATS_GLOBAL_UNTYPED, 0},
    {"torch.storage", "TypedStorage", FORMATS_GLOBAL_TYPED, 0},
    {"torch.storage", "_TypedStorage", FORMATS_GLOBAL_TYPED, 0},
    DTYPE("float32", MODEL_F32),
    DTYPE("float16", MODEL_F16),
    DTYPE("bfloat16", MODEL_BF16),
    DTYPE("float64", MODEL_F64),
    DTYPE("int64", MODEL_I64),
    DTYPE("int32", MODEL_I32),
    DTYPE("int16", MODEL_I16),
    DTYPE("int8", MODEL_I8),
    DTYPE("uint8", MODEL_U8),
    DTYPE("bool", MODEL_BOOL),
};
#define TABLE_LEN ((uint32_t)(sizeof table / sizeof table[0]))

/* Harmless, but of a kind of number or layout that this version has no use for: said as such, not as "code". */
static const char *const unread[] = {
    "ComplexFloatStorage",
    "ComplexDoubleStorage",
    "QInt8Storage",
    "QUInt8Storage",
    "QInt32Storage",
    "QUInt4x2Storage",
    "QUInt2x4Storage",
    "complex32",
    "complex64",
    "complex128",
    "uint16",
    "uint32",
    "uint64",
    "float8_e4m3fn",
    "float8_e5m2",
    "float8_e4m3fnuz",
    "float8_e5m2fnuz",
    "_rebuild_sparse_tensor",
    "_rebuild_qtensor",
};

static bool same(const uint8_t *bytes, size_t n, const char *text)
{
    return strlen(text) == n && memcmp(bytes, text, n) == 0;
}

static bool starts_with_torch(const uint8_t *module, size_t n)
{
    return n >= 5 && memcmp(module, "torch", 5) == 0 && (n == 5 || module[5] == '.');
}

cistern_status formats_global_find(formats_pickle *p, const uint8_t *module, size_t module_len,
                                   const uint8_t *name, size_t name_len, bool *out_known, uint32_t *out)
{
    if (module_len + name_len > FORMATS_GLOBAL_BYTES_MAX)
        return FORMATS_PICKLE_FAIL(p, "the pickle asks for a name of %zu bytes, at most %u are allowed",
                                   module_len + name_len, FORMATS_GLOBAL_BYTES_MAX);
    for (uint32_t i = 0; i < TABLE_LEN; i++) {
        if (same(module, module_len, table[i].module) && same(name, name_len, table[i].name)) {
            *out = i;
            *out_known = true;
            return CISTERN_OK;
        }
    }
    for (size_t i = 0; i < sizeof unread / sizeof unread[0]; i++) {
        if (starts_with_torch(module, module_len) && same(name, name_len, unread[i]))
            return FORMATS_PICKLE_FAIL(p, "holds tensors of a kind that this version does not read (%s.%s)",
                                       "torch", unread[i]);
    }
    *out_known = false;
    return CISTERN_OK;
}

const formats_global *formats_global_peek(uint32_t number)
{
    assert(number < TABLE_LEN);
    return &table[number];
}
