/* Sources behind http: and https: URLs. */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include "net_client.h"
#include "net_source.h"

/**
 * Make a source for a URL. Makes no request.
 * @param client  borrowed until the source is freed.
 * @param url     as net_url_parse takes it. User info becomes basic authorisation, sent to that scheme, host
 * and port only, and is never shown.
 * @param out     freed with net_source_free.
 * @retval USAGE  not an http or https URL. @retval NO_MEMORY
 */
cistern_status net_http_source_new(net_client *client, const char *url, net_source **out,
                                   cistern_error *err) CISTERN_MUST_CHECK;

#endif
