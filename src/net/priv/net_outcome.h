/* The one place where outcomes of HTTP and of libcurl become statuses and messages. */
#ifndef NET_OUTCOME_H
#define NET_OUTCOME_H

#include "priv/net_curl.h"
#include "net_client.h"

/** A failure of the transfer itself. */
typedef struct net_fault {
    CURLcode code;
    const char *text; /* libcurl's own word for it; for TLS it says what is wrong with the certificate */
    int os_errno;     /* of the connection; 0: unknown */
    int connect_code; /* a proxy's answer to CONNECT; 0: none */
    bool body_began;
} net_fault;

/** Set err for an answer that is not the success asked for. @param out_transient  whether another try may help. */
cistern_status net_outcome_http(int code, const char *shown, bool *out_transient, cistern_error *err);
/** Set err for a transfer that failed. */
cistern_status net_outcome_fault(const net_fault *fault, const char *shown, const net_options *options,
                                 bool *out_transient, cistern_error *err);

#endif
