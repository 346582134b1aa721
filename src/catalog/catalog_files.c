/* The files of a version: their paths, their order, the digest of all; declared in catalog_version.h and
 * priv/catalog_manifest.h.
 *
 * A path is checked as text, before it may stand in a manifest and again when one is read: nothing here opens it.
 */
#include "base_buf.h"
#include "base_mem.h"
#include "priv/catalog_document.h"
#include "priv/catalog_manifest.h"

#define SUM_LINES_MAX ((size_t)CATALOG_FILES_MAX * (BASE_SHA256_HEX + CATALOG_PATH_MAX + 2)) /* bytes */

cistern_status catalog_path_check(const char *path, cistern_error *err)
{
    size_t n = strlen(path);
    if (n == 0)
        return base_fail(err, CISTERN_USAGE, "the path of a file is empty");
    if (n > CATALOG_PATH_MAX)
        return base_fail(err, CISTERN_USAGE, "the path of a file has %zu bytes, at most %d are allowed", n,
                         CATALOG_PATH_MAX);
    if (!catalog_text_printable(path))
        return base_fail(err, CISTERN_USAGE, "the path '%s' is not UTF-8 without control characters", path);
    if (strchr(path, '\\'))
        return base_fail(err, CISTERN_USAGE, "the path '%s' has a backslash", path);
    for (const char *part = path; part;) {
        size_t length = strcspn(part, "/");
        if (length == 0 || (length == 1 && part[0] == '.') ||
            (length == 2 && part[0] == '.' && part[1] == '.'))
            return base_fail(
                err, CISTERN_USAGE,
                "the path '%s' has an empty, '.' or '..' part: it must be relative and stay below", path);
        part = part[length] ? part + length + 1 : NULL;
    }
    return CISTERN_OK;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(((const catalog_file *)a)->path, ((const catalog_file *)b)->path);
}

static int fold(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : (unsigned char)c;
}

/* As strcmp, letters A to Z folded: what case-insensitive file systems hold to be one name. */
static int compare_folded(const void *a, const void *b)
{
    const char *x = ((const catalog_file *)a)->path, *y = ((const catalog_file *)b)->path;
    while (*x && fold(*x) == fold(*y)) {
        x++;
        y++;
    }
    return fold(*x) - fold(*y);
}

static cistern_status copy_sorted(const catalog_file *files, size_t count,
                                  int (*compare)(const void *, const void *), catalog_file **out,
                                  cistern_error *err)
{
    catalog_file *copy = NULL;
    cistern_status st = base_calloc(count, sizeof *copy, &copy, err);
    if (st != CISTERN_OK)
        return st;
    memcpy(copy, files, count * sizeof *copy);
    qsort(copy, count, sizeof *copy, compare);
    *out = copy;
    return CISTERN_OK;
}

cistern_status catalog_files_sort(const catalog_file *files, size_t count, catalog_file **out,
                                  cistern_error *err)
{
    return copy_sorted(files, count, compare_paths, out, err);
}

/* Whether text is a digest, or (if allowed) empty. */
static bool is_digest(const char text[BASE_SHA256_HEX], bool or_empty)
{
    base_digest unused;
    return (or_empty && !text[0]) ||
           (memchr(text, '\0', BASE_SHA256_HEX) && base_digest_parse(text, &unused));
}

cistern_status catalog_files_check(const catalog_file *files, size_t count, cistern_error *err)
{
    catalog_file *sorted = NULL;
    if (count < 1 || count > CATALOG_FILES_MAX)
        return base_fail(err, CISTERN_USAGE, "a version of %zu files: 1 to %d are allowed", count,
                         CATALOG_FILES_MAX);
    for (size_t i = 0; i < count; i++) {
        cistern_status st = catalog_path_check(files[i].path, err);
        if (st != CISTERN_OK)
            return st;
        if (!is_digest(files[i].sha256, false) || !is_digest(files[i].chunks_sha256, true))
            return base_fail(err, CISTERN_USAGE, "the digests of '%s' are not 64 hexadecimal digits",
                             files[i].path);
    }
    cistern_status st = copy_sorted(files, count, compare_folded, &sorted, err);
    for (size_t i = 1; i < count && st == CISTERN_OK; i++)
        if (compare_folded(&sorted[i - 1], &sorted[i]) == 0)
            st = base_fail(err, CISTERN_USAGE, "the paths '%s' and '%s' are one where case is folded",
                           sorted[i - 1].path, sorted[i].path);
    free(sorted);
    return st;
}

bool catalog_files_equal(const catalog_file *a, size_t a_count, const catalog_file *b, size_t b_count)
{
    if (a_count != b_count)
        return false;
    for (size_t i = 0; i < a_count; i++)
        if ((a_count > 1 && strcmp(a[i].path, b[i].path) != 0) || a[i].size != b[i].size ||
            strcmp(a[i].sha256, b[i].sha256) != 0)
            return false;
    return true;
}

/* `sha256sum` lines sort by their digest first, then by path. */
static int compare_lines(const void *a, const void *b)
{
    int order = strcmp(((const catalog_file *)a)->sha256, ((const catalog_file *)b)->sha256);
    return order != 0 ? order : compare_paths(a, b);
}

cistern_status catalog_version_digest(const catalog_file *files, size_t count, char out[BASE_SHA256_HEX],
                                      cistern_error *err)
{
    catalog_file *sorted = NULL;
    base_buf lines;
    base_digest digest;
    if (count == 1) {
        memcpy(out, files[0].sha256, BASE_SHA256_HEX);
        return CISTERN_OK;
    }
    base_buf_init(&lines, SUM_LINES_MAX + 1);
    cistern_status st = copy_sorted(files, count, compare_lines, &sorted, err);
    for (size_t i = 0; i < count && st == CISTERN_OK; i++)
        st = base_buf_printf(&lines, err, "%s  %s\n", sorted[i].sha256, sorted[i].path);
    if (st == CISTERN_OK)
        st = base_sha256_of(lines.data, lines.len, &digest, err);
    if (st == CISTERN_OK)
        base_digest_hex(&digest, out);
    free(sorted);
    base_buf_clear(&lines);
    return st;
}
