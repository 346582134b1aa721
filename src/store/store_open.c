/* Opening and making stores; see store_open.h. */
#include "store_open.h"
#include "priv/store_object.h"
#include "base_disk.h"
#include "base_json.h"
#include "base_mem.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

#define ROOT_DOCUMENT "cistern.json"
#define FEATURE_MAX   64 /* bytes of a feature's name shown */
#define DEFAULT_TAKEOVER_MS                                                                                  \
    20000u /* the longest stall of a healthy process that was thought worth waiting for */

static const struct sharing_kind {
    store_sharing sharing;
    const char *text;
    bool supported; /* for writing, by this version */
    base_modes modes;
} sharing_kinds[] = {
    {STORE_SHARING_USER, "user", true, {.file = 0400, .work = 0600, .dir = 0700}},
    {STORE_SHARING_GROUP, "group", false, {.file = 0440, .work = 0660, .dir = 02770}},
    {STORE_SHARING_ALL, "all", false, {.file = 0444, .work = 0664, .dir = 02775}},
};

#define SHARING_KINDS (sizeof sharing_kinds / sizeof sharing_kinds[0])

static const struct sharing_kind *kind_of(store_sharing sharing)
{
    for (size_t i = 0; i < SHARING_KINDS; i++)
        if (sharing_kinds[i].sharing == sharing)
            return &sharing_kinds[i];
    return NULL;
}

const char *store_sharing_text(store_sharing sharing)
{
    const struct sharing_kind *kind = kind_of(sharing);
    return kind ? kind->text : "unknown";
}

const char *store_role_text(store_role role)
{
    switch (role) {
    case STORE_HOME:
        return "home";
    case STORE_CACHE:
        return "cache";
    }
    return "unknown";
}

/* The first of the features named by `key`, none of which this version knows, or NULL. */
static cistern_status first_feature(const json_t *root, const char *key, const char **out, cistern_error *err)
{
    const json_t *list = json_object_get(root, key);
    if (!json_is_array(list))
        return base_fail(err, CISTERN_DAMAGED, ROOT_DOCUMENT ": '%s' is not a list", key);
    const json_t *first = json_array_get(list, 0);
    if (first && !json_is_string(first))
        return base_fail(err, CISTERN_DAMAGED, ROOT_DOCUMENT ": '%s' holds what is not a name", key);
    *out = json_string_value(first);
    return CISTERN_OK;
}

static cistern_status read_features(store *s, const json_t *root, cistern_error *err)
{
    const char *feature;
    cistern_status status = first_feature(root, "read_features", &feature, err);
    if (status != CISTERN_OK)
        return status;
    if (feature)
        return base_fail(
            err, CISTERN_DAMAGED,
            "the store needs feature '%.*s', which this version does not know; use a newer cistern",
            FEATURE_MAX, feature);
    status = first_feature(root, "write_features", &feature, err);
    if (status == CISTERN_OK && feature)
        snprintf(s->why_read_only, sizeof s->why_read_only,
                 "writing it needs feature '%.*s', which this version does not know; use a newer cistern",
                 FEATURE_MAX, feature);
    return status;
}

static cistern_status read_format(const json_t *root, cistern_error *err)
{
    uint64_t format;
    cistern_status status = base_json_u64(root, "format", ROOT_DOCUMENT, &format, err);
    if (status != CISTERN_OK)
        return status;
    if (format > STORE_FORMAT)
        return base_fail(err, CISTERN_DAMAGED,
                         "the store has format %" PRIu64 ", this version reads format %d; use a cistern that "
                         "knows format %" PRIu64,
                         format, STORE_FORMAT, format);
    if (format < STORE_FORMAT)
        return base_fail(err, CISTERN_DAMAGED, ROOT_DOCUMENT ": format %" PRIu64 " does not exist", format);
    return CISTERN_OK;
}

static cistern_status read_id(store *s, const json_t *root, cistern_error *err)
{
    const char *id;
    cistern_status status = base_json_string(root, "id", ROOT_DOCUMENT, &id, err);
    if (status != CISTERN_OK)
        return status;
    if (strlen(id) != STORE_ID_HEX || strspn(id, "0123456789abcdef") != STORE_ID_HEX)
        return base_fail(err, CISTERN_DAMAGED, ROOT_DOCUMENT ": 'id' is not %d hexadecimal digits",
                         STORE_ID_HEX);
    memcpy(s->id, id, sizeof s->id);
    return CISTERN_OK;
}

static cistern_status read_role_and_sharing(store *s, const json_t *root, cistern_error *err)
{
    const char *role, *sharing;
    cistern_status status = base_json_string(root, "role", ROOT_DOCUMENT, &role, err);
    if (status == CISTERN_OK)
        status = base_json_string(root, "sharing", ROOT_DOCUMENT, &sharing, err);
    if (status != CISTERN_OK)
        return status;
    s->role = strcmp(role, "home") == 0 ? STORE_HOME : STORE_CACHE;
    if (strcmp(role, store_role_text(s->role)) != 0)
        return base_fail(err, CISTERN_DAMAGED, ROOT_DOCUMENT ": role '%s', 'home' or 'cache' allowed", role);
    for (size_t i = 0; i < SHARING_KINDS; i++)
        if (strcmp(sharing, sharing_kinds[i].text) == 0)
            s->sharing = sharing_kinds[i].sharing;
    const struct sharing_kind *kind = kind_of(s->sharing);
    if (!kind)
        return base_fail(err, CISTERN_DAMAGED,
                         ROOT_DOCUMENT ": sharing '%s', 'user', 'group' or 'all' allowed", sharing);
    s->modes = kind->modes;
    if (!kind->supported && s->why_read_only[0] == '\0')
        snprintf(s->why_read_only, sizeof s->why_read_only,
                 "writing a store shared with '%s' is not supported by this version", kind->text);
    if (s->role == STORE_CACHE && s->why_read_only[0] == '\0')
        snprintf(s->why_read_only, sizeof s->why_read_only,
                 "writing a store whose role is 'cache' is not supported by this version");
    return CISTERN_OK;
}

static cistern_status is_other_entry(void *user, const char *name, cistern_error *err)
{
    (void)err;
    if (strcmp(name, "lost+found") != 0) /* a fresh file system has it */
        *(bool *)user = true;
    return CISTERN_OK;
}

static bool has_root_document(const store *s)
{
    struct stat st;
    return fstatat(s->root, ROOT_DOCUMENT, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Why there is no cistern.json: nothing is here (NOT_FOUND), or something else is (DAMAGED). */
static cistern_status explain_absence(const store *s, cistern_error *err)
{
    bool other = false;
    cistern_status status = base_dir_each(s->root, ".", is_other_entry, &other, err);
    if (status != CISTERN_OK)
        return status;
    if (other)
        return base_fail(err, CISTERN_DAMAGED,
                         "'%s' is not empty and holds no " ROOT_DOCUMENT
                         ": it is not a store; name another directory",
                         s->path);
    return base_fail(err, CISTERN_NOT_FOUND, "there is no store in '%s'", s->path);
}

static cistern_status read_root_document(store *s, cistern_error *err)
{
    base_buf text;
    json_t *root = NULL;
    base_identity who;
    int fd = -1;
    base_buf_init(&text, BASE_JSON_MAX);
    cistern_status status = base_open_beneath(s->root, ROOT_DOCUMENT, O_RDONLY, &fd, err);
    if (status == CISTERN_NOT_FOUND)
        status = explain_absence(s, err);
    if (status != CISTERN_OK && has_root_document(s)) { /* made while we were looking */
        base_error_clear(err);
        status = base_open_beneath(s->root, ROOT_DOCUMENT, O_RDONLY, &fd, err);
    }
    if (status == CISTERN_NOT_FOUND)
        return status;
    if (status == CISTERN_OK)
        status = base_identity_of(fd, &who, err);
    if (status == CISTERN_OK)
        status = base_read_beneath(s->root, ROOT_DOCUMENT, &text, err);
    if (status == CISTERN_OK)
        status = base_json_parse(text.data, text.len, BASE_JSON_STRICT, ROOT_DOCUMENT, &root, err);
    if (status == CISTERN_OK)
        status = read_format(root, err);
    if (status == CISTERN_OK)
        status = read_id(s, root, err);
    if (status == CISTERN_OK)
        status = read_features(s, root, err);
    if (status == CISTERN_OK)
        status = read_role_and_sharing(s, root, err);
    if (status == CISTERN_OK)
        s->owner = who.uid;
    json_decref(root);
    base_buf_clear(&text);
    if (fd >= 0)
        close(fd);
    return base_frame(err, status, "cannot open store '%s'", s->path);
}

/* An object with its root open and nothing read yet. */
static cistern_status new_at(const char *path, const store_options *options, store **out, cistern_error *err)
{
    static const store_options defaults = STORE_OPTIONS_INIT;
    store *s = NULL;
    if (!options)
        options = &defaults;
    cistern_status status = base_calloc(1, sizeof *s, &s, err);
    if (status != CISTERN_OK)
        return status;
    s->root = -1;
    s->verify_always = options->verify_always;
    s->takeover_ms = options->takeover_ms ? options->takeover_ms : DEFAULT_TAKEOVER_MS;
    s->fault = options->fault;
    s->fault_user = options->fault_user;
    if (options->read_only)
        snprintf(s->why_read_only, sizeof s->why_read_only, "it was opened for reading only");
    status = base_disk_path(path, &s->path, err);
    if (status == CISTERN_OK)
        status = base_strdup(options->state_dir, &s->state_dir, err);
    if (status == CISTERN_OK)
        status = base_dir_open(path, &s->root, err);
    if (status == CISTERN_NOT_FOUND)
        status = base_fail(err, CISTERN_NOT_FOUND, "there is no store in '%s'", path);
    if (status != CISTERN_OK) {
        store_free(s);
        return status;
    }
    *out = s;
    return CISTERN_OK;
}

cistern_status store_open(const char *path, const store_options *options, store **out, cistern_error *err)
{
    store *s;
    base_fs_info fs;
    cistern_status status = new_at(path, options, &s, err);
    if (status != CISTERN_OK)
        return status;
    status = read_root_document(s, err);
    if (status == CISTERN_OK)
        status = base_fs_of(s->root, &fs, err);
    if (status != CISTERN_OK) {
        store_free(s);
        return status;
    }
    s->local_disk = !fs.network;
    *out = s;
    return CISTERN_OK;
}

static cistern_status encode_root_document(store_role role, store_sharing sharing, base_buf *out,
                                           cistern_error *err)
{
    char id[STORE_ID_HEX + 1];
    cistern_status status = base_random_hex(STORE_ID_HEX / 2, id, err);
    if (status != CISTERN_OK)
        return status;
    json_t *root = json_pack("{s:i, s:s, s:s, s:s, s:[], s:[]}", "format", STORE_FORMAT, "id", id, "role",
                             store_role_text(role), "sharing", store_sharing_text(sharing), "read_features",
                             "write_features");
    if (!root)
        return base_fail_memory(err, sizeof id);
    status = base_json_write(root, out, err);
    json_decref(root);
    return status;
}

static cistern_status check_kind(store_role role, store_sharing sharing, const store_options *options,
                                 cistern_error *err)
{
    const struct sharing_kind *kind = kind_of(sharing);
    if (!kind || !kind->supported)
        return base_fail(err, CISTERN_USAGE,
                         "a store shared with '%s' is not supported by this version; use 'user'",
                         store_sharing_text(sharing));
    if (role != STORE_HOME)
        return base_fail(err, CISTERN_USAGE,
                         "a store of role '%s' is not supported by this version; use 'home'",
                         store_role_text(role));
    if (options && options->read_only)
        return base_fail(err, CISTERN_USAGE, "a store cannot be made for reading only");
    return CISTERN_OK;
}

/* Create cistern.json in a directory that is empty, or find that it is there. */
static cistern_status found_store(store *s, store_role role, store_sharing sharing, bool *created,
                                  cistern_error *err)
{
    base_buf text;
    base_fs_info fs;
    cistern_status status = has_root_document(s) ? CISTERN_OK : explain_absence(s, err);
    if (has_root_document(s)) { /* also if another process made it, and more, while we were looking */
        base_error_clear(err);
        return CISTERN_OK;
    }
    if (status != CISTERN_NOT_FOUND)
        return status;
    base_error_clear(err);
    status = base_fs_of(s->root, &fs, err);
    if (status != CISTERN_OK)
        return status;
    if (fs.network)
        return base_fail(err, CISTERN_USAGE,
                         "'%s' is on a network file system (%s), which this version does not support; name a "
                         "directory on a local disk",
                         s->path, fs.name);
    base_buf_init(&text, BASE_JSON_MAX);
    status = encode_root_document(role, sharing, &text, err);
    if (status == CISTERN_OK)
        status = base_publish_bytes(s->root, ROOT_DOCUMENT, text.data, text.len, &kind_of(sharing)->modes,
                                    created, err);
    base_buf_clear(&text);
    return status;
}

cistern_status store_init(const char *path, store_role role, store_sharing sharing,
                          const store_options *options, store **out, bool *out_created, cistern_error *err)
{
    store *s = NULL;
    bool created = false;
    cistern_status status = check_kind(role, sharing, options, err);
    if (status == CISTERN_OK)
        status = base_mkdirs_path(path, kind_of(sharing)->modes.dir, err);
    if (status == CISTERN_OK)
        status = new_at(path, options, &s, err);
    if (status == CISTERN_OK)
        status = found_store(s, role, sharing, &created, err);
    store_free(s);
    s = NULL;
    if (status == CISTERN_OK)
        status = store_open(path, options, &s, err);
    if (status != CISTERN_OK)
        return base_frame(err, status, "cannot make a store in '%s'", path);
    if (s->role != role || s->sharing != sharing) {
        status = base_fail(err, CISTERN_CONFLICT, "'%s' is already a store of role '%s' shared with '%s'",
                           path, store_role_text(s->role), store_sharing_text(s->sharing));
        store_free(s);
        return status;
    }
    if (out_created)
        *out_created = created;
    *out = s;
    return CISTERN_OK;
}

void store_free(store *s)
{
    if (!s)
        return;
    if (s->root >= 0)
        close(s->root);
    free(s->path);
    free(s->state_dir);
    free(s);
}

const char *store_id(const store *s)
{
    return s->id;
}

const char *store_path(const store *s)
{
    return s->path;
}

int store_root_fd(const store *s)
{
    return s->root;
}

store_role store_role_of(const store *s)
{
    return s->role;
}

store_sharing store_sharing_of(const store *s)
{
    return s->sharing;
}

const base_modes *store_modes(const store *s)
{
    return &s->modes;
}

uint32_t store_owner(const store *s)
{
    return s->owner;
}

cistern_status store_check_write(const store *s, cistern_error *err)
{
    if (s->why_read_only[0] == '\0')
        return CISTERN_OK;
    return base_fail(err, CISTERN_DENIED, "store '%s' cannot be written: %s", s->path, s->why_read_only);
}
