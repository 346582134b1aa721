/* JSON documents: strict reading, canonical writing; see base_json.h.
 *
 * Invariants
 *  1. Bytes are scanned before jansson sees them: nesting and numbers are refused with their position, so the
 *     recursion in jansson is bounded by BASE_JSON_DEPTH.
 *  2. What is written has passed the same scan.
 * It knows nothing of any document's fields.
 */
#include "base_json.h"
#include <inttypes.h>

/* Place of the first thing that is not allowed, and why; NULL text: nothing. */
typedef struct json_fault {
    size_t position;
    const char *text;
} json_fault;

static size_t skip_string(const char *text, size_t n, size_t i)
{
    for (i++; i < n && text[i] != '"'; i++)
        if (text[i] == '\\')
            i++;
    return i < n ? i + 1 : n;
}

/* From the first digit or sign to what ends a number; *fault says what is wrong with it under `flags`. */
static size_t scan_number(const char *text, size_t n, size_t i, unsigned flags, const char **fault)
{
    uint64_t magnitude = 0;
    bool real = false;
    for (; i < n; i++) {
        char c = text[i];
        if (c >= '0' && c <= '9') {
            if (magnitude < (uint64_t)BASE_JSON_INT_MAX)
                magnitude = magnitude * 10 + (uint64_t)(c - '0');
        } else if (c == '.' || c == 'e' || c == 'E') {
            real = true;
        } else if (c != '-' && c != '+') {
            break;
        }
    }
    if (!(flags & BASE_JSON_REALS)) {
        if (real)
            *fault = "a number that is no integer";
        else if (magnitude >= (uint64_t)BASE_JSON_INT_MAX)
            *fault = "an integer of 2^53 or more";
    }
    return i;
}

static json_fault scan(const char *text, size_t n, unsigned flags)
{
    json_fault fault = {0, NULL};
    size_t depth = 0;
    for (size_t i = 0; i < n && !fault.text;) {
        size_t start = i;
        char c = text[i];
        if (c == '"') {
            i = skip_string(text, n, i);
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            i = scan_number(text, n, i, flags, &fault.text);
        } else {
            if ((c == '{' || c == '[') && ++depth > BASE_JSON_DEPTH)
                fault.text = "more than 64 levels";
            else if ((c == '}' || c == ']') && depth > 0)
                depth--;
            i++;
        }
        fault.position = start;
    }
    return fault;
}

cistern_status base_json_parse(const void *bytes, size_t n, unsigned flags, const char *what, json_t **out,
                               cistern_error *err)
{
    _Static_assert(BASE_JSON_DEPTH == 64, "the message of scan() says the number");
    if (n > BASE_JSON_MAX)
        return base_fail(err, CISTERN_DAMAGED, "%s: %zu bytes, at most %u allowed", what, n, BASE_JSON_MAX);
    json_fault fault = scan(bytes, n, flags);
    if (fault.text)
        return base_fail_at(err, CISTERN_DAMAGED, fault.position, "%s: %s", what, fault.text);
    json_error_t wrong;
    json_t *root = json_loadb(n > 0 ? bytes : "", n, JSON_REJECT_DUPLICATES, &wrong);
    if (!root && json_error_code(&wrong) == json_error_out_of_memory)
        return base_fail_memory(err, n);
    if (!root)
        /* jansson counts the bytes up to the end of what it could not use: name the last of them. */
        return base_fail_at(err, CISTERN_DAMAGED, wrong.position > 0 ? (uint64_t)wrong.position - 1 : 0,
                            "%s: not valid JSON: %s", what, wrong.text);
    if (!json_is_object(root)) {
        json_decref(root);
        return base_fail(err, CISTERN_DAMAGED, "%s: a JSON array, an object was expected", what);
    }
    *out = root;
    return CISTERN_OK;
}

/* What jansson's callback needs to know. */
typedef struct json_sink {
    base_buf *out;
    cistern_error *err;
    cistern_status status;
} json_sink;

static int put_chunk(const char *bytes, size_t n, void *user)
{
    json_sink *sink = user;
    sink->status = base_buf_put(sink->out, bytes, n, sink->err);
    return sink->status == CISTERN_OK ? 0 : -1;
}

cistern_status base_json_write(const json_t *value, base_buf *out, cistern_error *err)
{
    size_t before = out->len;
    json_sink sink = {out, err, CISTERN_OK};
    json_fault fault = {0, NULL};
    int failed = json_dump_callback(value, put_chunk, &sink, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    if (failed && sink.status == CISTERN_OK)
        sink.status = base_fail(err, CISTERN_UNEXPECTED, "cannot write a JSON document");
    if (sink.status == CISTERN_OK)
        fault = scan(out->data + before, out->len - before, BASE_JSON_STRICT);
    if (fault.text)
        sink.status = base_fail_at(err, CISTERN_UNEXPECTED, fault.position, "a JSON document would hold %s",
                                   fault.text);
    if (sink.status == CISTERN_OK)
        sink.status = base_buf_put(out, "\n", 1, err);
    if (sink.status != CISTERN_OK && out->data) {
        out->len = before;
        out->data[before] = '\0';
    }
    return sink.status;
}

static const char *type_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a real number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        return "null";
    }
    return "of no known type";
}

static cistern_status wrong_type(const json_t *value, const char *key, const char *what, const char *wanted,
                                 cistern_error *err)
{
    if (!value)
        return base_fail(err, CISTERN_DAMAGED, "%s: '%s' is missing, %s was expected", what, key, wanted);
    return base_fail(err, CISTERN_DAMAGED, "%s: '%s' is %s, %s was expected", what, key, type_name(value),
                     wanted);
}

cistern_status base_json_string(const json_t *object, const char *key, const char *what, const char **out,
                                cistern_error *err)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value))
        return wrong_type(value, key, what, "a string", err);
    *out = json_string_value(value);
    return CISTERN_OK;
}

cistern_status base_json_u64(const json_t *object, const char *key, const char *what, uint64_t *out,
                             cistern_error *err)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value))
        return wrong_type(value, key, what, "an integer", err);
    json_int_t number = json_integer_value(value);
    if (number < 0)
        return base_fail(err, CISTERN_DAMAGED,
                         "%s: '%s' is %" JSON_INTEGER_FORMAT ", not negative was expected", what, key,
                         number);
    *out = (uint64_t)number;
    return CISTERN_OK;
}

const char *base_json_peek_string(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}
