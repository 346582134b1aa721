/* The directory that people keep versions in: files, and a metadata.json that says which is which.
 *
 *     {"1": "vgg16_v1.pth", "2": "vgg16_v2.pth"}
 *
 * Invariants
 *  1. Every byte of it is hostile: keys must be version numbers, values plain relative paths; nothing is opened through a
 *     link or outside the directory.
 */
#ifndef TIERS_DIRECTORY_H
#define TIERS_DIRECTORY_H

#include <jansson.h>
#include "catalog_version.h"

#define TIERS_DIRECTORY_METADATA "metadata.json"
#define TIERS_DIRECTORY_MAX      4096 /* versions of one directory */

typedef struct tiers_directory_entry {
    uint32_t number;
    char tag[16];     /* the number's text */
    const char *file; /* beneath the directory; borrowed from the document */
} tiers_directory_entry;

typedef struct tiers_directory {
    char *path; /* of the directory, as given, without a slash at its end */
    int root;   /* its descriptor; -1: none */
    json_t *document;
    tiers_directory_entry *entries; /* count of them, by number */
    size_t count;
} tiers_directory;

void tiers_directory_init(tiers_directory *d);
void tiers_directory_clear(tiers_directory *d);

/**
 * Open a directory and read its metadata.json.
 * @param out  initialised.
 * @retval NOT_FOUND  no such directory, or no metadata.json in it (says what is expected). @retval USAGE not a directory.
 * @retval DAMAGED    not an object of version numbers and plain relative paths; each mistake has its own message.
 */
cistern_status tiers_directory_open(const char *path, tiers_directory *out,
                                    cistern_error *err) CISTERN_MUST_CHECK;

/** Open an entry's file for reading. @retval NOT_FOUND. @retval DAMAGED a link, a directory, a FIFO */
cistern_status tiers_directory_file(const tiers_directory *d, size_t i, int *out_fd,
                                    cistern_error *err) CISTERN_MUST_CHECK;

#endif
