/* What a user types as an origin, understood: an address outside any store.
 *
 * http(s) URLs, objects in S3 (cloud_s3_address.h), `file:` addresses, plain paths, and `torchvision:MODEL` and `keras:MODEL`, which stand for an address
 * of the table of published weights. `file://host/path` forms are URLs (percent-decoded; the
 * host must be empty or localhost); `file:PATH` and plain paths are taken byte for byte. The addresses of
 * hubs and buckets are recognised and refused by name. It makes no request; a file's directory is looked up
 * (its links are resolved), the file itself is not.
 */
#ifndef ORIGIN_ADDRESS_H
#define ORIGIN_ADDRESS_H

#include <stdbool.h>
#include "base_error.h"
#include "cloud_context.h"
#include "model_published.h"
#include "net_client.h"
#include "net_source.h"

#define ORIGIN_PREFIX_HEX 8 /* digits of a digest in torchvision's file names, `vgg16-397923af.pth` */

typedef enum origin_kind { ORIGIN_HTTP, ORIGIN_FILE, ORIGIN_S3 } origin_kind;

/** By what origins are reached; borrowed. */
typedef struct origin_access {
    net_client *client;
    cloud_context *cloud; /* NULL: clouds are asked anonymously */
} origin_access;

typedef struct origin_address origin_address; /* immutable */

/** Whether the text can only be an address: it has one of our schemes (known or refused), or begins with / ./
 * ../ or ~ */
bool origin_address_is(const char *text);

/**
 * Understand an address.
 * @param text  as typed; a text without a scheme is a path.
 * @param out   freed with origin_address_free.
 * @retval USAGE      no such address; hf: gs: az: oci: "not supported by this version".
 * @retval NOT_FOUND  a file's directory does not exist; nothing of that name is published (what is, is listed). @retval DENIED  it may not be looked up. @retval
 * NO_MEMORY
 */
cistern_status origin_address_parse(const char *text, origin_address **out,
                                    cistern_error *err) CISTERN_MUST_CHECK;
/** The same for a text that is a path, whatever it looks like. */
cistern_status origin_address_of_path(const char *path, origin_address **out,
                                      cistern_error *err) CISTERN_MUST_CHECK;
void origin_address_free(origin_address *address); /* NULL allowed */

/* Borrowed while the address lives. */
origin_kind origin_address_kind(const origin_address *address);
/** The one form that is stored and compared: no secrets; `file:///abs/path` percent-encoded. */
const char *origin_address_normalised(const origin_address *address);
/** For messages: the normalised URL, or the absolute path. */
const char *origin_address_shown(const origin_address *address);
/** The absolute path of a file, NULL for a URL. */
const char *origin_address_path(const origin_address *address);
/** The last segment as a file name; "" if it has none (`https://host/`). */
const char *origin_address_file_name(const origin_address *address);
/** The row of the table of published weights with this address, or NULL. */
const model_published *origin_address_published(const origin_address *address);
/** 8 lower-case digits of `-<8 hex>.pth` or `.pt` at the end of the path: the digest must begin so. Or NULL.
 */
const char *origin_address_prefix(const origin_address *address);

/**
 * The NAME that a model gets without --as: the last segment in lower case, without extension and `-<8 hex>`.
 * @param out  owned by the caller.
 * @retval USAGE  that is no NAME; the message shows it and asks for --as. @retval NO_MEMORY
 */
cistern_status origin_address_default_name(const origin_address *address, char **out,
                                           cistern_error *err) CISTERN_MUST_CHECK;

/**
 * The address of the config.json beside it.
 * @param out  NULL if there is none to ask for (a URL with a query, a version of an object); else freed with origin_address_free.
 */
cistern_status origin_address_config(const origin_address *address, origin_address **out,
                                     cistern_error *err) CISTERN_MUST_CHECK;

/** A source that reads it. @param access  what it holds is borrowed until the source is freed. */
cistern_status origin_address_source(const origin_address *address, const origin_access *access,
                                     net_source **out, cistern_error *err) CISTERN_MUST_CHECK;

#endif
