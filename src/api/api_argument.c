/* Telling paths from references. */
#include "priv/api_argument.h"

#include <string.h>
#include <sys/stat.h>

static bool has_known_suffix(const char *text)
{
    static const char *const suffixes[] = {".pth",   ".pt", ".bin",  ".safetensors", ".h5",
                                           ".keras", ".pb", ".onnx", ".npz",         ".caffemodel"};
    size_t n = strlen(text);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        size_t m = strlen(suffixes[i]);
        if (n > m && strcmp(text + n - m, suffixes[i]) == 0)
            return true;
    }
    return false;
}

static bool looks_like_path(const char *text)
{
    return text[0] == '/' || text[0] == '~' || strncmp(text, "./", 2) == 0 || strncmp(text, "../", 3) == 0;
}

cistern_status api_argument_is_path(cistern *c, const char *text, bool *out, cistern_error *err)
{
    struct stat file;
    catalog_resolved r;
    cistern_status st;
    if (looks_like_path(text)) {
        *out = true;
        return CISTERN_OK;
    }
    if (!has_known_suffix(text) || stat(text, &file) != 0) {
        *out = false;
        return CISTERN_OK;
    }
    catalog_resolved_init(&r);
    st = tiers_resolve(c->chain, text, &r, NULL);
    catalog_resolved_clear(&r);
    if (st == CISTERN_OK)
        return base_fail(err, CISTERN_USAGE,
                         "'%s' is both a file here and a model in the store: write ./%s, or %s:latest", text,
                         text, text);
    *out = true;
    return CISTERN_OK;
}

cistern_status cistern_argument_is_path(cistern *c, const char *text, int *out, cistern_error *err)
{
    bool is_path = false;
    cistern_status st = api_argument_is_path(c, text, &is_path, err);
    if (st == CISTERN_OK)
        *out = is_path;
    return st;
}
