/* Zip directories, read so that no two readers can see two archives (PKWARE APPNOTE 6.3.10).
 *
 * Invariants
 *  1. The end record is the file's last 22 bytes: no comment, nothing after it. A zip64 record lies directly before
 *     its locator, which lies directly before the end record; the central directory ends where they begin.
 *  2. Central and local headers agree in name, method, flags, and in sizes where the local one tells them.
 *  3. No two members overlap, and none reaches into the directory. No name occurs twice.
 *  4. Names are relative, without "..", backslashes and control characters (they are never used as paths anyway).
 * It does not: decompress, decrypt, read archives of several volumes, look for an archive inside a larger file.
 */
#include "priv/formats_zip.h"

#include <assert.h>
#include <zlib.h>
#include "base_cursor.h"
#include "base_mem.h"
#include "formats_limits.h"

#define END_SIG       0x06054b50u
#define END_BYTES     22u
#define END64_SIG     0x06064b50u
#define END64_BYTES   56u
#define LOCATOR_SIG   0x07064b50u
#define LOCATOR_BYTES 20u
#define CENTRAL_SIG   0x02014b50u
#define CENTRAL_BYTES 46u
#define LOCAL_SIG     0x04034b50u
#define LOCAL_BYTES   30u

#define FLAG_ENCRYPTED  0x0001u
#define FLAG_DEFLATE    0x0006u /* how hard a deflated member was packed */
#define FLAG_DESCRIPTOR 0x0008u /* sizes follow the payload; the local header has none */
#define FLAG_UTF8       0x0800u
#define FLAGS_KNOWN     (FLAG_DEFLATE | FLAG_DESCRIPTOR | FLAG_UTF8)

#define ZIP64_ID  0x0001u
#define IN_ZIP64  0xffffffffu
#define IN_ZIP64S 0xffffu

#define FAIL(err, at, ...) base_fail_at(err, CISTERN_UNREADABLE, at, __VA_ARGS__)

typedef struct directory {
    uint64_t at, size, count;
} directory;

static uint16_t le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t le32(const uint8_t *p)
{
    return (uint32_t)le16(p) | (uint32_t)le16(p + 2) << 16;
}

static uint64_t le64(const uint8_t *p)
{
    return (uint64_t)le32(p) | (uint64_t)le32(p + 4) << 32;
}

/* ---- the end of the file ---- */

static cistern_status check_disks(const uint8_t *end, uint64_t at, cistern_error *err)
{
    if (le16(end + 4) != 0 || le16(end + 6) != 0 || le16(end + 8) != le16(end + 10))
        return FAIL(err, at, "a zip file of several volumes");
    return CISTERN_OK;
}

/* Whether a field of the old end record says what the zip64 record says, or that it cannot. */
static bool agrees(uint64_t old, uint64_t limit, uint64_t value)
{
    return old == limit || old == value;
}

/* The zip64 end record before `locator`, which must lie directly before it. */
static cistern_status read_end64(const uint8_t *bytes, uint64_t locator_at, directory *dir, uint64_t *out_end,
                                 cistern_error *err)
{
    const uint8_t *locator = bytes + locator_at;

    if (locator_at < END64_BYTES || le64(locator + 8) != locator_at - END64_BYTES)
        return FAIL(err, locator_at, "the zip64 locator points to byte %llu, not to the record before it",
                    (unsigned long long)le64(locator + 8));
    uint64_t at = locator_at - END64_BYTES;
    const uint8_t *end = bytes + at;
    if (le32(end) != END64_SIG || le64(end + 4) != END64_BYTES - 12)
        return FAIL(err, at, "no zip64 end record where the locator points");
    if (le32(locator + 4) != 0 || le32(locator + 16) > 1 || le32(end + 16) != 0 || le32(end + 20) != 0 ||
        le64(end + 24) != le64(end + 32))
        return FAIL(err, at, "a zip file of several volumes");
    const uint8_t *old = locator + LOCATOR_BYTES;
    *dir = (directory){.count = le64(end + 32), .size = le64(end + 40), .at = le64(end + 48)};
    if (!agrees(le16(old + 10), IN_ZIP64S, dir->count) || !agrees(le32(old + 12), IN_ZIP64, dir->size) ||
        !agrees(le32(old + 16), IN_ZIP64, dir->at))
        return FAIL(err, at, "the two end records of the zip file differ");
    *out_end = at;
    return CISTERN_OK;
}

static cistern_status find_directory(const uint8_t *bytes, uint64_t size, directory *dir, cistern_error *err)
{
    if (size < END_BYTES || le32(bytes + size - END_BYTES) != END_SIG || le16(bytes + size - 2) != 0)
        return FAIL(err, size,
                    "the zip file does not end with its end record: it is cut short, or something was "
                    "added to it; fetch it again");
    uint64_t at = size - END_BYTES, end = at, dir_end;
    const uint8_t *record = bytes + at;
    cistern_status st = check_disks(record, at, err);
    if (st)
        return st;
    *dir = (directory){.count = le16(record + 10), .size = le32(record + 12), .at = le32(record + 16)};
    if (at >= LOCATOR_BYTES && le32(record - LOCATOR_BYTES) == LOCATOR_SIG)
        st = read_end64(bytes, at - LOCATOR_BYTES, dir, &end, err);
    if (st)
        return st;
    if (!base_add_u64(dir->at, dir->size, &dir_end) || dir_end != end)
        return FAIL(err, at,
                    "the zip directory is said to be bytes %llu to %llu + %llu, but it must end at byte %llu",
                    (unsigned long long)dir->at, (unsigned long long)dir->at, (unsigned long long)dir->size,
                    (unsigned long long)end);
    if (dir->count > dir->size / CENTRAL_BYTES)
        return FAIL(err, at, "%llu members announced in a zip directory of %llu bytes",
                    (unsigned long long)dir->count, (unsigned long long)dir->size);
    if (dir->count > FORMATS_ZIP_MEMBERS_MAX)
        return FAIL(err, at, "%llu members in the zip file, at most %u allowed",
                    (unsigned long long)dir->count, FORMATS_ZIP_MEMBERS_MAX);
    return CISTERN_OK;
}

/* ---- one member ---- */

static bool dotted(const uint8_t *name, size_t from, size_t to)
{
    return (to - from == 1 && name[from] == '.') ||
           (to - from == 2 && name[from] == '.' && name[from + 1] == '.');
}

static bool name_is_fine(const uint8_t *name, size_t n)
{
    size_t from = 0;

    if (n == 0 || n > FORMATS_ZIP_NAME_MAX || name[0] == '/')
        return false;
    for (size_t i = 0; i < n; i++) {
        if (name[i] < 0x20 || name[i] == 0x7f || name[i] == '\\')
            return false;
        if (name[i] == '/') {
            if (dotted(name, from, i))
                return false;
            from = i + 1;
        }
    }
    return !dotted(name, from, n);
}

/* The zip64 extra field among `n` bytes of extra fields; *out NULL: none. false: they are malformed, or it is there
 * twice. */
static bool find_zip64(const uint8_t *extra, size_t n, const uint8_t **out, size_t *out_n)
{
    size_t at = 0;

    *out = NULL;
    while (n - at >= 4) {
        size_t len = le16(extra + at + 2);
        if (len > n - at - 4)
            return false;
        if (le16(extra + at) == ZIP64_ID) {
            if (*out)
                return false;
            *out = extra + at + 4;
            *out_n = len;
        }
        at += 4 + len;
    }
    return at == n;
}

/* Fields of a central header that say "see the zip64 extra": taken from there, in their fixed order. */
static bool apply_zip64(const uint8_t *extra, size_t n, uint64_t *const field[], size_t count)
{
    const uint8_t *z;
    size_t len = 0, at = 0;

    if (!find_zip64(extra, n, &z, &len))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (*field[i] != IN_ZIP64)
            continue;
        if (!z || len - at < 8)
            return false;
        *field[i] = le64(z + at);
        at += 8;
    }
    return true;
}

static cistern_status check_member(const formats_zip_member *m, uint64_t at, cistern_error *err)
{
    int n = (int)m->name_len;
    const char *name = (const char *)m->name;

    if (!name_is_fine(m->name, m->name_len))
        return FAIL(err, at, "a member of the zip file has a name that is not allowed: '%.*s'",
                    n < 80 ? n : 80, name);
    if (m->flags & FLAG_ENCRYPTED)
        return FAIL(err, at, "zip member '%.*s' is encrypted", n, name);
    if (m->flags & ~FLAGS_KNOWN)
        return FAIL(err, at, "zip member '%.*s' has unknown flags 0x%04x", n, name, m->flags);
    if (m->method != 0 && m->method != 8)
        return FAIL(err, at, "zip member '%.*s' has compression method %u, 0 and 8 are known", n, name,
                    m->method);
    if (m->method == 0 && m->packed != m->size)
        return FAIL(err, at, "zip member '%.*s' is stored, but has two sizes: %llu and %llu bytes", n, name,
                    (unsigned long long)m->packed, (unsigned long long)m->size);
    return CISTERN_OK;
}

/* The central header at `at`; *next is where the following one begins. */
static cistern_status read_central(const uint8_t *bytes, uint64_t at, uint64_t end, formats_zip_member *m,
                                   uint64_t *next, cistern_error *err)
{
    const uint8_t *h = bytes + at;

    if (end - at < CENTRAL_BYTES || le32(h) != CENTRAL_SIG)
        return FAIL(err, at, "no member where the zip directory should have one");
    size_t name_len = le16(h + 28), extra_len = le16(h + 30), comment_len = le16(h + 32);
    uint64_t length = (uint64_t)CENTRAL_BYTES + name_len + extra_len + comment_len;
    if (end - at < length)
        return FAIL(err, at, "a member of the zip directory reaches beyond its end");
    *m = (formats_zip_member){.name = h + CENTRAL_BYTES,
                              .name_len = (uint32_t)name_len,
                              .flags = le16(h + 8),
                              .method = le16(h + 10),
                              .crc = le32(h + 16),
                              .packed = le32(h + 20),
                              .size = le32(h + 24),
                              .header = le32(h + 42)};
    uint64_t *const field[] = {&m->size, &m->packed, &m->header};
    if (!apply_zip64(h + CENTRAL_BYTES + name_len, extra_len, field, 3))
        return FAIL(err, at, "the extra fields of a zip member are malformed");
    if (le16(h + 34) != 0)
        return FAIL(err, at, "a zip file of several volumes");
    *next = at + length;
    return check_member(m, at, err);
}

/* Sizes and CRC in the local header: absent (zero) where a descriptor follows, else equal. */
static bool local_sizes_agree(const uint8_t *h, size_t name_len, size_t extra_len,
                              const formats_zip_member *m)
{
    uint64_t packed = le32(h + 18), size = le32(h + 22);
    uint64_t *const field[] = {&size, &packed};

    if (!apply_zip64(h + LOCAL_BYTES + name_len, extra_len, field, 2))
        return false;
    if ((m->flags & FLAG_DESCRIPTOR) && packed == 0 && size == 0 && le32(h + 14) == 0)
        return true;
    return packed == m->packed && size == m->size && le32(h + 14) == m->crc;
}

/* Find the payload behind the local header, which must say what the central one says. */
static cistern_status read_local(const uint8_t *bytes, uint64_t limit, formats_zip_member *m,
                                 cistern_error *err)
{
    const uint8_t *h = bytes + m->header;
    int n = (int)m->name_len;
    const char *name = (const char *)m->name;

    if (m->header > limit || limit - m->header < LOCAL_BYTES || le32(h) != LOCAL_SIG)
        return FAIL(err, m->header, "zip member '%.*s' does not begin there", n, name);
    size_t name_len = le16(h + 26), extra_len = le16(h + 28);
    if (limit - m->header - LOCAL_BYTES < name_len + extra_len)
        return FAIL(err, m->header, "zip member '%.*s' reaches into the directory", n, name);
    if (name_len != m->name_len || memcmp(h + LOCAL_BYTES, m->name, name_len) != 0)
        return FAIL(err, m->header, "zip member '%.*s' is called '%.*s' in its own header", n, name,
                    (int)(name_len < 80 ? name_len : 80), (const char *)h + LOCAL_BYTES);
    if (le16(h + 6) != m->flags || le16(h + 8) != m->method || !local_sizes_agree(h, name_len, extra_len, m))
        return FAIL(err, m->header, "zip member '%.*s' is described differently in its own header", n, name);
    m->data = m->header + LOCAL_BYTES + name_len + extra_len;
    if (limit - m->data < m->packed)
        return FAIL(err, m->data, "zip member '%.*s' of %llu bytes reaches into the directory", n, name,
                    (unsigned long long)m->packed);
    return CISTERN_OK;
}

/* ---- all members ---- */

static int by_header(const void *a, const void *b)
{
    const formats_zip_member *x = a, *y = b;

    return x->header < y->header ? -1 : x->header > y->header;
}

static int compare_names(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

    return order ? order : (a_len < b_len ? -1 : a_len > b_len);
}

static int by_name(const void *a, const void *b)
{
    const formats_zip_member *x = a, *y = b;

    return compare_names(x->name, x->name_len, y->name, y->name_len);
}

static cistern_status check_overlaps(formats_zip *zip, cistern_error *err)
{
    qsort(zip->member, zip->count, sizeof *zip->member, by_header);
    for (size_t i = 1; i < zip->count; i++) {
        const formats_zip_member *a = &zip->member[i - 1], *b = &zip->member[i];
        if (b->header < a->data + a->packed)
            return FAIL(err, b->header, "zip members '%.*s' and '%.*s' overlap", (int)a->name_len,
                        (const char *)a->name, (int)b->name_len, (const char *)b->name);
    }
    return CISTERN_OK;
}

static cistern_status check_duplicates(formats_zip *zip, cistern_error *err)
{
    qsort(zip->member, zip->count, sizeof *zip->member, by_name);
    for (size_t i = 1; i < zip->count; i++) {
        const formats_zip_member *m = &zip->member[i];
        if (by_name(m - 1, m) == 0)
            return FAIL(err, m->header, "the zip file has two members '%.*s'", (int)m->name_len,
                        (const char *)m->name);
    }
    return CISTERN_OK;
}

static cistern_status read_members(formats_zip *zip, const directory *dir, cistern_error *err)
{
    uint64_t at = dir->at, end = dir->at + dir->size;
    cistern_status st;

    for (uint64_t i = 0; i < dir->count; i++) {
        formats_zip_member *m = &zip->member[i];
        if ((st = read_central(zip->bytes, at, end, m, &at, err)) ||
            (st = read_local(zip->bytes, dir->at, m, err)))
            return st;
        zip->count++;
    }
    if (at != end)
        return FAIL(err, at, "%llu bytes after the last member of the zip directory",
                    (unsigned long long)(end - at));
    st = check_overlaps(zip, err);
    return st ? st : check_duplicates(zip, err);
}

cistern_status formats_zip_open(const uint8_t *bytes, uint64_t size, formats_zip *out, cistern_error *err)
{
    formats_zip zip = {.bytes = bytes, .size = size};
    directory dir;
    cistern_status st = find_directory(bytes, size, &dir, err);

    if (!st)
        st = base_calloc((size_t)dir.count + 1, sizeof *zip.member, &zip.member, err);
    if (!st)
        st = read_members(&zip, &dir, err);
    if (st) {
        formats_zip_clear(&zip);
        return st;
    }
    *out = zip;
    return CISTERN_OK;
}

void formats_zip_clear(formats_zip *zip)
{
    free(zip->member);
    *zip = (formats_zip){0};
}

const formats_zip_member *formats_zip_find(const formats_zip *zip, const uint8_t *name, size_t n)
{
    size_t low = 0, high = zip->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = compare_names(zip->member[mid].name, zip->member[mid].name_len, name, n);
        if (order == 0)
            return &zip->member[mid];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

cistern_status formats_zip_payload(const formats_zip *zip, const formats_zip_member *m, const uint8_t **out,
                                   cistern_error *err)
{
    assert(m->method == 0);
    uint32_t crc = (uint32_t)crc32_z(crc32_z(0, NULL, 0), zip->bytes + m->data, m->packed);
    if (crc != m->crc)
        return FAIL(err, m->data,
                    "zip member '%.*s' has CRC-32 %08x, its directory says %08x: the file is damaged",
                    (int)m->name_len, (const char *)m->name, crc, m->crc);
    *out = zip->bytes + m->data;
    return CISTERN_OK;
}
