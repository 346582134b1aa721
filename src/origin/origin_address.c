/* Understanding addresses; see origin_address.h. What they are called by default: origin_name.c.
 *
 * Invariants
 *  1. `text` (with user info and signatures) goes to the source and to nobody else; `normalised` and `shown` hold
 *     no secret.
 *  2. A file's path is absolute and its directory has no links, so that one file has one address; the last component
 *     may be a link, because what it points to may be meant to change.
 */
#include "origin_address.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base_buf.h"
#include "base_disk.h"
#include "base_mem.h"
#include "cloud_s3.h"
#include "cloud_s3_address.h"
#include "model_published.h"
#include "net_file.h"
#include "net_http.h"
#include "net_url.h"
#include "priv/origin_name.h"

#define PATH_BYTES_MAX 4096u /* PATH_MAX of Linux, with the zero */

struct origin_address {
    origin_kind kind;
    char *text;       /* URL as it is asked for, or absolute path */
    char *normalised; /* what is stored and compared */
    char *segment;    /* the last one, decoded, byte for byte */
    char file_name[NET_NAME_MAX];
    char prefix[ORIGIN_PREFIX_HEX + 1]; /* "": none */
    bool has_query;
    const model_published *published; /* the row of the table with this address, or NULL */
};

typedef struct scheme {
    const char *name; /* with its colon */
    bool supported;
} scheme;

static const scheme schemes[] = {{"http:", true},  {"https:", true},      {"file:", true}, {"hf:", false},
                                 {"s3:", true},    {"gs:", false},        {"az:", false},  {"oci:", false},
                                 {"keras:", true}, {"torchvision:", true}};

static bool begins(const char *text, const char *with)
{
    for (; *with != '\0'; text++, with++)
        if (tolower((unsigned char)*text) != *with)
            return false;
    return true;
}

static const scheme *scheme_of(const char *text)
{
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (begins(text, schemes[i].name))
            return &schemes[i];
    return NULL;
}

bool origin_address_is(const char *text)
{
    return scheme_of(text) != NULL || text[0] == '/' || text[0] == '~' || strncmp(text, "./", 2) == 0 ||
           strncmp(text, "../", 3) == 0;
}

/* Check and prefix follow from the last segment, for URLs and files alike. */
static void read_segment(origin_address *address)
{
    net_url_clean_name(address->segment, strlen(address->segment), address->file_name,
                       sizeof address->file_name);
    origin_name_prefix(address->segment, address->prefix);
}

/* --- URLs ---------------------------------------------------------------------------------------------------- */

static cistern_status read_url(origin_address *address, const char *text, cistern_error *err)
{
    net_url url = {0};
    cistern_status status = net_url_parse(text, &url, err);
    if (status != CISTERN_OK)
        return status;
    address->kind = ORIGIN_HTTP;
    address->has_query = url.query != NULL;
    status = base_strdup(text, &address->text, err);
    if (status == CISTERN_OK)
        status = net_url_normalise(&url, &address->normalised, err);
    if (status == CISTERN_OK)
        status = net_url_segment(&url, &address->segment, err);
    net_url_clear(&url);
    if (status == CISTERN_OK)
        address->published = model_published_by_url(address->normalised);
    return status;
}

/* --- objects in S3 ------------------------------------------------------------------------------------------- */

static cistern_status read_s3(origin_address *address, const char *text, cistern_error *err)
{
    cloud_s3_address object;
    cistern_status status = cloud_s3_address_parse(text, &object, err);
    if (status != CISTERN_OK)
        return base_frame(err, status, "'%s'", text);
    const char *slash = strrchr(object.key, '/');
    address->kind = ORIGIN_S3;
    address->has_query = object.version != NULL;
    status = cloud_s3_address_normalise(&object, &address->normalised, err);
    if (status == CISTERN_OK)
        status = base_strdup(address->normalised, &address->text, err);
    if (status == CISTERN_OK)
        status = base_strdup(slash != NULL ? slash + 1 : object.key, &address->segment, err);
    cloud_s3_address_clear(&object);
    return status;
}

/* `torchvision:vgg16`, `keras:vgg16.notop`: a short way to write an address of the table. */
static cistern_status read_published(origin_address *address, const char *text, cistern_error *err)
{
    char publisher[16], list[512];
    size_t n = strcspn(text, ":");
    snprintf(publisher, sizeof publisher, "%.*s", (int)n, text);
    for (char *c = publisher; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    const model_published *row = model_published_find(publisher, text + n + 1);
    if (row == NULL) {
        model_published_list(publisher, list, sizeof list);
        return base_fail(err, CISTERN_NOT_FOUND, "%s publishes no '%s' that is known; there is: %s",
                         publisher, text + n + 1, list);
    }
    return read_url(address, row->url, err);
}

/* --- files --------------------------------------------------------------------------------------------------- */

/* The directory of `path` with its links resolved, without a slash at its end unless it is the root. */
static cistern_status resolve_directory(const char *path, size_t n, char **out, cistern_error *err)
{
    char *given = NULL;
    struct stat info;
    cistern_status status =
        n == 0 ? base_strdup(".", &given, err) : base_asprintf(&given, err, "%.*s", (int)n, path);
    if (status == CISTERN_OK && stat(given, &info) != 0)
        status = base_fail_errno(err, errno, "cannot find the directory '%s'", given);
    else if (status == CISTERN_OK && !S_ISDIR(info.st_mode))
        status = base_fail(err, CISTERN_NOT_FOUND, "'%s' is not a directory", given);
    if (status == CISTERN_OK)
        status = base_disk_path(given, out, err);
    free(given);
    return status;
}

static cistern_status read_path(origin_address *address, const char *path, cistern_error *err)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    char *directory = NULL;
    base_buf url;
    base_buf_init(&url, 3 * PATH_BYTES_MAX + 16);
    if (strlen(path) >= PATH_BYTES_MAX)
        return base_fail(err, CISTERN_USAGE, "the path has %zu bytes, at most %u allowed", strlen(path),
                         PATH_BYTES_MAX - 1);
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return base_fail(err, CISTERN_USAGE, "'%s' names no file", path);
    size_t n = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    cistern_status status = resolve_directory(path, n, &directory, err);
    if (status != CISTERN_OK)
        goto out;
    address->kind = ORIGIN_FILE;
    status = base_asprintf(&address->text, err, "%s/%s", strcmp(directory, "/") == 0 ? "" : directory, name);
    if (status == CISTERN_OK)
        status = base_buf_printf(&url, err, "file://");
    if (status == CISTERN_OK)
        status = net_url_encode_path(address->text, &url, err);
    if (status == CISTERN_OK)
        status = base_strdup(name, &address->segment, err);
    if (status == CISTERN_OK)
        address->normalised = base_buf_take(&url);
out:
    free(directory);
    base_buf_clear(&url);
    return status;
}

/* `//host/path`: a URL; everything else after the scheme is a path. */
static cistern_status read_file_address(origin_address *address, const char *rest, cistern_error *err)
{
    char *path = NULL;
    if (strncmp(rest, "//", 2) != 0)
        return read_path(address, rest, err);
    const char *encoded = rest + 2;
    if (begins(encoded, "localhost/"))
        encoded += strlen("localhost");
    if (encoded[0] != '/')
        return base_fail(
            err, CISTERN_USAGE,
            "'file:%s' names another machine, only files of this one can be read: write file:///path", rest);
    if (strpbrk(encoded, "?#") != NULL)
        return base_fail(err, CISTERN_USAGE, "'file:%s': write '?' as %%3F and '#' as %%23", rest);
    cistern_status status = net_url_decode(encoded, strlen(encoded), &path, err);
    if (status == CISTERN_OK)
        status = read_path(address, path, err);
    free(path);
    return status;
}

/* --- both ---------------------------------------------------------------------------------------------------- */

static cistern_status read_text(origin_address *address, const char *text, cistern_error *err)
{
    const scheme *known = scheme_of(text);
    if (known == NULL)
        return strstr(text, "://") != NULL
                   ? base_fail(err, CISTERN_USAGE,
                               "'%.*s' is no address that is known: http, https, s3 or file is",
                               (int)strcspn(text, ":"), text)
                   : read_path(address, text, err);
    if (!known->supported)
        return base_fail(
            err, CISTERN_USAGE,
            "addresses of the kind '%s' are not supported by this version: give the file's https address",
            known->name);
    if (begins(text, "file:"))
        return read_file_address(address, text + strlen("file:"), err);
    if (begins(text, "s3:"))
        return read_s3(address, text, err);
    if (begins(text, "http"))
        return read_url(address, text, err);
    return read_published(address, text, err);
}

static cistern_status make(const char *text,
                           cistern_status (*read)(origin_address *, const char *, cistern_error *),
                           origin_address **out, cistern_error *err)
{
    origin_address *address = NULL;
    if (text[0] == '\0')
        return base_fail(err, CISTERN_USAGE, "the address is empty");
    cistern_status status = base_calloc(1, sizeof *address, &address, err);
    if (status != CISTERN_OK)
        return status;
    status = read(address, text, err);
    if (status != CISTERN_OK) {
        origin_address_free(address);
        return status;
    }
    read_segment(address);
    *out = address;
    return CISTERN_OK;
}

cistern_status origin_address_parse(const char *text, origin_address **out, cistern_error *err)
{
    return make(text, read_text, out, err);
}

cistern_status origin_address_of_path(const char *path, origin_address **out, cistern_error *err)
{
    return make(path, read_path, out, err);
}

void origin_address_free(origin_address *address)
{
    if (address == NULL)
        return;
    free(address->text);
    free(address->normalised);
    free(address->segment);
    free(address);
}

origin_kind origin_address_kind(const origin_address *address)
{
    return address->kind;
}

const char *origin_address_normalised(const origin_address *address)
{
    return address->normalised;
}

const char *origin_address_shown(const origin_address *address)
{
    return address->kind == ORIGIN_FILE ? address->text : address->normalised;
}

const char *origin_address_path(const origin_address *address)
{
    return address->kind == ORIGIN_FILE ? address->text : NULL;
}

const char *origin_address_file_name(const origin_address *address)
{
    return address->file_name;
}

const char *origin_address_prefix(const origin_address *address)
{
    return address->prefix[0] != '\0' ? address->prefix : NULL;
}

const model_published *origin_address_published(const origin_address *address)
{
    return address->published;
}

cistern_status origin_address_default_name(const origin_address *address, char **out, cistern_error *err)
{
    if (address->published != NULL && address->published->name != NULL)
        return base_strdup(address->published->name, out, err);
    return origin_name_default(address->segment, origin_address_shown(address), out, err);
}

cistern_status origin_address_config(const origin_address *address, origin_address **out, cistern_error *err)
{
    char *text = NULL;
    if (address->has_query) {
        *out = NULL;
        return CISTERN_OK;
    }
    /* The fragment holds no segment of the path, and the authority's slashes are not of it either. */
    size_t n = address->kind == ORIGIN_HTTP ? strcspn(address->text, "#?") : strlen(address->text);
    size_t start =
        address->kind == ORIGIN_HTTP ? (size_t)(strstr(address->text, "://") + 3 - address->text) : 0;
    size_t end = n;
    while (end > start && address->text[end - 1] != '/')
        end--;
    bool no_path = end == start && address->kind == ORIGIN_HTTP; /* https://host */
    cistern_status status = base_asprintf(&text, err, "%.*s%sconfig.json", (int)(no_path ? n : end),
                                          address->text, no_path ? "/" : "");
    if (status == CISTERN_OK)
        status = make(text,
                      address->kind == ORIGIN_FILE ? read_path
                      : address->kind == ORIGIN_S3 ? read_s3
                                                   : read_url,
                      out, err);
    free(text);
    return status;
}

cistern_status origin_address_source(const origin_address *address, const origin_access *access,
                                     net_source **out, cistern_error *err)
{
    switch (address->kind) {
    case ORIGIN_FILE:
        return net_file_source_new(address->text, out, err);
    case ORIGIN_HTTP:
        return net_http_source_new(access->client, address->text, out, err);
    case ORIGIN_S3:
        return cloud_s3_source_new(access->client, access->cloud, address->text, out, err);
    }
    return base_fail(err, CISTERN_UNEXPECTED, "%s: an address of no kind", address->normalised);
}
