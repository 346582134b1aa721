/* Listing partial/<key>/; see priv/store_scan.h. */
#include "priv/store_claim.h"
#include <dirent.h>
#include <fcntl.h>
#include "priv/store_scan.h"

/* "<n>.<suffix>", n without leading zero. */
static bool parse_name(const char *name, uint64_t *out_number, const char **out_suffix)
{
    uint64_t number = 0;
    size_t digits = strspn(name, "0123456789");
    if (digits == 0 || digits > 8 || name[0] == '0' || name[digits] != '.')
        return false;
    for (size_t i = 0; i < digits; i++)
        number = number * 10 + (uint64_t)(name[i] - '0');
    *out_number = number;
    *out_suffix = name + digits + 1;
    return true;
}

/* Names come sorted by bytes, "10" before "9": insert where it belongs. */
static cistern_status insert_number(store_scan_list *list, uint64_t number, cistern_error *err)
{
    if (list->count == STORE_SCAN_MAX)
        return base_fail(err, CISTERN_UNEXPECTED,
                         "more than %d unfinished fetches of one file; remove partial/ of the store",
                         STORE_SCAN_MAX);
    size_t at = list->count++;
    for (; at > 0 && list->number[at - 1] > number; at--)
        list->number[at] = list->number[at - 1];
    list->number[at] = number;
    return CISTERN_OK;
}

static cistern_status scan_entry(void *user, const char *name, cistern_error *err)
{
    store_scan *scan = user;
    store_scan_list *list = NULL;
    const char *suffix;
    uint64_t number;
    if (!parse_name(name, &number, &suffix))
        return CISTERN_OK;
    if (strcmp(suffix, "claim") == 0)
        list = &scan->claims;
    else if (strcmp(suffix, "data") == 0)
        list = &scan->datas;
    else if (strcmp(suffix, "journal") == 0)
        list = &scan->journals;
    if (!list)
        return CISTERN_OK;
    if (number > scan->highest)
        scan->highest = number;
    return insert_number(list, number, err);
}

cistern_status store_scan_read(const store *s, const base_digest *key, store_scan *out, cistern_error *err)
{
    char dir[STORE_NAME_MAX];
    store_claim_dir(key, dir);
    memset(out, 0, sizeof *out);
    return base_dir_each(s->root, dir, scan_entry, out, err);
}

bool store_scan_has(const store_scan_list *list, uint64_t number)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->number[i] == number)
            return true;
    return false;
}

/* Unlink every temporary of an open directory, unless there is something else. */
static void clear_temporaries(DIR *dir)
{
    for (int pass = 0; pass < 2; pass++) {
        const struct dirent *entry;
        rewinddir(dir);
        while ((entry = readdir(dir)) != NULL) {
            bool dots = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
            bool temporary = strncmp(entry->d_name, ".tmp-", 5) == 0;
            if (!dots && !temporary)
                return;
            if (temporary && pass == 1)
                unlinkat(dirfd(dir), entry->d_name, 0);
        }
    }
}

void store_scan_remove(const store *s, const base_digest *key)
{
    char path[STORE_NAME_MAX];
    store_claim_dir(key, path);
    if (unlinkat(s->root, path, AT_REMOVEDIR) == 0)
        return;
    int fd = openat(s->root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return;
    }
    clear_temporaries(dir);
    closedir(dir);
    unlinkat(s->root, path, AT_REMOVEDIR); /* succeeds only if it is empty */
}
