/* Other tools' caches, a directory in each one's home: files as they are named in the addresses they came from.
 *
 *     torch    hub/checkpoints    names end in digits of the SHA-256
 *     keras    models             names that keras.applications asks for; it publishes their MD5
 *
 * torch looks for the file's name only: what has it is loaded, whoever put it there. So a file counts here only after its
 * digest was compared.
 */
#ifndef TIERS_CACHE_H
#define TIERS_CACHE_H

#include "model_published.h"
#include "tiers_export.h"

#define TIERS_CACHE_MAX 4096 /* files of one cache that are looked at */

typedef struct tiers_cache {
    const char *tool;      /* "torch", "keras" */
    const char *publisher; /* in the table of published files */
    const char *directory; /* in its home */
    bool digits;           /* names end in digits */
} tiers_cache;

/** NULL: no such tool. */
const tiers_cache *tiers_cache_find(const char *tool);

/** One file that is worth adopting. */
typedef struct tiers_cache_file {
    char *path;                 /* whole */
    char *name;                 /* of the model, made from the file's name */
    char prefix[9];             /* digits in its name, which its SHA-256 must begin with; "": none */
    const model_published *row; /* the published file of that name, or NULL */
} tiers_cache_file;

typedef struct tiers_cache_files {
    tiers_cache_file *items; /* count of them, sorted by name of the file */
    size_t count;
    size_t others; /* files that are left alone: not known, or without digits in their names */
    char *directory;
} tiers_cache_files;

/**
 * @param home  of the tool (~/.cache/torch, ~/.keras). @param all  any file with digits in its name; false: only what is in
 *              the table of published files or, with digits, is called vgg….
 * @param out   zero; tiers_cache_files_clear. @retval NOT_FOUND  there is no such cache.
 */
cistern_status tiers_cache_list(const tiers_cache *cache, const char *home, bool all, tiers_cache_files *out,
                                cistern_error *err) CISTERN_MUST_CHECK;
void tiers_cache_files_clear(tiers_cache_files *files);

/**
 * Put versions where the tool looks for them, under the names that it asks for, else their own.
 * @param references  count of them; none: of each published file the newest version that is here.
 * @param fn          for each; failures too, after which the others are still placed.
 * @retval NOT_FOUND  no such version; nothing that the tool would ask for. And the first failure of several, see
 *                    tiers_place_version.
 */
cistern_status tiers_cache_link(tiers *t, const tiers_cache *cache, const char *home,
                                const char *const *references, size_t count, const tiers_place *how,
                                const base_run *run, tiers_placed_fn fn, void *user,
                                cistern_error *err) CISTERN_MUST_CHECK;

#endif
