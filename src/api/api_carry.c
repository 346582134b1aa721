/* Adopting from and giving back to other people's layouts: tiers knows the layouts, api_bring stores. */
#include <cistern/carry.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base_file.h"
#include "base_mem.h"
#include "priv/api_bring.h"
#include "tiers_directory.h"
#include "tiers_cache.h"

/* What is told of each, and the first failure. */
typedef struct carrying {
    cistern_carried_fn fn;
    void *user;
    cistern_status worst;
    cistern_error first;
} carrying;

static void tell(carrying *all, const cistern_carried *one, const cistern_error *why)
{
    char message[CISTERN_ERROR_TEXT_MAX] = "";
    cistern_carried told = *one;
    if (one->status != CISTERN_OK)
        cistern_error_format(why, message, sizeof message);
    told.size = sizeof told;
    told.message = message;
    if (all->fn && one->status != CISTERN_CANCELLED)
        all->fn(all->user, &told);
    if (one->status != CISTERN_OK && all->worst == CISTERN_OK) {
        all->worst = one->status;
        all->first = *why;
    }
}

static cistern_status ended(const carrying *all, cistern_error *err)
{
    if (all->worst != CISTERN_OK && err)
        *err = all->first;
    return all->worst;
}

/* Failures that the next file would only meet again. */
static bool goes_on(cistern_status st)
{
    return st != CISTERN_CANCELLED && st != CISTERN_NO_SPACE && st != CISTERN_NO_MEMORY &&
           st != CISTERN_DENIED;
}

static bool bring_and_tell(cistern *c, carrying *all, const tiers_request *request, const cistern_call *call)
{
    cistern_carried one = {.file = request->paths[0], .reference = ""};
    cistern_pull_result result = {.size = sizeof result};
    cistern_error why = CISTERN_ERROR_INIT;
    cistern_version *v = NULL;
    one.status = api_bring(c, request, call, &result, &v, &why);
    if (one.status == CISTERN_OK) {
        one.outcome = result.outcome;
        one.reference = cistern_version_reference(v);
    } else if (!strstr(why.text, request->paths[0])) {
        one.status = base_frame(&why, one.status, "%s", request->paths[0]);
    }
    tell(all, &one, &why);
    cistern_version_free(v);
    return goes_on(one.status);
}

/* --- a directory with metadata.json ------------------------------------------------------------------------------ */

/* Every file is there, before anything is stored. */
static cistern_status check_files(const tiers_directory *d, cistern_error *err)
{
    cistern_status st = CISTERN_OK;
    for (size_t i = 0; st == CISTERN_OK && i < d->count; i++) {
        int fd = -1;
        st = tiers_directory_file(d, i, &fd, err);
        if (st == CISTERN_OK)
            close(fd);
    }
    return st;
}

/* Whether the config.json beside a file may be read: a plain file, and not what a link leads to. */
static bool config_is_plain(const tiers_directory *d, const char *file)
{
    const char *slash = strrchr(file, '/');
    char *path = NULL;
    int fd = -1;
    cistern_status st =
        base_asprintf(&path, NULL, "%.*sconfig.json", slash ? (int)(slash + 1 - file) : 0, file);
    if (st == CISTERN_OK)
        st = base_open_beneath(d->root, path, O_RDONLY, &fd, NULL);
    if (st == CISTERN_OK)
        close(fd);
    free(path);
    return st == CISTERN_OK;
}

static cistern_status bring_entry(cistern *c, const tiers_directory *d, size_t i, const api_wanted *wanted,
                                  carrying *all, const cistern_call *call, bool *out_goes_on,
                                  cistern_error *err)
{
    tiers_request request = wanted->request;
    const char *path;
    char *made = NULL;
    int fd = -1;
    cistern_status st = tiers_directory_file(d, i, &fd, err);
    if (st == CISTERN_OK)
        st = base_asprintf(&made, err, "%s/%s", d->path, d->entries[i].file);
    if (st == CISTERN_OK) {
        path = made;
        request.tag = d->entries[i].tag;
        request.paths = &path;
        request.path_count = 1;
        request.fds = &fd;
        request.names = &d->entries[i].file;
        if (!request.config && !config_is_plain(d, d->entries[i].file))
            request.config = "none";
        *out_goes_on = bring_and_tell(c, all, &request, call);
    }
    if (fd >= 0)
        close(fd);
    free(made);
    return st;
}

cistern_status cistern_import_directory(cistern *c, const char *directory,
                                        const cistern_pull_options *options, const cistern_call *call,
                                        cistern_carried_fn fn, void *user, cistern_error *err)
{
    carrying all = {.fn = fn, .user = user};
    api_wanted wanted;
    tiers_directory d;
    bool goes = true;
    cistern_status st = api_wanted_init(options, &wanted, err);
    if (st == CISTERN_OK && !wanted.options.as)
        st = base_fail(err, CISTERN_USAGE, "a name is needed: --as NAME");
    if (st == CISTERN_OK && wanted.request.tag)
        st = base_fail(err, CISTERN_USAGE,
                       "'%s': leave ':%s' out, the versions are those of " TIERS_DIRECTORY_METADATA,
                       wanted.options.as, wanted.request.tag);
    tiers_directory_init(&d);
    if (st == CISTERN_OK)
        st = tiers_directory_open(directory, &d, err);
    if (st == CISTERN_OK)
        st = check_files(&d, err);
    for (size_t i = 0; st == CISTERN_OK && goes && i < d.count; i++)
        st = bring_entry(c, &d, i, &wanted, &all, call, &goes, err);
    tiers_directory_clear(&d);
    api_wanted_clear(&wanted);
    return st == CISTERN_OK ? ended(&all, err) : st;
}

/* --- other tools' caches ------------------------------------------------------------------------------------------ */

/* A tool and its home. */
static cistern_status find_tool(const cistern *c, const char *tool, const tiers_cache **out,
                                const char **out_home, cistern_error *err)
{
    const tiers_cache *cache = tiers_cache_find(tool);
    if (!cache)
        return base_fail(err, CISTERN_USAGE, "'%s' is no tool whose files are known: torch, keras", tool);
    const char *home = strcmp(tool, "torch") == 0 ? c->torch_home : c->keras_home;
    if (!home[0])
        return base_fail(err, CISTERN_USAGE,
                         "it is not known where %s keeps its files: set --%s-home DIR, or HOME", tool, tool);
    *out = cache;
    *out_home = home;
    return CISTERN_OK;
}

cistern_status cistern_import_cache(cistern *c, const char *tool, int every, const cistern_call *call,
                                    cistern_carried_fn fn, void *user, size_t *out_left, cistern_error *err)
{
    carrying all = {.fn = fn, .user = user};
    tiers_cache_files files = {0};
    const tiers_cache *cache = NULL;
    const char *home = NULL;
    api_wanted wanted;
    bool goes = true;
    cistern_status st = find_tool(c, tool, &cache, &home, err);
    if (st == CISTERN_OK)
        st = tiers_cache_list(cache, home, every != 0, &files, err);
    if (st == CISTERN_OK)
        st = api_wanted_init(NULL, &wanted, err);
    for (size_t i = 0; st == CISTERN_OK && goes && i < files.count; i++) {
        const tiers_cache_file *file = &files.items[i];
        const char *path = file->path;
        tiers_request request = wanted.request;
        request.paths = &path;
        request.path_count = 1;
        request.prefix = file->prefix[0] ? file->prefix : NULL;
        request.config = "none"; /* what lies in a cache belongs to no file of it */
        request.origin = file->row ? file->row->url : NULL;
        request.name = file->row ? NULL : file->name;
        goes = bring_and_tell(c, &all, &request, call);
    }
    if (st == CISTERN_OK) {
        api_wanted_clear(&wanted);
        if (out_left)
            *out_left = files.others;
    }
    tiers_cache_files_clear(&files);
    return st == CISTERN_OK ? ended(&all, err) : st;
}

/* --- giving back -------------------------------------------------------------------------------------------------- */

static void on_placed(void *user, const catalog_version *v, const char *path, bool was_there,
                      cistern_status status, const cistern_error *why)
{
    char reference[CATALOG_REFERENCE_TEXT_MAX] = "";
    cistern_carried one = {.file = path, .reference = reference, .status = status, .was_there = was_there};
    if (v)
        catalog_version_text(v, reference);
    tell(user, &one, why);
}

static cistern_status take_place(const cistern_place_options *options, tiers_place *out, cistern_error *err)
{
    static const base_place_how hows[] = {BASE_PLACE_COPY, BASE_PLACE_HARDLINK, BASE_PLACE_SYMLINK};
    cistern_place_options o = CISTERN_PLACE_OPTIONS_INIT;
    cistern_status st = api_sized_take(options, &o, sizeof o, "cistern_place_options", err);
    if (st != CISTERN_OK)
        return st;
    if ((unsigned)o.how > CISTERN_PLACE_SYMLINK)
        return base_fail(err, CISTERN_USAGE, "%d is no way to place a file", (int)o.how);
    *out = (tiers_place){hows[o.how], o.force != 0};
    return CISTERN_OK;
}

cistern_status cistern_export(cistern *c, const char *reference, const char *directory,
                              const cistern_place_options *options, const cistern_call *call,
                              cistern_carried_fn fn, void *user, cistern_error *err)
{
    carrying all = {.fn = fn, .user = user};
    api_forward forward;
    base_run run;
    tiers_place how;
    cistern_status st = take_place(options, &how, err);
    if (st == CISTERN_OK)
        st = api_run_init(c, call, &forward, &run, err);
    return st == CISTERN_OK ? tiers_export(c->chain, reference, directory, &how, &run, on_placed, &all, err)
                            : st;
}

cistern_status cistern_link_cache(cistern *c, const char *tool, const char *const *references, size_t count,
                                  const cistern_place_options *options, const cistern_call *call,
                                  cistern_carried_fn fn, void *user, cistern_error *err)
{
    carrying all = {.fn = fn, .user = user};
    const tiers_cache *cache = NULL;
    const char *home = NULL;
    api_forward forward;
    base_run run;
    tiers_place how;
    cistern_status st = take_place(options, &how, err);
    if (st == CISTERN_OK)
        st = find_tool(c, tool, &cache, &home, err);
    if (st == CISTERN_OK)
        st = api_run_init(c, call, &forward, &run, err);
    return st == CISTERN_OK
               ? tiers_cache_link(c->chain, cache, home, references, count, &how, &run, on_placed, &all, err)
               : st;
}
