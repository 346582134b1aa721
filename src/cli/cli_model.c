/* MODEL on the command line: see cli_model.h. */
#include "cli_model.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_BYTES 8192 /* longer than PATH_MAX */

static cistern_status usage(cistern_error *err, const char *text)
{
    err->status = CISTERN_USAGE;
    snprintf(err->text, sizeof err->text, "%s", text);
    return CISTERN_USAGE;
}

static bool has_suffix(const char *text)
{
    static const char *const suffixes[] = {".pth",   ".pt", ".bin",  ".ckpt", ".safetensors", ".h5",
                                           ".keras", ".pb", ".onnx", ".npz",  ".caffemodel"};
    size_t n = strlen(text);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        size_t m = strlen(suffixes[i]);
        if (n > m && strcmp(text + n - m, suffixes[i]) == 0)
            return true;
    }
    return false;
}

static bool begins_as_path(const char *text)
{
    return text[0] == '/' || text[0] == '~' || strncmp(text, "./", 2) == 0 || strncmp(text, "../", 3) == 0;
}

static bool is_file(const char *text)
{
    struct stat info;
    return stat(text, &info) == 0 && !S_ISDIR(info.st_mode);
}

static bool is_in_store(cistern *context, const char *text)
{
    cistern_version *version = NULL;
    bool is = cistern_resolve(context, text, &version, NULL) == CISTERN_OK;
    cistern_version_free(version);
    return is;
}

/* A "~/" that the shell has not expanded, as in MODEL=~/x inside quotes. */
static const char *expand_home(const char *text, char *out, size_t size)
{
    const char *home = getenv("HOME");
    if (strncmp(text, "~/", 2) != 0 || !home || (size_t)snprintf(out, size, "%s%s", home, text + 1) >= size)
        return text;
    return out;
}

/* Whether the text is a path. @retval CISTERN_USAGE it is both. */
static cistern_status decide(cistern *context, const char *text, bool *out_path, cistern_error *err)
{
    char message[CISTERN_ERROR_TEXT_MAX];
    if (begins_as_path(text) || !has_suffix(text)) {
        *out_path = begins_as_path(text);
        return CISTERN_OK;
    }
    bool file = is_file(text), stored = is_in_store(context, text);
    if (file && stored) {
        snprintf(message, sizeof message,
                 "'%.300s' is a file here and a model of the store; write ./%.300s for the file or "
                 "%.300s:latest for the model",
                 text, text, text);
        return usage(err, message);
    }
    *out_path = file || !stored;
    return CISTERN_OK;
}

static bool declares_facts(const cistern_pull_options *o)
{
    return o && (o->architecture || o->preprocess || o->labels || o->config);
}

cistern_status cli_model_open(cli *c, const char *text, const cistern_pull_options *declared,
                              cistern_model **out, cistern_error *err)
{
    char home[PATH_BYTES];
    bool path = false;
    cistern *context;
    cistern_status status = cli_context(c, &context, err);
    if (status == CISTERN_OK)
        status = decide(context, text, &path, err);
    if (status == CISTERN_OK && !path && declares_facts(declared))
        status = usage(
            err,
            "--arch, --preprocess, --labels and --config are for weight files; what is known of a model in "
            "the store is said to pull and add");
    if (status != CISTERN_OK)
        return status;
    cistern_call call = cli_call(c, text);
    cli_call_begin(c);
    if (path)
        status =
            cistern_model_open_file(context, expand_home(text, home, sizeof home), declared, &call, out, err);
    else
        status = cistern_model_open(context, text, &call, out, err);
    cli_call_end(c);
    return status;
}
