/* torch hub's cache, hub/checkpoints in its home: files as they are named in the addresses they came from.
 *
 * torch looks for the file's name only: what has it is loaded, whoever put it there. So a file counts here only after the
 * digits in its name were compared with its bytes.
 */
#ifndef TIERS_TORCH_H
#define TIERS_TORCH_H

#include "model_published.h"
#include "tiers_export.h"

#define TIERS_TORCH_CHECKPOINTS "hub/checkpoints"
#define TIERS_TORCH_MAX         4096 /* files of one cache that are looked at */

/** One file that is worth adopting. */
typedef struct tiers_torch_file {
    char *path;                 /* whole */
    char *name;                 /* of the model, made from the file's name */
    char prefix[9];             /* digits in its name, which its SHA-256 must begin with */
    const model_published *row; /* the published file of that name, or NULL */
} tiers_torch_file;

typedef struct tiers_torch_files {
    tiers_torch_file *items; /* count of them, sorted by name of the file */
    size_t count;
    size_t others; /* files that are left alone: not known, or without digits in their names */
    char *directory;
} tiers_torch_files;

/**
 * @param home  torch's home ($TORCH_HOME, ~/.cache/torch). @param all  any file with digits in its name; false: only what
 *              is in the table of published files or is called vgg….
 * @param out   zero; tiers_torch_files_clear. @retval NOT_FOUND  there is no such cache.
 */
cistern_status tiers_torch_list(const char *home, bool all, tiers_torch_files *out,
                                cistern_error *err) CISTERN_MUST_CHECK;
void tiers_torch_files_clear(tiers_torch_files *files);

/**
 * Put versions where torch looks for them, under the names that torchvision asks for, else their own.
 * @param references  count of them; none: of each published file the newest version that is here.
 * @param fn          for each; failures too, after which the others are still placed.
 * @retval NOT_FOUND  no such version; nothing that torchvision would ask for. And the first failure of several, see
 *                    tiers_place_version.
 */
cistern_status tiers_torch_link(tiers *t, const char *home, const char *const *references, size_t count,
                                const tiers_place *how, const base_run *run, tiers_placed_fn fn, void *user,
                                cistern_error *err) CISTERN_MUST_CHECK;

#endif
