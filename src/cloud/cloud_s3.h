/* Objects in S3 as sources: signed or anonymous, pinned by their ETag, asked for in the region where they are.
 *
 * Invariants
 *  1. A signature goes to the server that the address and the endpoint name, or from AWS's S3 to AWS's S3; never to
 *     another host that an answer redirects to, nor with it the session token.
 *  2. A bucket found in another region is asked there once; a second such answer is a failure that names the region.
 *  3. No key and no token is in a message, a log line, or an answer. What a server says is shown only if it holds none.
 * It lists nothing and writes nothing.
 */
#ifndef CLOUD_S3_H
#define CLOUD_S3_H

#include "cloud_context.h"
#include "net_source.h"

/**
 * Make a source for an object. Makes no request; reads the files of profiles now, so that keys which were renewed there are
 * used by the next source.
 * @param client   borrowed until the source is freed.
 * @param context  likewise. NULL: anonymous, AWS's own endpoints.
 * @param address  as cloud_s3_address_parse takes it.
 * @param out      freed with net_source_free.
 * @retval USAGE   not an address, or as cloud_s3_config_read. @retval DENIED, NO_MEMORY
 */
cistern_status cloud_s3_source_new(net_client *client, cloud_context *context, const char *address,
                                   net_source **out, cistern_error *err) CISTERN_MUST_CHECK;

#endif
