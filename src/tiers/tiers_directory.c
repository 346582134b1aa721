/* Reading a directory with metadata.json; see tiers_directory.h. */
#include "tiers_directory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base_file.h"
#include "base_json.h"
#include "base_mem.h"

void tiers_directory_init(tiers_directory *d)
{
    memset(d, 0, sizeof *d);
    d->root = -1;
}

void tiers_directory_clear(tiers_directory *d)
{
    if (d->root >= 0)
        close(d->root);
    json_decref(d->document);
    free(d->entries);
    free(d->path);
    tiers_directory_init(d);
}

static cistern_status read_document(tiers_directory *d, cistern_error *err)
{
    base_buf text;
    base_buf_init(&text, BASE_JSON_MAX);
    cistern_status st = base_read_beneath(d->root, TIERS_DIRECTORY_METADATA, &text, err);
    if (st == CISTERN_NOT_FOUND)
        st = base_fail(
            err, st,
            "there is no " TIERS_DIRECTORY_METADATA " in '%s': it names a file for each version, "
            "{\"1\": \"file\", …}; files without one are added by: cistern add FILE --as NAME:VERSION",
            d->path);
    if (st == CISTERN_OK)
        st = base_json_parse(text.data ? text.data : "", text.len, BASE_JSON_STRICT, TIERS_DIRECTORY_METADATA,
                             &d->document, err);
    base_buf_clear(&text);
    return st;
}

static cistern_status read_entry(const char *key, const json_t *value, tiers_directory_entry *out,
                                 cistern_error *err)
{
    cistern_error why = CISTERN_ERROR_INIT;
    if (strlen(key) >= sizeof out->tag || !catalog_tag_number(key, &out->number))
        return base_fail(err, CISTERN_DAMAGED,
                         TIERS_DIRECTORY_METADATA
                         ": '%s' is no version number: 1 to %u without a leading zero "
                         "is expected",
                         key, CATALOG_NUMBER_MAX);
    snprintf(out->tag, sizeof out->tag, "%s", key);
    out->file = json_string_value(value);
    if (!out->file || strlen(out->file) != json_string_length(value))
        return base_fail(err, CISTERN_DAMAGED, TIERS_DIRECTORY_METADATA ": '%s' is not the name of a file",
                         key);
    if (catalog_path_check(out->file, &why) != CISTERN_OK)
        return base_fail(err, CISTERN_DAMAGED, TIERS_DIRECTORY_METADATA ": '%s': %s", key, why.text);
    return CISTERN_OK;
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t x = ((const tiers_directory_entry *)a)->number, y = ((const tiers_directory_entry *)b)->number;
    return (x > y) - (x < y);
}

static cistern_status read_entries(tiers_directory *d, cistern_error *err)
{
    const char *key;
    json_t *value;
    size_t count = json_object_size(d->document);
    if (count == 0 || count > TIERS_DIRECTORY_MAX)
        return base_fail(err, CISTERN_DAMAGED,
                         TIERS_DIRECTORY_METADATA " names %zu versions, 1 to %d are allowed", count,
                         TIERS_DIRECTORY_MAX);
    cistern_status st = base_calloc(count, sizeof *d->entries, &d->entries, err);
    if (st != CISTERN_OK)
        return st;
    json_object_foreach(d->document, key, value)
    {
        st = read_entry(key, value, &d->entries[d->count], err);
        if (st != CISTERN_OK)
            return st;
        d->count++;
    }
    qsort(d->entries, d->count, sizeof *d->entries, compare_numbers);
    return CISTERN_OK;
}

cistern_status tiers_directory_open(const char *path, tiers_directory *out, cistern_error *err)
{
    tiers_directory d;
    size_t n = strlen(path);
    tiers_directory_init(&d);
    while (n > 1 && path[n - 1] == '/')
        n--;
    cistern_status st = base_asprintf(&d.path, err, "%.*s", (int)n, path);
    if (st == CISTERN_OK)
        st = base_dir_open(d.path, &d.root, err);
    if (st == CISTERN_OK)
        st = read_document(&d, err);
    if (st == CISTERN_OK)
        st = read_entries(&d, err);
    if (st != CISTERN_OK) {
        tiers_directory_clear(&d);
        return st;
    }
    *out = d;
    return CISTERN_OK;
}

cistern_status tiers_directory_file(const tiers_directory *d, size_t i, int *out_fd, cistern_error *err)
{
    const tiers_directory_entry *entry = &d->entries[i];
    cistern_status st = base_open_beneath(d->root, entry->file, O_RDONLY, out_fd, err);
    return st == CISTERN_OK ? st : base_frame(err, st, "%s, version %s", d->path, entry->tag);
}
