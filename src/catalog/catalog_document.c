/* Documents under models/; see priv/catalog_document.h. */
#include "priv/catalog_document.h"
#include <inttypes.h>
#include <stdarg.h>
#include "base_host.h"
#include "base_json.h"
#include "base_mem.h"
#include "base_thread.h"

void catalog_document_path(char out[STORE_PATH_MAX], const char *name, const char *fmt, ...)
{
    char stored[CATALOG_STORED_NAME_MAX + 1];
    catalog_name_encode(name, stored);
    int n = snprintf(out, STORE_PATH_MAX, "models/%s", stored);
    va_list args;
    va_start(args, fmt);
    vsnprintf(out + n, STORE_PATH_MAX - (size_t)n, fmt, args);
    va_end(args);
}

static cistern_status digest_of(const base_buf *bytes, char out[BASE_SHA256_HEX], cistern_error *err)
{
    base_digest digest;
    cistern_status st = base_sha256_of(bytes->data, bytes->len, &digest, err);
    if (st == CISTERN_OK)
        base_digest_hex(&digest, out);
    return st;
}

static cistern_status check_format(const json_t *document, const char *path, cistern_error *err)
{
    uint64_t format;
    cistern_status st = base_json_u64(document, "format", path, &format, err);
    if (st == CISTERN_OK && format > CATALOG_FORMAT)
        st = base_fail(err, CISTERN_DAMAGED,
                       "%s has format %" PRIu64 ", this program knows %d: use a newer cistern", path, format,
                       CATALOG_FORMAT);
    else if (st == CISTERN_OK && format < 1)
        st = base_fail(err, CISTERN_DAMAGED, "%s: format 0, at least 1 expected", path);
    return st;
}

cistern_status catalog_document_read(const store *s, const char *path, json_t **out,
                                     char out_digest[BASE_SHA256_HEX], bool *out_found, cistern_error *err)
{
    base_buf bytes;
    json_t *document = NULL;
    base_buf_init(&bytes, STORE_DOC_MAX);
    cistern_status st = store_doc_read(s, path, &bytes, err);
    if (st == CISTERN_NOT_FOUND) {
        base_error_clear(err);
        *out_found = false;
        st = CISTERN_OK;
        goto out;
    }
    if (st == CISTERN_OK)
        st = base_json_parse(bytes.data, bytes.len, BASE_JSON_STRICT, path, &document, err);
    if (st == CISTERN_OK)
        st = check_format(document, path, err);
    if (st == CISTERN_OK && out_digest)
        st = digest_of(&bytes, out_digest, err);
    if (st == CISTERN_OK) {
        *out = document;
        *out_found = true;
        document = NULL;
    }
out:
    json_decref(document);
    base_buf_clear(&bytes);
    return st;
}

cistern_status catalog_document_create(store *s, const char *path, const json_t *document,
                                       char out_digest[BASE_SHA256_HEX], cistern_error *err)
{
    base_buf bytes;
    base_buf_init(&bytes, STORE_DOC_MAX + 1);
    cistern_status st = base_json_write(document, &bytes, err);
    if (st == CISTERN_OK && bytes.len > STORE_DOC_MAX)
        st = base_fail(err, CISTERN_USAGE, "%s would have %zu bytes, at most %u are allowed", path, bytes.len,
                       STORE_DOC_MAX);
    if (st == CISTERN_OK)
        st = digest_of(&bytes, out_digest, err);
    if (st == CISTERN_OK)
        st = store_doc_create(s, path, bytes.data, bytes.len, NULL, err);
    base_buf_clear(&bytes);
    return st;
}

void catalog_document_head(store *s, const char *path, uint32_t number)
{
    char text[16];
    int n = snprintf(text, sizeof text, "%" PRIu32 "\n", number);
    if (store_doc_hint(s, path, text, (size_t)n, NULL) != CISTERN_OK)
        return; /* readers probe upwards from an old one, or list */
}

cistern_status catalog_document_put(json_t *object, const char *key, json_t *value, cistern_error *err)
{
    return json_object_set_new(object, key, value) == 0 ? CISTERN_OK : base_fail_memory(err, 0);
}

cistern_status catalog_document_put_text(json_t *object, const char *key, const char *text, size_t max,
                                         cistern_error *err)
{
    size_t n = strlen(text);
    if (n > max)
        return base_fail(err, CISTERN_USAGE, "'%s' has %zu bytes, at most %zu are allowed", key, n, max);
    if (!catalog_text_printable(text))
        return base_fail(err, CISTERN_USAGE, "'%s' is '%s': UTF-8 without control characters is allowed", key,
                         text);
    return catalog_document_put(object, key, json_stringn(text, n), err);
}

cistern_status catalog_document_sign(json_t *object, const char *who, const char *why, cistern_error *err)
{
    char id[CATALOG_ID_HEX], when[24], self[CATALOG_WHO_MAX];
    cistern_status st = base_random_hex((CATALOG_ID_HEX - 1) / 2, id, err);
    base_time_text(when);
    if (!who)
        base_who(self, sizeof self);
    if (st == CISTERN_OK)
        st = catalog_document_put(object, "id", json_string(id), err);
    if (st == CISTERN_OK)
        st = catalog_document_put(object, "when", json_string(when), err);
    if (st == CISTERN_OK)
        st = catalog_document_put_text(object, "who", who ? who : self, CATALOG_WHO_MAX, err);
    if (st == CISTERN_OK && why)
        st = catalog_document_put_text(object, "why", why, CATALOG_TEXT_MAX, err);
    return st;
}

bool catalog_text_printable(const char *text)
{
    json_t *probe =
        json_string(text); /* NULL: not UTF-8 (or no memory: then the caller's next step says so) */
    bool printable = probe != NULL;
    for (const unsigned char *p = (const unsigned char *)text; *p && printable; p++)
        printable = *p >= 0x20 && *p != 0x7f && !(*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0);
    json_decref(probe);
    return printable;
}

cistern_status catalog_document_text(const json_t *object, const char *key, const char *path, size_t max,
                                     const char **out, cistern_error *err)
{
    const char *text;
    cistern_status st = base_json_string(object, key, path, &text, err);
    if (st != CISTERN_OK)
        return st;
    if (json_string_length(json_object_get(object, key)) != strlen(text) || strlen(text) > max)
        return base_fail(err, CISTERN_DAMAGED, "%s: '%s' has more than %zu bytes, or a zero byte", path, key,
                         max);
    if (!catalog_text_printable(text))
        return base_fail(err, CISTERN_DAMAGED, "%s: '%s' has a control character", path, key);
    *out = text;
    return CISTERN_OK;
}

cistern_status catalog_document_text_or(const json_t *object, const char *key, const char *path, size_t max,
                                        const char *other, const char **out, cistern_error *err)
{
    const json_t *value = json_object_get(object, key);
    if (value && !json_is_null(value))
        return catalog_document_text(object, key, path, max, out, err);
    *out = other;
    return CISTERN_OK;
}

cistern_status catalog_document_hex(const json_t *object, const char *key, const char *path, size_t digits,
                                    char *out, cistern_error *err)
{
    const char *text;
    cistern_status st = catalog_document_text(object, key, path, CATALOG_WHO_MAX, &text, err);
    if (st != CISTERN_OK)
        return st;
    if (strlen(text) != digits || strspn(text, "0123456789abcdef") != digits)
        return base_fail(err, CISTERN_DAMAGED,
                         "%s: '%s' is '%.80s', %zu lower-case hexadecimal digits expected", path, key, text,
                         digits);
    memcpy(out, text, digits + 1);
    return CISTERN_OK;
}

cistern_status catalog_document_tag(const json_t *object, const char *key, const char *path,
                                    char out[CATALOG_TAG_MAX + 1], cistern_error *err)
{
    const char *text;
    cistern_status st = catalog_document_text(object, key, path, CATALOG_TAG_MAX, &text, err);
    if (st != CISTERN_OK)
        return st;
    if (!catalog_tag_valid(text))
        return base_fail(err, CISTERN_DAMAGED, "%s: '%s' is '%.80s', which is no version's name", path, key,
                         text);
    memcpy(out, text, strlen(text) + 1);
    return CISTERN_OK;
}

cistern_status catalog_document_same(const json_t *object, const char *key, const char *path,
                                     const char *value, cistern_error *err)
{
    const char *text;
    cistern_status st = catalog_document_text(object, key, path, CATALOG_TEXT_MAX, &text, err);
    if (st == CISTERN_OK && strcmp(text, value) != 0)
        st = base_fail(err, CISTERN_DAMAGED, "%s: '%s' is '%.80s', '%s' expected: it belongs elsewhere", path,
                       key, text, value);
    return st;
}

cistern_status catalog_document_u64_or_0(const json_t *object, const char *key, const char *path,
                                         uint64_t *out, cistern_error *err)
{
    if (json_object_get(object, key))
        return base_json_u64(object, key, path, out, err);
    *out = 0;
    return CISTERN_OK;
}

bool catalog_entry_tag(const char *entry, char out[CATALOG_TAG_MAX + 1])
{
    static const char suffix[] = ".json";
    size_t n = strlen(entry), end = sizeof suffix - 1;
    if (n <= end || n - end > CATALOG_TAG_MAX || strcmp(entry + n - end, suffix) != 0)
        return false;
    char tag[CATALOG_TAG_MAX + 1];
    memcpy(tag, entry, n - end);
    tag[n - end] = '\0';
    if (!catalog_tag_valid(tag))
        return false;
    memcpy(out, tag, n - end + 1);
    return true;
}
